#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks of check.py can fail: each finds its breach in a small tree that is clean otherwise."""
import os
import sys
import tempfile
import unittest
import unittest.mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check  # noqa: E402

HEAD = f"/* {check.SPDX} */\n/* What it is for. */\n"
CLEAN = {
    "README.md": "Text.\n",
    "worker/README.md": "task main kafka\n",
    "worker/main.c": HEAD + '#include "rest/rest.h"\n',
    "worker/task.c": HEAD + '#include <poll.h>\n\n#include "worker/base/log.h"\n',
    "worker/base/README.md": "log and json\n",
    "worker/base/log.h": HEAD + "#pragma once\n",
    "worker/base/json.h": HEAD + "#include <cjson/cJSON.h>\n",
    "worker/kafka/README.md": "producer\n",
    "worker/kafka/producer.c": HEAD + '#include <librdkafka/rdkafka.h>\n',
    "coordinator/README.md": "core\n",
    "coordinator/core.c": HEAD + '#include "worker/task.h"\n#include "coordinator/core.h"\n',
    "rest/README.md": "rest, http\n",
    "rest/rest.h": HEAD,
    "rest/http.c": HEAD + '#include <microhttpd.h>\n\n#include "coordinator/core.h"\n',
    "tests/README.md": "unit/ holds all\n",
    "tests/unit/test_a.c": HEAD,
    "deploy/run.py": f"#!/usr/bin/env python3\n# {check.SPDX}\n",
}


class CheckTest(unittest.TestCase):
    def found(self, name, changes=None, exceptions=None):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**CLEAN, **(changes or {})}.items():
                if text is None:
                    continue
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            return check.breaches(check.Tree(root), name, exceptions or {})

    def assert_breach(self, name, path, text, message):
        found = self.found(name, {path: text})
        self.assertEqual(len(found), 1, found)
        self.assertIn(path, found[0])
        self.assertIn(message, found[0])

    def test_clean_tree_has_no_breach(self):
        for name in check.CHECKS:
            self.assertEqual(self.found(name), [], name)

    def test_a_tree_without_git_is_walked_past_what_builds_leave(self):
        left = ("build/a.c", "build-x/a.c", "tests/__pycache__/a.py", "deploy/run.pyc")
        with tempfile.TemporaryDirectory() as root:
            for path in left + ("worker/build.c", "worker/build/b.c", ".gitignore"):
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8"):
                    pass
            with unittest.mock.patch.dict(os.environ, {"PATH": root}):
                self.assertEqual(check.Tree(root).paths,
                                 [".gitignore", "worker/build.c", "worker/build/b.c"])

    def test_layers_finds_includes_that_go_up(self):
        for path, include in [("worker/task.c", "coordinator/core.h"),
                              ("worker/base/log.h", "worker/task.h"),
                              ("worker/base/log.h", "worker/kafka/producer.h"),
                              ("coordinator/core.c", "rest/rest.h"),
                              ("worker/kafka/producer.c", "worker/task.h"),
                              ("rest/rest.h", "tests/support/unit.h"),
                              ("worker/task.c", "task.h"),
                              ("worker/task.c", "worker/base/log.c")]:
            self.assert_breach("layers", path, HEAD + f'#include "{include}"\n', include)

    def test_headers_finds_third_party_headers_outside_their_room(self):
        for path, include in [("worker/task.c", "librdkafka/rdkafka.h"),
                              ("worker/kafka/producer.c", "mosquitto.h"),
                              ("rest/rest.h", "microhttpd.h"),
                              ("rest/http.c", "curl/curl.h")]:
            self.assert_breach("headers", path, HEAD + f"#include <{include}>\n", include)

    def test_sleep_finds_every_language(self):
        self.assert_breach("sleep", "worker/task.c", HEAD + "    usleep(10);\n", "sleeps")
        self.assert_breach("sleep", "tests/unit/test_a.c", HEAD + "nanosleep(&t, NULL);", "sleeps")
        self.assert_breach("sleep", "deploy/run.py", "time.sleep(1)\n", "sleeps")
        self.assert_breach("sleep", "deploy/run.sh", "while x; do sleep 1; done\n", "sleeps")
        self.assert_breach("sleep", "deploy/run", "#!/bin/bash\nsleep 0.1\n", "sleeps")
        self.assertEqual(self.found("sleep", {"worker/task.c": HEAD + "int asleep(void);"}), [])

    def test_top_level_finds_strangers(self):
        self.assertEqual(self.found("top-level", {"docs/a.md": ""}),
                         ["docs:1: does not belong at the top"])
        self.assertEqual(self.found("top-level", {".github/a": "", "LICENSE": ""}), [])

    def test_spdx_finds_missing_heads(self):
        self.assert_breach("spdx", "worker/task.c", "/* Text. */\n", "does not start with")
        self.assert_breach("spdx", "worker/task.c", HEAD.splitlines()[0] + "\nint x;\n", "for")
        self.assert_breach("spdx", "deploy/run.py", "import os\n", "SPDX")
        self.assert_breach("spdx", "tests/CMakeLists.txt", "add_test()\n", "SPDX")

    def test_length_finds_long_functions_and_files(self):
        body = "    x();\n"
        function = "static int long_one(int a,\n                    int b)\n{\n" + "%s}\n"
        self.assert_breach("length", "worker/task.c", HEAD + function % (body * 61),
                           "long_one has 61 lines")
        self.assertEqual(self.found("length", {"worker/task.c": HEAD + function % (body * 60)}), [])
        self.assert_breach("length", "worker/task.c", HEAD + "\n" * 599, "has 601 lines")
        self.assert_breach("length", "worker/base/log.h", HEAD + "\n" * 199, "has 201 lines")
        self.assertEqual(self.found("length", {"worker/task.c": HEAD + "\n" * 598}), [])

    def test_readme_finds_missing_files_and_modules(self):
        self.assertEqual(self.found("readme", {"worker/base/new_thing.c": HEAD}),
                         ["worker/base/README.md:1: does not mention new_thing"])
        self.assertEqual(self.found("readme", {"rest/README.md": None}),
                         ["rest:1: has no README.md"])
        self.assertEqual(self.found("readme", {"tests/sim/sim.c": HEAD}),
                         ["tests/README.md:1: does not mention sim/"])

    def test_words_finds_notes_paths_and_numbers(self):
        for text in ["/* TO" "DO: later */", "cd /wo" "rk/main", "see issue" " 12",
                     "https://regi" "stry.example.org/x"]:
            self.assert_breach("words", "worker/README.md", "task main kafka\n" + text, "'")

    def test_exceptions_allow_and_are_found_when_needless(self):
        allowed = {("sleep", "worker/task.c"): "because"}
        self.assertEqual(
            self.found("sleep", {"worker/task.c": HEAD + "usleep(1);"}, allowed), [])
        self.assertEqual(len(self.found("sleep", {}, allowed)), 1)


if __name__ == "__main__":
    unittest.main()
