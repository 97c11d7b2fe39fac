#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Asks many names whose address follows from the name, and compares each answer. In the client namespace.

usage: fault_load.py SERVICE FIRST COUNT LABEL SECONDS [all]
    n<FIRST>-7200.LABEL.test and the COUNT - 1 after it, unanswered ones again each 0.3 s. A wrong answer fails; with
    "all" a missing one as well.
"""
import select
import socket
import struct
import sys
import time

service, first, count, label, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], float(sys.argv[5])
need_all = len(sys.argv) > 6


def query(n):
    labels = [f"n{n}-7200", label, "test"]  # with a TTL that no slow machine outlives
    name = b"".join(bytes([len(x)]) + x.encode() for x in labels) + b"\0"
    return struct.pack("!6H", n, 0x0100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1)


sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
open_names, wrong, failed, again = set(range(first, first + count)), 0, 0, 0.0
end = time.monotonic() + seconds
while open_names and time.monotonic() < end:
    if time.monotonic() >= again:
        again = time.monotonic() + 0.3
        for n in sorted(open_names):
            try:
                sock.sendto(query(n), (service, 53))
            except OSError:
                pass  # the port is away with its process
    if not select.select([sock], [], [], 0.05)[0]:
        continue
    try:
        reply, source = sock.recvfrom(4096)
    except OSError:
        continue
    if source != (service, 53) or len(reply) < 12:
        continue
    n, flags, questions, answers = struct.unpack("!4H", reply[:8])
    asked = query(n)[12:]
    if flags & 15 == 2:  # SERVFAIL: nobody to resolve it
        failed += 1
    elif flags & 15 or answers != 1 or reply[12:12 + len(asked)] != asked or \
            reply[-4:] != bytes([198, 19, n >> 8 & 255, n & 255]):
        wrong += 1
    else:
        open_names.discard(n)
print(f"{count - len(open_names)} answered, {wrong} wrong, {failed} failed, {len(open_names)} missing")
sys.exit(1 if wrong or (need_all and open_names) else 0)
