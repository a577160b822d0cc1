# SPDX-License-Identifier: Apache-2.0
"""The load tool as a process: in the background while things happen, or to its end."""

import json
import subprocess
import time

from lab import LabError


class LoadTool:
    """One background process of the tool at `load` at a time; others run beside it to their end."""

    def __init__(self, load):
        self.load = load
        self.process = None
        self.started = None

    def _argv(self, command, options):
        argv = [self.load, command]
        for key, value in options.items():
            argv += [f"--{key}"] + ([] if value is True else [str(value)])
        return argv

    def run(self, command, options):
        """Runs a command of the tool; returns what subprocess.run does."""
        return subprocess.run(
            self._argv(command, options),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def launch(self, command, options):
        """Starts a command in the background; it dies with this process."""
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *self._argv(command, options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def ended(self, timeout=0.0):
        """True when the background process is done, which this waits for at most `timeout` seconds."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self):
        """Ends the background process, after a failure."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def report(self, timeout):
        """Waits for the end of the background process; returns its report."""
        try:
            out, errors = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            self.close()
            raise LabError(f"{self.process.args[4]} took longer than {timeout} s") from error
        if self.process.returncode != 0:
            raise LabError(f"{self.process.args[4]} ended with {self.process.returncode}:\n{out}{errors}")
        return json.loads(out)
