#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Is a text in the private writable memory of a process? Exit status 1: it is not.

usage: memory_find.py PID FILE     the text is the first line of FILE
"""
import pathlib
import sys

wanted = pathlib.Path(sys.argv[2]).read_bytes().split(b"\n")[0]
process, found = pathlib.Path("/proc", sys.argv[1]), 0
assert wanted
with open(process / "mem", "rb", 0) as memory:
    for line in (process / "maps").read_text().splitlines():
        place, rights = line.split()[:2]
        if not rights.startswith("rw") or not rights.endswith("p"):
            continue
        begin, end = (int(x, 16) for x in place.split("-"))
        try:
            memory.seek(begin)
            found += memory.read(end - begin).count(wanted)
        except OSError:
            pass  # a guard page, or gone meanwhile
print(f"{found} times")
sys.exit(found == 0)
