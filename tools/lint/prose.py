#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Pages are wrapped at 100 columns or have one sentence a line; a paragraph has at most 120 words. Tables and code are exempt.

usage: prose.py PAGE...     wraps the paragraphs of these pages that are not
"""
import pathlib
import re
import sys
import textwrap

COLUMNS = 100
WORDS = 120
ITEM = re.compile(r"\s*(?:[*-]|\d+\.)\s+")
OTHER = re.compile(r"\s*(?:\||#|<!--|$)")  # table, heading, comment, blank line
SENTENCE_END = re.compile(r"[.!?:][)*]*\s+(?=[A-Z`*\[])")


def paragraphs(lines):
    """(first line, last line) of each paragraph and list item, counted from 0, the last one not included."""
    begin, fenced = None, False
    for number, line in enumerate([*lines, ""]):
        fence = line.lstrip().startswith("```")
        plain = not (fence or fenced or OTHER.match(line))
        if begin is not None and (not plain or ITEM.match(line)):
            yield begin, number
            begin = None
        if plain and begin is None:
            begin = number
        fenced ^= fence


def is_long(line):
    """Over the columns, and neither one sentence nor one word."""
    text = line[ITEM.match(line).end():] if ITEM.match(line) else line.strip()
    return len(line) > COLUMNS and " " in text and not (re.search(r"[.!?:][)*]*$", text) and not SENTENCE_END.search(text))


def breaches(root, files):
    for name in files:
        if not name.endswith(".md"):
            continue
        lines = (root / name).read_text().split("\n")
        for begin, end in paragraphs(lines):
            words = sum(len(line.split()) for line in lines[begin:end])
            if words > WORDS:
                yield f"{name}:{begin + 1}: a paragraph of {words} words, {WORDS} allowed"
            for number in range(begin, end):
                if is_long(lines[number]):
                    yield f"{name}:{number + 1}: over {COLUMNS} columns and more than one sentence: tools/lint/prose.py {name}"


def wrap(path):
    lines, out, done = path.read_text().split("\n"), [], 0
    for begin, end in paragraphs(lines):
        out += lines[done:begin]
        done = end
        if not any(is_long(line) for line in lines[begin:end]):
            out += lines[begin:end]
            continue
        item = ITEM.match(lines[begin])
        indent = " " * len(item[0]) if item else re.match(r"\s*", lines[begin])[0]
        text = " ".join(line.strip() for line in lines[begin:end])
        # No break within `code`, nor before what would begin a list, a heading or a table.
        text = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
        text = re.sub(r" (?=(?:[*+|#-]|\d+\.)(?: |$))", "\0", text)
        if item:
            text = item[0].strip() + "\0" + text[len(item[0].strip()):].lstrip("\0 ")
        first = re.match(r"\s*", lines[begin])[0]
        wrapped = textwrap.wrap(text, COLUMNS, initial_indent=first, subsequent_indent=indent, break_long_words=False,
                                break_on_hyphens=False)
        out += [line.replace("\0", " ") for line in wrapped]
    path.write_text("\n".join(out + lines[done:]))


if __name__ == "__main__":
    for page in sys.argv[1:]:
        wrap(pathlib.Path(page))
