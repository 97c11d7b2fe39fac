#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Damages the file of a region, in memory as a process would: hugetlbfs knows no write(2).

usage: damage.py OFFSET HEX FILE       the bytes HEX at OFFSET
       damage.py OFFSET noise FILE     random bytes from OFFSET to the end
       damage.py SIZE cut FILE         cut off at SIZE, rounded down to whole pages on hugetlbfs
"""
import mmap
import os
import subprocess
import sys

at, what, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
kind = subprocess.run(["stat", "-f", "-c", "%T", path], check=True, capture_output=True, text=True).stdout.strip()
if what == "cut":
    page = os.statvfs(path).f_bsize if kind == "hugetlbfs" else 1
    os.truncate(path, at // page * page)
    sys.exit()
with open(path, "r+b") as file:
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        sys.exit(f"{path}: empty")
    with mmap.mmap(file.fileno(), size) as region:
        new = os.urandom(size - at) if what == "noise" else bytes.fromhex(what)
        region[at:at + len(new)] = new
