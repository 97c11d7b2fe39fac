#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Phrases that weir does not use in new text: phrases.txt has each with the number of times that the tree may still have it.

usage: phrases.py SOURCE_ROOT [--lower]     lists the counts; --lower writes those that fell into phrases.txt
"""
import pathlib
import re
import subprocess
import sys

BOOK = "tools/lint/phrases.txt"
ROW = re.compile(r"(\d+) ([^:]+): (\S.*)$")
TEXT = (".c", ".h", ".md", ".sh", ".py", ".yaml", ".build", ".service")
EXEMPT = (BOOK, "tools/lint/test_lint.py")  # they name the phrases


def rows(root):
    """(line number, allowed, phrase, what to say instead) of each row; a row that cannot be read has None for `allowed`."""
    path = root / BOOK
    for number, line in enumerate(path.read_text().split("\n") if path.exists() else [], 1):
        if line and not line.startswith("#"):
            match = ROW.match(line)
            yield (number, int(match[1]), match[2], match[3]) if match else (number, None, line, "")


def is_text(root, name):
    return name not in EXEMPT and (name.endswith(TEXT) or "." not in name.rsplit("/", 1)[-1] and (root / name).read_bytes()[:2] == b"#!")


def count(root, files, phrases):
    """phrase -> (times, the last place)."""
    found = {p: (0, "") for p in phrases}
    if not phrases:
        return found
    patterns = {p: re.compile(rf"(?<![\w-]){re.escape(p)}(?![\w-])", re.I) for p in phrases}
    for name in files:
        if not is_text(root, name):
            continue
        text = (root / name).read_text(errors="replace")
        low = text.lower()
        for phrase, pattern in patterns.items():
            if phrase.lower() not in low:
                continue
            for match in pattern.finditer(text):
                place = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
                found[phrase] = (found[phrase][0] + 1, place)
    return found


def breaches(root, files):
    book = list(rows(root))
    found = count(root, files, [p for _, allowed, p, _ in book if allowed is not None])
    for number, allowed, phrase, instead in book:
        if allowed is None:
            yield f"{BOOK}:{number}: not `COUNT PHRASE: WHAT TO SAY`"
        elif found[phrase][0] > allowed:
            times, place = found[phrase]
            yield f'"{phrase}": {times} times, {allowed} allowed: say {instead}; the last is at {place}'


def lower(root, found):
    lines = (root / BOOK).read_text().split("\n")
    for number, allowed, phrase, instead in rows(root):
        if allowed is not None and found[phrase][0] < allowed:
            lines[number - 1] = f"{found[phrase][0]} {phrase}: {instead}"
    (root / BOOK).write_text("\n".join(lines))


def main():
    root = pathlib.Path(sys.argv[1])
    out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True)
    files = [n for n in out.stdout.split("\n") if n and (root / n).is_file()]
    book = list(rows(root))
    found = count(root, files, [p for _, allowed, p, _ in book if allowed is not None])
    for _, allowed, phrase, _ in book:
        if allowed is not None:
            print(f"{phrase}: {found[phrase][0]} of {allowed}")
    if "--lower" in sys.argv[2:]:
        lower(root, found)


if __name__ == "__main__":
    main()
