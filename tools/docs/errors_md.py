#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/reference/errors.md beside the messages of the code: each error and warning has a row there, and each row a message.

usage: errors_md.py SOURCE_ROOT [--check]     brings ids, places and wordings up to date, or fails if they are not

What a row says of its message is written by hand, and kept by the id of the wording; a new message gets an empty one, which
--check refuses.
"""
import pathlib
import re
import sys

# Whose messages are in a folder and those below it; the longest path decides.
FOLDERS = {"controlplane": "controlplane", "dataplane": "dataplane", "dataplane/core": "either",
           "dataplane/xdp": "either"}
# Integers of <inttypes.h> as the compiler spells them on x86-64 and aarch64.
MACROS = {"PRIu64": "lu", "PRId64": "ld", "PRIx64": "lx", "PRIu32": "u", "PRId32": "d", "PRIx32": "x"}
CALL = re.compile(r"\blog_(error|warning)\s*\(\s*")
PIECE = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(PRI\w+))')
ROW = re.compile(r"^\| `([EW][0-9a-f]{8})` \| ([^|]*) \| (.*?) \| (.*) \|$")
HEAD = "| id | of | message | what it means, and what to do |\n|---|---|---|---|\n"


class Refused(Exception):
    pass


def literal(text, at, place):
    """The wording of a call, whose first argument begins at `at`."""
    parts = []
    while piece := PIECE.match(text, at):
        if piece[2] and piece[2] not in MACROS:
            raise Refused(f"{place}: {piece[2]} is not understood")
        parts.append(MACROS[piece[2]] if piece[2] else piece[1])
        at = piece.end()
    if not parts:
        raise Refused(f"{place}: the wording is no literal, so it has no id of its own")
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), "".join(parts))


def id_of(level, wording):
    """As dataplane/core/log/log_recent.c has it."""
    h = 2166136261
    for byte in wording.encode():
        h = (h ^ byte) * 16777619 & 0xffffffff
    return f"{'E' if level == 'error' else 'W'}{h:08x}"


def messages(root):
    found = {}
    for top in ("controlplane", "dataplane"):
        for path in sorted((root / top).rglob("*.c")):
            text, folder = path.read_text(), path.parent.relative_to(root).as_posix()
            process = FOLDERS[max((f for f in FOLDERS if (folder + "/").startswith(f + "/")), key=len)]
            for call in CALL.finditer(text):
                place = f"{folder}/{path.name}:{text.count(chr(10), 0, call.start()) + 1}"
                wording = literal(text, call.end(), place)
                row = found.setdefault(id_of(call[1], wording), (wording, set()))
                if row[0] != wording:
                    raise Refused(f"{place}: has the id of another wording: {row[0]}")
                row[1].add(process)
    return found


def shown(wording):
    """A conversion is an ellipsis, as its value stands there."""
    text = re.sub(r"%%", "\0", wording)
    text = re.sub(r"%[-+ #0]*[\d.*]*(?:hh|h|ll|l|z|j)?[a-zA-Z]", "…", text).replace("\0", "%")
    return text.replace("|", "/")


def table(found, texts):
    rows = []
    for ident, (wording, processes) in found.items():
        of = "both" if len(processes) > 1 else next(iter(processes))
        rows.append((shown(wording).lower(), f"| `{ident}` | {of} | {shown(wording)} | {texts.get(ident, '')} |\n"))
    return HEAD + "".join(row for _, row in sorted(rows))


def main(root, check):
    page = root / "docs" / "reference" / "errors.md"
    text = page.read_text()
    texts = {}
    for line in text.split("\n"):
        if row := ROW.match(line):
            if row[1] in texts:
                raise Refused(f"docs/reference/errors.md: {row[1]} stands there twice")
            texts[row[1]] = row[4].strip()
    found = messages(root)
    gone, empty = sorted(texts.keys() - found.keys()), sorted(i for i in found if not texts.get(i))
    before, _, rest = text.partition(HEAD)
    after = "".join(line for line in rest.splitlines(keepends=True) if not line.startswith("| `"))
    now = before + table(found, texts) + after
    if not check:
        for ident in gone:
            print(f"no such message any more: {ident}: {texts[ident]}")
        for ident in empty:
            print(f"to be explained: {ident}: {shown(found[ident][0])}")
        page.write_text(now)
        return
    if gone:
        raise Refused(f"docs/reference/errors.md: no message of the code has {', '.join(gone)}")
    if empty:
        raise Refused(f"docs/reference/errors.md: does not explain {', '.join(empty)}: run tools/docs/errors_md.py .")
    if now != text:
        raise Refused("docs/reference/errors.md is not current: run tools/docs/errors_md.py .")


if __name__ == "__main__":
    try:
        main(pathlib.Path(sys.argv[1]), "--check" in sys.argv[2:])
    except Refused as why:
        sys.exit(str(why))
