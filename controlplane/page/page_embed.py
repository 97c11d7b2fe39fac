#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the files of the page as a table of C.

usage: page_embed.py OUT FILE...
"""
import pathlib
import sys

TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
         ".LICENSE": "text/plain; charset=utf-8"}


def array(number, data):
    lines = [",".join(map(str, data[i:i + 40])) for i in range(0, len(data), 40)]
    return f"static const unsigned char page_bytes_{number}[] = {{\n" + ",\n".join(lines) + "};\n"


def main():
    out, files = pathlib.Path(sys.argv[1]), [pathlib.Path(f) for f in sys.argv[2:]]
    arrays, rows = [], []
    for i, file in enumerate(files):
        data = file.read_bytes()
        arrays.append(array(i, data))
        rows.append(f'\t{{"/{file.name}", "{TYPES[file.suffix]}", page_bytes_{i}, {len(data)}}},\n')
    out.write_text("".join(arrays) + "static const struct page_file page_files[] = {\n" + "".join(rows) + "};\n")


main()
