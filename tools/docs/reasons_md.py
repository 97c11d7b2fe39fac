#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/reference/reasons.md beside API_REASONS of controlplane/api/api_reasons.h: each id has a row there, and each row an id.

usage: reasons_md.py SOURCE_ROOT [--check]     brings severities and advice up to date, or fails if they are not

What a row says of its meaning is written by hand, and kept by the id; a new id gets an empty one, which --check refuses.
"""
import pathlib
import re
import sys

KIND = re.compile(r'X\((\w+),\s*(info|warning|error),\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)')
ROW = re.compile(r"^\| `(\w+)` \| [^|]* \| (.*?) \| [^|]* \|$", re.M)
HEAD = "| id | severity | meaning | what to do |\n|---|---|---|---|\n"


def kinds(root):
    text = (root / "controlplane/api/api_reasons.h").read_text().replace("\\\n", "\n")
    return [(i, severity, "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', advice))) for i, severity, advice in KIND.findall(text)]


def page_of(found, page):
    meanings = dict(ROW.findall(page))
    at = page.index(HEAD) + len(HEAD)
    rest = re.sub(r"\A(?:\|.*\n)*\n?", "", page[at:])
    rows = "".join(f"| `{i}` | {severity} | {meanings.get(i, '')} | {advice} |\n" for i, severity, advice in found)
    return page[:at] + rows + ("\n" + rest if rest else "")


def main():
    root = pathlib.Path(sys.argv[1])
    path, found = root / "docs/reference/reasons.md", kinds(root)
    page = path.read_text()
    wanted = page_of(found, page)
    if "--check" not in sys.argv:
        path.write_text(wanted)
    elif wanted != page:
        sys.exit(f"{path}: out of date; run tools/docs/reasons_md.py .")
    empty = [i for i, meaning in ROW.findall(wanted) if not meaning.strip()]
    if not found or empty:
        sys.exit(f"{path}: no meaning of {', '.join(empty) or 'anything: API_REASONS was not found'}")


if __name__ == "__main__":
    main()
