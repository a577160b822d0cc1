#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The house rules that a program can check, one function each.

Usage: check.py ROOT CHECK...    names of CHECK: see CHECKS; exit code 1 and a line for each breach.

A breach is mended where it is. EXCEPTIONS is a ratchet: an entry that is no longer needed is a
breach too, so the list can only get shorter.
"""
import os
import re
import subprocess
import sys

LAYERS = ("worker", "coordinator", "rest")  # each may include itself and those before it
TOP_LEVEL = {"worker", "coordinator", "rest", "deploy", "helm", "tests", "CMakeLists.txt",
             "README.md", "LICENSE", "CMakePresets.json"}
# Rooms of worker/: what a file there may include besides itself and worker/base.
ROOMS = {
    "worker/base": (),
    "worker/kafka": ("worker/record.h", "worker/convert.h"),
    "worker/mqtt": ("worker/record.h",),
    "worker/providers": (),
    "worker/convert": ("worker/",),
    "worker/transform": ("worker/",),
}
# Headers of other projects, and the only places that may include them.
THIRD_PARTY = {
    r"librdkafka/|rdkafka\.h": "worker/kafka/",
    r"mosquitto": "worker/mqtt/",
    r"microhttpd\.h": "rest/http.c",
    r"curl/": "worker/http_client.c",
    r"gnutls/": "rest/tls",
    r"crypt\.h": "rest/password.c",
    r"pcre2": "worker/base/regex.c",
}
CACHES = {".git", "__pycache__", ".pytest_cache"}  # folders that are no source
MAX_FILE = 600
MAX_HEADER = 200  # of the product
MAX_FUNCTION = 60
SPDX = "SPDX-License-Identifier: Apache-2.0"
# (check, path): why it is allowed to break the rule.
EXCEPTIONS = {
    ("sleep", "tests/lab/proc.py"): "the one place that pauses between two looks at a condition",
}
SLEEP_C = re.compile(r"\b(?:u?sleep|(?:clock_)?nanosleep|thrd_sleep)\s*\(")
SLEEP_PYTHON = re.compile(r"\btime\.sleep\s*\(|\bfrom time import .*\bsleep\b")
SLEEP_SHELL = re.compile(r"(?:^|[;&|({]|\bdo|\bthen)\s*sleep\s+[\d.$]")
# Written in pieces, so that this file does not break its own rule.
WORDS = [
    (r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b", "is a note to be done, not a comment"),
    (r"(?<![\w}])(?:/wo" r"rk/|/ro" r"ot/|/ho" r"me/\w)", "is a path of one machine"),
    (r"(?i)https?://[^/\s\"]*(?:py" r"pi|npm" r"js|registry|artifact|nex" r"us|mirror)",
     "names a package registry"),
    (r"(?i)\bissue" r"s? (?:#|no\. ?)?\d", "numbers an issue: say what it is about"),
]


class Tree:
    """The files of a source tree, by path from its root."""

    def __init__(self, root):
        self.root = root
        self.paths = sorted(self._list())

    def _list(self):
        """What git knows or would add; every file but what builds and runs leave behind where there
        is no git, or this tree is not a repository of its own."""
        names = self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
        top = self._git("rev-parse", "--show-toplevel").strip()
        if names and top and os.path.realpath(top) == os.path.realpath(self.root):
            return {name for name in names.split("\0")
                    if os.path.isfile(os.path.join(self.root, name))}
        return self._walk()

    def _git(self, *arguments):
        """What git prints, nothing when it fails or is not there."""
        try:
            done = subprocess.run(["git", "-C", self.root, *arguments], capture_output=True,
                                  check=False)
        except OSError:
            return ""
        return os.fsdecode(done.stdout) if done.returncode == 0 else ""

    def _walk(self):
        found = []
        for folder, folders, names in os.walk(self.root):
            at_root = folder == self.root
            folders[:] = [name for name in folders
                          if name not in CACHES
                          and not (at_root and (name == "build" or name.startswith("build-")))]
            found += [os.path.join(folder, name) for name in names
                      if name != ".git" and not name.endswith(".pyc")]
        return [os.path.relpath(path, self.root) for path in found if os.path.isfile(path)]

    def lines(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()

    def of(self, *endings, under=("",)):
        return [path for path in self.paths
                if path.endswith(endings) and path.startswith(tuple(under))]

    def product(self, *endings):
        return self.of(*endings, under=[layer + "/" for layer in LAYERS])


def includes(tree, path):
    """Line number, text between the brackets or quotes, and whether it is quoted."""
    for number, line in enumerate(tree.lines(path), 1):
        found = re.match(r"\s*#\s*include\s*([<\"])([^>\"]+)[>\"]", line)
        if found:
            yield number, found.group(2), found.group(1) == '"'


def room_of(path):
    return next((room for room in ROOMS if path.startswith(room + "/")), None)


def check_layers(tree):
    """Includes go down the layers only, and each room of worker/ stays by itself."""
    for path in tree.product(".c", ".h", ".def"):
        if path == "worker/main.c":
            continue
        allowed = LAYERS[:LAYERS.index(path.split("/")[0]) + 1]
        room = room_of(path)
        for number, name, quoted in includes(tree, path):
            if not quoted:
                continue
            if name.split("/")[0] not in allowed or "/" not in name:
                yield path, number, f"includes {name}: allowed are {', '.join(allowed)}"
            elif room and not name.startswith((room + "/", "worker/base/") + ROOMS[room]):
                yield path, number, f"includes {name}: {room} stands by itself"
            elif name == "worker/main.c" or not name.endswith((".h", ".def")):
                yield path, number, f"includes {name}, which is no header"


def check_headers(tree):
    """Headers of other projects are included in their room only."""
    for path in tree.product(".c", ".h", ".def"):
        for number, name, _ in includes(tree, path):
            for pattern, place in THIRD_PARTY.items():
                if re.match(pattern, name) and not path.startswith(place):
                    yield path, number, f"includes {name}: only {place} may"


def check_sleep(tree):
    """Nothing waits by sleeping: it waits for what it needs, with a deadline."""
    kinds = {".c": SLEEP_C, ".h": SLEEP_C, ".py": SLEEP_PYTHON, ".sh": SLEEP_SHELL}
    for path in tree.paths:
        ending = os.path.splitext(path)[1]
        pattern = kinds.get(ending)
        lines = tree.lines(path) if pattern or not ending else []
        if not ending and lines and lines[0].startswith("#!"):
            pattern = SLEEP_PYTHON if "python" in lines[0] else SLEEP_SHELL
        if not pattern or path.startswith("tests/house/"):
            continue
        for number, line in enumerate(lines, 1):
            if pattern.search(line):
                yield path, number, "sleeps"


def check_top_level(tree):
    """The top folder holds what the layout names, and dot files."""
    for name in sorted({path.split("/")[0] for path in tree.paths}):
        if name not in TOP_LEVEL and not name.startswith("."):
            yield name, 1, "does not belong at the top"


def check_spdx(tree):
    """Every source file starts with its licence; C files then say what they are for."""
    for path in tree.of(".c", ".h", ".def", ".py", ".sh", ".cmake", "CMakeLists.txt"):
        lines = tree.lines(path) + ["", ""]
        if path.endswith((".c", ".h", ".def")):
            if lines[0] != f"/* {SPDX} */":
                yield path, 1, f"does not start with /* {SPDX} */"
            elif not lines[1].startswith("/*"):
                yield path, 2, "does not say what the file is for"
        elif f"# {SPDX}" not in lines[:2] and any(lines):
            yield path, 1, f"has no # {SPDX} in its first two lines"


def functions(lines):
    """Name, first line and number of lines of the body of each function: its braces stand alone
    in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            head = next((text for text in reversed(lines[:start - 1])
                         if re.match(r"[A-Za-z_].*\(", text)), "?")
            found = re.search(r"(\w+)\(", head)
            yield found.group(1) if found else "?", start, number - start - 1
            start = None


