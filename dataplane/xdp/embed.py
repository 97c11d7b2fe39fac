#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A file as the initialiser of a C array of bytes.

usage: embed.py FILE HEADER
"""
import pathlib
import sys

data = pathlib.Path(sys.argv[1]).read_bytes()
rows = [data[i:i + 16] for i in range(0, len(data), 16)]
pathlib.Path(sys.argv[2]).write_text("".join(", ".join(map(str, row)) + ",\n" for row in rows))
