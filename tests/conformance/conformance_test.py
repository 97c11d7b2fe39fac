#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the RFCs ask, test by test, of the real binaries in one start, with two frontends: all tests, or those whose name contains
a word given.

	conformance_test.py [--over WAYS] [--beside] [WORD...]
	--over tls,https    over TLS and HTTPS what each test does over TCP; tls4, https6: by one family
	--beside            but for tests that run alone, which change the configuration and wait

Others: WEIR_FRONTENDS=1 WEIR_RESOLVERS=2. Prints "ok" or "not ok" and a name for each, and "N passed, N failed" at the end.
"""
import argparse
import concurrent.futures
import importlib
import pathlib
import socket
import subprocess
import sys
import time
import traceback

import harness
from ask import client_namespace
from lab import LOGS, TMP, Lab
from run import enter_namespaces
from wait import becomes, stalls, wait

AT_ONE_TIME = 8
TRIES = 5
HERE = pathlib.Path(__file__).resolve().parent


def run(test, way, alone):
    """(result, text, seconds). That the upstream is not late is what each test builds on. So when one fails while the machine
    stalled it is run again, with names of its own, some times; what is wrong with weir is wrong each time. None as result: the
    machine stalled each time, of which others beside it are a part; to be run alone."""
    began, text = time.monotonic(), ""
    for turn in range(alone * TRIES, alone * TRIES + TRIES):
        begin = time.monotonic()
        try:
            with client_namespace():
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


def start_lab(encrypted):
    for program, port, log in (("authority.py", 5301, "authority.log"), ("upstream_zoo.py", 5302, "zoo.log")):
        subprocess.Popen([sys.executable, "-B", HERE / program, str(port), TMP / log])
    for port in (5301, 5308):
        wait(lambda port=port: socket.create_connection(("127.0.0.1", port)).close() is None, f"nobody listens on port {port}")
    for name, value in (("tcp_fastopen", "3"), ("ip_local_reserved_ports", "1024-9999,60000")):
        pathlib.Path("/proc/sys/net/ipv4", name).write_text(value)  # of weir's namespace
    lab = Lab(lists={"blocked.list": "blocked.example\n"}, upstreams=0,
              options=["--upstream", "127.0.0.1:5301", *(["--dot"] if encrypted else [])]).up()
    with harness.CONFIG.open("a") as file:
        file.write("doh: {enabled: true}\n" if encrypted else "")
    harness.configure_lab()
    lab.activate("config/reload", keep=1)
    return lab


def pids():
    return {path.name: path.read_text() for path in LOGS.glob("*.pid")}


def check_lab(lab, before):
    """What holds at the end of all tests."""
    assert pids() == before, f"a process has ended: {before} before, now {pids()}"
    lab.check_verdicts()
    becomes(0, lambda: sum(worker["mbuf_breaches"] for worker in lab.stats()["workers"]))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--over", type=ways_over, default=[])
    arguments.add_argument("--beside", action="store_true")
    arguments.add_argument("words", nargs="*")
    given = arguments.parse_args()
    enter_namespaces()
    lab = start_lab(given.over)
    before = pids()
    for path in sorted(HERE.glob("test_*.py")):
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
    try:
        check_lab(lab, before)
    except AssertionError as problem:
        report("the lab is as before", "not ok", str(problem), 0, totals)
    if totals["not ok"]:
        print("--- logs", *(line for log in LOGS.glob("*.log") for line in log.read_text(errors="replace").splitlines()[-20:]), sep="\n")
    lab.down()
    print(f"{time.monotonic() - began:.0f} s")
    print(f"{totals['ok']} passed, {totals['not ok']} failed")
    return 0 if totals["ok"] and not totals["not ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
