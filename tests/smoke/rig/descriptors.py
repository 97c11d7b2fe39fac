#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Does every descriptor of both processes belong to an entry of a table, or to the constants below? In the lab of
descriptors_test.sh, with one worker.

usage: descriptors.py LAB_FOLDER    waits until it is so; else prints the differences and ends with status 1
"""
import collections
import ctypes
import glob
import json
import os
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lab"))
from control import Socket  # noqa: E402

LAB = sys.argv[1]
LOOKS, APART_S = 100, 0.2

FRONTENDS, RESOLVERS = (int(os.environ.get(name, 1)) for name in ("WEIR_FRONTENDS", "WEIR_RESOLVERS"))
HUGE = any(line.split()[2] == "hugetlbfs" for line in open("/proc/self/mounts"))  # then weir has a folder there
CUT_OFF = 2  # /proc/self/maps and the log, opened before a filter forbids it: shm_lost.c
GONGS = 8  # of as many resolvers as there may be (SHM_RESOLVERS_MAX)
TAP_FILES = 3 if glob.glob("/usr/lib/*/librte_eal.so.23") else 2  # of DPDK 22.11, of 24.11
# What is there from the start to the end, whatever the load.
FIXED = {
    "controlplane": {
        "stdin, stdout, stderr": 3,
        "controlplane.lock, log.in-hand, memory.history, audit.log": 4,
        "lock of the folder on huge pages": HUGE,
        "what a region that is cut off needs": CUT_OFF,
        "loops of service, resolvers, frontends: epoll, timer, bell, a pipe for signals": (1 + RESOLVERS + FRONTENDS) * 5,
        "link: listener, connection, end of a helper": 3,
        "bell of the worker, one end; gongs of the resolvers": 1 + RESOLVERS,
        "bells of the rings between frontends and resolvers": FRONTENDS + RESOLVERS,
        "rtnetlink: its changes, its answers": 2,
        "listeners for TCP, IPv4 and IPv6": 2 * FRONTENDS,
        "listener of the control socket": 1,
        "listener of metrics.listen": 1,
    },
    "dataplane": {
        "stdin, stdout, stderr": 3,
        "dataplane.lock": 1,
        "lock of the folder on huge pages": HUGE,
        "what a region that is cut off needs": CUT_OFF,
        "EAL: a pipe, epoll, timer, its memory": 5,
        "lcore of the worker: two pipes": 4,
        "two TAP ports: files of the queues, and two sockets each": 2 * (TAP_FILES + 2),
        "bell of the worker, both ends; gongs": 2 + GONGS,
        "link": 1,
    },
}
curl_version = ctypes.CDLL("libcurl.so.4").curl_version
curl_version.restype = ctypes.c_char_p
# libcurl's own in each of its handles: a pair of sockets, since version 8 an eventfd.
OF_CLIENT = 2 if curl_version().startswith(b"libcurl/7.") else 1


def tables(control):
    control.request("GET", "/mem")
    return json.loads(control.getresponse().read())["tables"]


def kinds(process):
    """What /proc says: kind -> how many."""
    with open(f"{LAB}/{process}.pid") as f:
        folder = f"/proc/{f.read().split()[0]}/fd"
    found = collections.Counter()
    for fd in os.listdir(folder):
        try:
            found[re.sub(r":\[\d+\]$", "", os.readlink(f"{folder}/{fd}"))] += 1
        except FileNotFoundError:
            pass  # it was open for a moment
    return found


def look(control):
    """Process -> (descriptors beyond tables and constants, what is open, what tables hold)."""
    rows, out = tables(control), {}
    for process, fixed in FIXED.items():
        held = {t["name"]: t["descriptors"] + t["files"] for t in rows if t["process"] == process and t["descriptors"] + t["files"]}
        clients = sum(OF_CLIENT * t["used"] for t in rows if t["name"] == "http_clients" and process == "controlplane")
        found = kinds(process)
        out[process] = sum(found.values()) - sum(fixed.values()) - clients - sum(held.values()), found, held
    return out


def main():
    control = Socket("weir")  # it stays open, so that its table has it when the descriptors are counted
    for _ in range(LOOKS):
        seen = look(control)
        if not any(more for more, _, _ in seen.values()):
            print({process: held for process, (_, _, held) in seen.items()})
            return 0
        time.sleep(APART_S)
    for process, (more, found, held) in seen.items():
        print(f"{process}: {more} descriptors beyond the constants and the tables {held}:")
        print("; ".join(f"{n} {kind}" for kind, n in sorted(found.items())))
    return 1


if __name__ == "__main__":
    sys.exit(main())
