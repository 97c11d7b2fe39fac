#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/reference/json.md beside what `weirctl --json` prints: for each command, the keys of each object and their types.

usage: json_md.py SOURCE_ROOT [FOLDER]          brings rows up to date
       json_md.py SOURCE_ROOT [FOLDER] --check  fails if they are not
FOLDER: a file for each command, by its name (tests/smoke/json_test.py)

A key that FOLDER lacks keeps its place while the sources have its name: some come with a setting, or with what happened.
Keys of tools/lint/json_keys.txt that no command printed stand at the end, by the file that writes them. --check wants each
key of each command's own object, and of json_keys.txt; what an object within has depends on what happened.
"""
import json
import pathlib
import re
import sys

PAGE = "docs/reference/json.md"
MARK = "## Keys by command\n"
REST = """
## Other keys

These depend on a setting or on events, or stand in streams and webhooks; by the file that writes them.

| written by | keys |
|---|---|
"""
TITLE, ROW, KEY = re.compile(r"^### (.*)$", re.M), re.compile(r"^\| `(.*?)` \| (.*) \|$", re.M), re.compile(r"`([^`]+)` ([\w/]+)")
TYPES = {dict: "object", list: "list", str: "text", bool: "bool", int: "number", float: "number", type(None): "null"}


def walk(value, path, tree):
    """Adds the keys of each object below `value` to {path: {key: types}}; `[]`: of each item of a list."""
    if isinstance(value, dict):
        for key, below in value.items():
            tree.setdefault(path, {}).setdefault(key, set()).add(TYPES[type(below)])
            walk(below, f"{path}.{key}", tree)
    elif isinstance(value, list):
        for item in value:
            walk(item, path + "[]", tree)
    return tree


def printed(folder):
    """{command: tree} of the files; a command that prints a line each has an object in each line."""
    found = {}
    for path in sorted(folder.iterdir()):
        text = path.read_text()
        try:
            values = [json.loads(text)]
        except json.JSONDecodeError:
            values = [json.loads(line) for line in text.splitlines()]
        tree = {}
        for value in values:
            walk(value, "", tree)
        found[path.name] = tree
    return found


def documented(page, words):
    """{command: tree} of the page, without keys that the sources no longer have."""
    parts, found = TITLE.split(page.partition(MARK)[2].partition(REST)[0]), {}
    for title, body in zip(parts[1::2], parts[2::2]):
        tree = {}
        for path, keys in ROW.findall(body):
            kept = {k: set(types.split("/")) for k, types in KEY.findall(keys) if set(re.findall(r"\w+", k)) <= words}
            if kept:
                tree["" if path == "." else path] = kept
        for command in re.findall(r"`(.*?)`", title):
            found[command] = {path: dict(keys) for path, keys in tree.items()}
    return found


def merged(old, new):
    tree = {path: {k: set(t) for k, t in keys.items()} for path, keys in old.items()}
    for path, keys in new.items():
        for key, types in keys.items():
            tree.setdefault(path, {}).setdefault(key, set()).update(types)
    return tree


def elsewhere(root, found):
    """{source: keys} of json_keys.txt without those that a command printed."""
    printed_keys = {key for tree in found.values() for keys in tree.values() for key in keys}
    for line in (root / "tools/lint/json_keys.txt").read_text().splitlines():
        source, _, keys = line.partition(": ")
        left = [k for k in keys.split() if not k.startswith("*") and k not in printed_keys]
        if left and not line.startswith("#"):
            yield source, left


def page_of(root, page, found):
    """Commands with the same keys share a heading."""
    by_rows = {}
    for command, tree in sorted(found.items()):
        rows = "".join(
            f"| `{path or '.'}` | " + ", ".join(f"`{k}` {'/'.join(sorted(t))}" for k, t in sorted(keys.items())) + " |\n"
            for path, keys in sorted(tree.items()))
        by_rows.setdefault(rows, []).append(command)
    text = "".join(f"\n### {', '.join(f'`{c}`' for c in commands)}\n\n| object | keys |\n|---|---|\n{rows}" for rows, commands in by_rows.items() if rows)
    rest = "".join(f"| `{source}` | {', '.join(f'`{k}`' for k in keys)} |\n" for source, keys in elsewhere(root, found))
    return page.partition(MARK)[0] + MARK + text + REST + rest


def main():
    root, folders = pathlib.Path(sys.argv[1]), [pathlib.Path(a) for a in sys.argv[2:] if a != "--check"]
    path = root / PAGE
    page, words = path.read_text(), set(re.findall(r"\w+", (root / "tools/lint/json_keys.txt").read_text()))
    for part in ("include", "dataplane", "controlplane", "tools/ctl"):
        for source in (root / part).rglob("*.[ch]"):
            words.update(re.findall(r"\w+", source.read_text()))
    is_check, found = "--check" in sys.argv, documented(page, words)
    for folder in folders:
        for command, tree in printed(folder).items():
            found[command] = merged(found.get(command, {}), {"": tree.get("", {})} if is_check else tree)
    wanted = page_of(root, page, found)
    if not found:
        sys.exit(f"{path}: no command found")
    if not is_check:
        path.write_text(wanted)
    elif wanted != page:
        differ = sorted(set(wanted.splitlines()) ^ set(page.splitlines()))
        sys.exit("\n".join([f"{path}: out of date; run tools/docs/json_md.py . FOLDER with what `weirctl --json` prints:"] + differ))


if __name__ == "__main__":
    main()
