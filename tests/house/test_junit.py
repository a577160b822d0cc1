#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tests/junit.py counts what a report holds and names what failed."""
import os
import subprocess
import tempfile
import unittest

JUNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "junit.py")


def summary(text):
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([JUNIT, file.name], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


class Junit(unittest.TestCase):
    def test_pytest_failures_and_errors_are_named_with_their_reason(self):
        code, lines = summary(
            "<testsuites><testsuite><testcase classname='a' name='good'/>"
            "<testcase classname='a' name='bad'><failure message='not\n 1'>text</failure></testcase>"
            "<testcase classname='a' name='torn'><error message='setup'/></testcase>"
            "<testcase classname='a' name='left'><skipped message='no tool'/></testcase>"
            "</testsuite></testsuites>"
        )
        self.assertEqual((code, lines), (0, ["1 2 1", "a::bad: not 1", "a::torn: setup"]))

    def test_ctest_failures_and_disabled_tests_are_counted(self):
        code, lines = summary(
            "<testsuite><testcase name='u' classname='u' status='run'/>"
            "<testcase name='v' classname='v' status='fail'><failure message=''/></testcase>"
            "<testcase name='w' classname='w' status='disabled'/></testsuite>"
        )
        self.assertEqual((code, lines), (0, ["1 1 1", "v"]))

    def test_reports_without_tests_or_of_no_xml_are_refused(self):
        for text in ("<testsuites/>", "", "<testsuite>"):
            code, lines = summary(text)
            self.assertEqual((code, lines), (1, ["0 0 0"]))


if __name__ == "__main__":
    unittest.main()
