# SPDX-License-Identifier: Apache-2.0
"""What the test scripts of sluice-load share: run a command, read its JSON, count the findings."""

import json
import subprocess


class Tool:
    """Runs sluice-load and keeps score."""

    def __init__(self, program):
        self.program = program
        self.failures = 0
        self.checks = 0

    def argv(self, command, options):
        found = [self.program, command]
        for name, value in options.items():
            if value is True:
                found.append(f"--{name}")
            else:
                found += [f"--{name}", str(value)]
        return found

    def run(self, command, limit=120, **options):
        """Runs to the end; returns (exit code, JSON or None, stderr). "_" in a name means "-"."""
        named = {name.replace("_", "-"): value for name, value in options.items()}
        done = subprocess.run(self.argv(command, named), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=limit, check=False)
        return done.returncode, json.loads(done.stdout) if done.stdout.startswith("{") else None, done.stderr

    def start(self, command, **options):
        """Starts without waiting."""
        named = {name.replace("_", "-"): value for name, value in options.items()}
        return subprocess.Popen(self.argv(command, named), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True)

    def check(self, what, seen, wanted):
        """Notes one finding."""
        self.checks += 1
        good = seen == wanted
        print(f"{'ok' if good else 'FAILED'}: {what}" + ("" if good else f": {seen!r}, wanted {wanted!r}"),
              flush=True)
        self.failures += 0 if good else 1

    def done(self):
        """The exit code of the script."""
        print(f"{self.checks} checks, {self.failures} failed")
        return 1 if self.failures or not self.checks else 0
