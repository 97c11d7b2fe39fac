#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the conformance tests in the client namespace: all, or those whose name contains a word given.

	run.py [--over WAYS] [--beside] [WORD...]
	--over tls,https    over TLS and HTTPS what each test does over TCP; tls4, https6: by one family
	--beside            but for tests that run alone, which change the configuration and wait

Prints "ok" or "not ok" and a name for each, and "N passed, N failed" at the end.
"""
import argparse
import concurrent.futures
import importlib
import pathlib
import socket
import sys
import threading
import time
import traceback

import harness

AT_ONE_TIME = 8
STALL_S = 0.02
TRIES = 5


class Stalls(threading.Thread):
    """Sleeps 5 ms at a time and remembers when that took much longer: then the machine had others to serve."""

    def __init__(self):
        super().__init__(daemon=True)
        self.last = float("-inf")

    def run(self):
        before = time.monotonic()
        while True:
            time.sleep(0.005)
            now = time.monotonic()
            if now - before > 0.005 + STALL_S:
                self.last = now
            before = now


stalls = Stalls()


def run(test, way, alone):
    """(result, text, seconds). That the upstream is not late is what each test builds on. So when one fails while the machine
    stalled it is run again, with names of its own, some times; what is wrong with weir is wrong each time. None as result: the
    machine stalled each time, of which others beside it are a part; to be run alone."""
    began, text = time.monotonic(), ""
    for turn in range(alone * TRIES, alone * TRIES + TRIES):
        begin = time.monotonic()
        try:
            test(harness.Way(*way, number=run.numbers[test.__name__] + turn * 10000))
            return "ok", text, time.monotonic() - began
        except Exception:
            text = traceback.format_exc()
        if stalls.last < begin:
            return "not ok", text, time.monotonic() - began
    return ("not ok" if alone else None), text, time.monotonic() - began


def report(name, result, text, seconds, totals):
    totals[result] += 1
    number = sum(totals.values())
    print(f"{result} {number} - {name}" + (f" ({seconds:.0f} s)" if seconds > 3 else ""), flush=True)
    if text:
        print("".join(f"  | {line}\n" for line in text.strip().splitlines()[-12:]), end="", flush=True)


def ways_over(text):
    """[("dot", AF_INET)] of "tls4"."""
    kinds, families = {"tls": "dot", "https": "doh"}, {"4": [socket.AF_INET], "6": [socket.AF_INET6]}
    ways = []
    for word in text.split(","):
        kind = word.rstrip("46")
        if kind not in kinds or word[len(kind):] not in ("", "4", "6"):
            raise argparse.ArgumentTypeError(f"{word} is none of tls, https, with 4 or 6 behind it or nothing")
        ways += [(kinds[kind], family) for family in families.get(word[len(kind):], [socket.AF_INET, socket.AF_INET6])]
    return ways


def ways_of(ways, over, asked):
    """Of a test, which names its ways in clear text."""
    if not asked:
        return ways
    return [(proto, family) for proto, family in asked if proto in over and ("tcp", family) in ways]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--over", type=ways_over, default=[])
    arguments.add_argument("--beside", action="store_true")
    arguments.add_argument("words", nargs="*")
    given = arguments.parse_args()
    for path in sorted(pathlib.Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(path.stem)
    run.numbers = {test.__name__: i for i, (test, *_) in enumerate(harness.cases)}
    assert len(run.numbers) == len(harness.cases), "two tests of one name"
    chosen = [(test, way, alone) for test, ways, alone, over in harness.cases for way in ways_of(ways, over, given.over)
              if not (alone and given.beside) and (not given.words or any(word in test.__name__ for word in given.words))]
    totals, began = {"ok": 0, "not ok": 0}, time.monotonic()
    stalls.start()

    def name(test, way):
        return f"{test.__name__} {harness.Way(*way, number=0).title}"

    with concurrent.futures.ThreadPoolExecutor(AT_ONE_TIME) as pool:
        beside = [(test, way, pool.submit(run, test, way, False)) for test, way, alone in chosen if not alone]
        left = [(test, way) for test, way, alone in chosen if alone]
        for test, way, future in beside:
            if future.result()[0]:
                report(name(test, way), *future.result(), totals)
            else:
                left.append((test, way))
    for test, way in left:
        report(name(test, way), *run(test, way, True), totals)
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{totals['ok']} passed, {totals['not ok']} failed")
    return 0 if totals["ok"] and not totals["not ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
