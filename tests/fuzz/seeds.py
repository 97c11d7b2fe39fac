#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Inputs of the corpora that are one piece many times.

usage: seeds.py TARGET FOLDER     as FOLDER/seed_TARGET, where TARGET has one
"""
import pathlib
import sys

SEEDS = {
    # A reply of as many elements as need more than is kept once nothing is asked for long.
    "redis_reader": b"*1500\r\n" + 1500 * b":1\r\n",
    # What JSON and metrics have to escape, all over the statistics: changes of 250 bytes each.
    "api": b"\0metrics\0" + b"".join(at.to_bytes(2, "big") + b"\xfa" + 50 * b'\xff\x7f"\n\\' for at in range(4000, 16000, 1000)),
}

target, folder = sys.argv[1:]
if target in SEEDS:
    pathlib.Path(folder, "seed_" + target).write_bytes(SEEDS[target])
