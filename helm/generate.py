#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes README.md and values.schema.json of the chart from the comments of its values.yaml.

Usage: generate.py [--check]    --check writes nothing; a file that differs: diff, exit code 1.

Above a value stand "# -- what it means", over as many lines as it takes, and, where the default
does not tell all, "# @schema" with JSON schema in one line. "# == Title" starts a chapter. A map
of values that have such comments takes no other keys; a map that has one itself is a value, and
what is in it is free.
"""

import difflib
import json
import pathlib
import re
import sys

import yaml

CHART = pathlib.Path(__file__).resolve().parent / "sluice"
LINE = re.compile(r"^( *)([A-Za-z0-9_]+):(?: |$)")
TYPES = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


class Value:
    """A value that has a comment: its path, default, text, schema, and the chapter it is in."""

    def __init__(self, path, default, text, schema, chapter):
        self.path = path
        self.default = default
        self.text = text
        self.schema = schema
        self.chapter = chapter

    def full_schema(self):
        result = dict(self.schema)
        if "type" not in result and "enum" not in result:
            if self.default is None:
                raise SystemExit(
                    f"values.yaml: {self.name()} is null: its @schema must say the type"
                )
            result["type"] = TYPES[type(self.default)]
        result["description"] = self.text
        return result

    def name(self):
        return ".".join(self.path)


class Comment:
    """What the lines above a key say."""

    def __init__(self):
        self.text = []
        self.schema = {}
        self.open = False

    def add(self, line):
        if line.startswith("@schema "):
            self.schema = json.loads(line[len("@schema ") :])
        elif line.startswith("-- "):
            self.text = [line[3:]]
        elif self.text and not self.schema:
            self.text.append(line)


def at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def scan(text):
    """The values in their order, and the paths of the maps that hold them."""
    tree = yaml.safe_load(text)
    values, maps = [], []
    chapter, comment, path, inside = None, Comment(), [], None
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# == "):
            chapter, comment = stripped[5:], Comment()
        elif stripped.startswith("#"):
            comment.add(stripped[1:].strip())
            inner = (len(line) - len(line.lstrip())) // 2
            if stripped.startswith("# -- ") and inside is not None and inner > inside:
                name = ".".join(path)
                raise SystemExit(f"values.yaml: {name} has a comment, so no value in it may")
        else:
            found = LINE.match(line)
            depth = len(found.group(1)) // 2 if found else 0
            if found and (inside is None or depth <= inside):
                path = path[:depth] + [found.group(2)]
                inside = depth if comment.text else None
                if comment.text:
                    values.append(
                        Value(
                            list(path),
                            at(tree, path),
                            " ".join(comment.text),
                            comment.schema,
                            chapter,
                        )
                    )
                else:
                    maps.append(tuple(path))
            comment = Comment()
    return values, maps


def check_complete(tree, values, maps, path=()):
    """Every key is a value with a comment, or a map of such."""
    known = {tuple(value.path) for value in values}
    for key, inner in tree.items():
        here = path + (key,)
        if here in known:
            continue
        if here not in maps or not isinstance(inner, dict) or not inner:
            raise SystemExit(f"values.yaml: {'.'.join(here)} has no comment")
        check_complete(inner, values, maps, here)


def make_schema(values):
    def empty():
        return {"type": "object", "additionalProperties": False, "properties": {}}

    root = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart sluice",
        **empty(),
    }
    for value in values:
        node = root
        for key in value.path[:-1]:
            node = node["properties"].setdefault(key, empty())
        node["properties"][value.path[-1]] = value.full_schema()
    # What Helm and charts around this one put there.
    root["properties"]["global"]["additionalProperties"] = True
    return json.dumps(root, indent=2) + "\n"


def cell(text):
    return text.replace("|", "\\|")


def shown(value):
    allowed = value.schema.get("enum")
    default = json.dumps(value.default)
    if len(default) > 60:
        default = "see values.yaml"
    else:
        default = f"`{default}`"
    return default + (
        f" of {', '.join(f'`{one}`' for one in allowed if one != '')}" if allowed else ""
    )


def make_readme(values, head):
    lines = [head.rstrip("\n")]
    chapter = None
    for value in values:
        if value.chapter != chapter:
            chapter = value.chapter
            lines += [
                "",
                f"### {chapter}",
                "",
                "| value | default | meaning |",
                "| --- | --- | --- |",
            ]
        lines.append(f"| `{value.name()}` | {cell(shown(value))} | {cell(value.text)} |")
    return "\n".join(lines) + "\n"


def settle(path, wanted, check):
    """Writes the file, or tells how it differs; whether it was as wanted."""
    had = path.read_text(encoding="utf-8") if path.exists() else ""
    if had == wanted:
        return True
    if check:
        sys.stdout.writelines(
            difflib.unified_diff(
                had.splitlines(True),
                wanted.splitlines(True),
                str(path),
                "as helm/generate.py makes it",
            )
        )
    else:
        path.write_text(wanted, encoding="utf-8")
    return False


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.stderr.write(__doc__)
        return 2
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values, maps = scan(text)
    check_complete(yaml.safe_load(text), values, maps)
    head = (CHART / "README.head.md").read_text(encoding="utf-8")
    check = bool(arguments)
    same = [
        settle(CHART / "values.schema.json", make_schema(values), check),
        settle(CHART / "README.md", make_readme(values, head), check),
    ]
    return 1 if check and not all(same) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
