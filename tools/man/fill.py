#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Man pages and the bash completion from their templates, at build time: what they list comes from its own source.

usage: fill.py ROOT TEMPLATE OUTPUT

@COMMANDS@   the commands of weirctl, in scdoc, from tools/ctl/commands.c
@WORDS@      the same for a shell: WORDS|OPTIONS, one command a line
@KEYS@       the keys of weir.yaml, in scdoc, from docs/reference/config*.md (tools/docs/config_md.py writes those)
@VERSION@    of meson.build
"""

import pathlib
import re
import sys

STRING = r'(?:"(?:[^"\\]|\\.)*"\s*)+'
ROW = re.compile(r"\{(" + STRING + r"),\s*(NULL|" + STRING + r"),\s*\d+,\s*\d+,\s*([^,]+),\s*cmd_\w+,\s*(" + STRING
                 + r"),\s*(" + STRING + r")\}")


def text(literal):
    """The value of adjacent C string literals."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literal)).replace('\\"', '"').replace("\\\\", "\\")


def commands(root):
    """[(words, usage, help)] in the order of the table; every row is one, or this fails."""
    source = (root / "tools/ctl/commands.c").read_text()
    table = source[source.index("ctl_commands[] = {"):]
    table = table[:table.index("\n};")]
    rows = [(text(m[1]) if m[2] == "NULL" else f"{text(m[1])} {text(m[2])}", text(m[4]), text(m[5]))
            for m in ROW.finditer(table)]
    if len(rows) != table.count("cmd_"):
        sys.exit(f"fill.py: {len(rows)} of {table.count('cmd_')} rows of ctl_commands[] read")
    return rows


def scdoc(line):
    """A line whose every character stands for itself."""
    return re.sub(r"([\\*_<#.~-])", r"\\\1", line) if line else line


def command_list(root):
    out = []
    for words, usage, meaning in commands(root):
        out += [f"*{scdoc(words)}*{' ' if usage else ''}{scdoc(usage)}", f"\t{scdoc(meaning)}", ""]
    return "\n".join(out)


def choices(usage):
    """What may follow a command: its options, and the words of `a|b|c` at its beginning."""
    first = re.match(r"[a-z-]+(?:\|[a-z-]+)+(?= )", usage)
    return (first[0].split("|") if first else []) + re.findall(r"(?<![\w-])--?[a-z]+(?:-[a-z]+)*", usage)


def word_list(root):
    return "\n".join(f"{words}|{' '.join(choices(usage))}" for words, usage, _ in commands(root))


def plain(cell):
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cell.replace("`", "")).replace("\\|", "|").strip()


def key_list(root):
    out = []
    for page in sorted((root / "docs/reference").glob("config*.md")):
        for line in page.read_text().splitlines():
            cells = re.split(r"(?<!\\)\|", line)
            if len(cells) != 7 or not re.fullmatch(r" `[a-z_0-9.\[\]]+` ", cells[1]):
                continue
            key, default, values, when, meaning = (plain(cell) for cell in cells[1:6])
            out += [f"*{scdoc(key)}* (default: {scdoc(default)}; {scdoc(values)}; {scdoc(when)})",
                    f"\t{scdoc(meaning)}", ""]
    if len(out) < 300:
        sys.exit(f"fill.py: only {len(out) // 3} keys found in docs/reference/config*.md")
    return "\n".join(out)


def main():
    root, template, output = map(pathlib.Path, sys.argv[1:])
    page = template.read_text()
    version = re.search(r"^  version: '(.*)',", (root / "meson.build").read_text(), re.M)[1]
    for mark, made in (("@COMMANDS@", command_list), ("@WORDS@", word_list), ("@KEYS@", key_list),
                       ("@VERSION@", lambda _: version)):
        if mark in page:
            page = page.replace(mark, made(root))
    output.write_text(page)


main()
