#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Asks many names whose address follows from the name, and compares each answer. In the client namespace.

usage: fault_load.py FIRST COUNT LABEL SECONDS [all]
    n<FIRST>-7200.LABEL.test and the COUNT - 1 after it, unanswered ones again after 0.3 s. A wrong answer fails; with
    "all" a missing one as well.
"""
import sys

from wire import SERVICE4, query
from ask_many import ask_all

first, count, label, seconds = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
wrong = failed = 0


def answered(n, reply):
    global wrong, failed
    flags, answers, asked = reply[3], reply[6:8], queries[n][12:]
    if flags & 15 == 2:  # SERVFAIL: nobody to resolve it
        failed += 1
    elif flags & 15 or answers != b"\0\1" or reply[12:12 + len(asked)] != asked or \
            reply[-4:] != bytes([198, 19, n >> 8 & 255, n & 255]):
        wrong += 1
    else:
        return True
    return False


# With a TTL that no slow machine outlives.
queries = {n: query(f"n{n}-7200.{label}.test", ident=n) for n in range(first, first + count)}
missing = ask_all(SERVICE4, queries, answered, seconds, at_a_time=count, again_s=0.3)
print(f"{count - len(missing)} answered, {wrong} wrong, {failed} failed, {len(missing)} missing")
sys.exit(1 if wrong or (sys.argv[5:] and missing) else 0)