def check_length(tree):
    """Files and functions stay short."""
    for path in tree.of(".c", ".h"):
        lines = tree.lines(path)
        header = path.endswith(".h") and path.split("/")[0] in LAYERS
        limit = MAX_HEADER if header else MAX_FILE
        if len(lines) > limit:
            yield path, 1, f"has {len(lines)} lines, at most {limit}"
        for name, start, length in functions(lines):
            if length > MAX_FUNCTION:
                yield path, start, f"{name} has {length} lines, at most {MAX_FUNCTION}"


def modules(tree, folder):
    """Names that a folder's README has to mention: foo for foo.c and foo.h."""
    for path in tree.of(".c", ".h", ".def"):
        if os.path.dirname(path) == folder:
            yield os.path.splitext(os.path.basename(path))[0]


def check_readme(tree):
    """Every folder with product code has a README.md that mentions each of its modules; the one of
    tests/ mentions each of its folders."""
    folders = {os.path.dirname(path) for path in tree.product(".c", ".h", ".def")}
    needed = {folder: set(modules(tree, folder)) for folder in folders}
    inner = {path.split("/")[1] for path in tree.of("", under=["tests/"]) if path.count("/") > 1}
    if inner:
        needed["tests"] = {name + "/" for name in inner}
    for folder in sorted(needed):
        path = folder + "/README.md"
        if path not in tree.paths:
            yield folder, 1, "has no README.md"
            continue
        text = "\n".join(tree.lines(path))
        for name in sorted(needed[folder]):
            if not re.search(r"(?<![A-Za-z0-9_])" + re.escape(name) + r"(?![A-Za-z0-9_])", text):
                yield path, 1, f"does not mention {name}"


def check_words(tree):
    """The project speaks of itself only, and leaves no notes of what is to be done."""
    for path in tree.paths:
        if path.endswith((".pem", ".key", ".png", ".svg")) or "/corpus/" in path:
            continue
        for number, line in enumerate(tree.lines(path), 1):
            for pattern, why in WORDS:
                found = re.search(pattern, line)
                if found:
                    yield path, number, f"'{found.group(0)}' {why}"


CHECKS = {
    "layers": check_layers,
    "headers": check_headers,
    "sleep": check_sleep,
    "top-level": check_top_level,
    "spdx": check_spdx,
    "length": check_length,
    "readme": check_readme,
    "words": check_words,
}


def breaches(tree, name, exceptions=None):
    """Lines of text, one for each breach of a check that is no exception."""
    exceptions = EXCEPTIONS if exceptions is None else exceptions
    used = set()
    result = []
    for path, number, text in CHECKS[name](tree):
        if (name, path) in exceptions:
            used.add((name, path))
        else:
            result.append(f"{path}:{number}: {text}")
    for check, path in exceptions:
        if check == name and (check, path) not in used:
            result.append(f"{path}:1: is in EXCEPTIONS of '{name}' and needs it no longer")
    return result


def main(arguments):
    if len(arguments) < 2 or any(name not in CHECKS for name in arguments[1:]):
        sys.stderr.write(f"{__doc__}\nCHECK: {' '.join(CHECKS)}\n")
        return 2
    tree = Tree(arguments[0])
    found = [line for name in arguments[1:] for line in breaches(tree, name)]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
