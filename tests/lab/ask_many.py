# SPDX-License-Identifier: BSD-3-Clause
"""Asks many questions over one UDP socket until each is answered."""
import collections
import contextlib
import select
import socket
import time


def ask_all(address, queries, answered, seconds, at_a_time=64, again_s=1.0, client=""):
    """Sends the queries (id -> message) from that client's address, so many at a time, and those again that wait for longer than
    `again_s`. answered(id, reply): whether this is the answer. The ids that have none in `seconds`."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((client, 0))
    todo, flight, left, end = collections.deque(queries), {}, set(queries), time.monotonic() + seconds
    while left and (now := time.monotonic()) < end:
        while flight and next(iter(flight.values())) < now - again_s:  # the longest is the first
            ident = next(iter(flight))
            del flight[ident]
            todo.append(ident)
        while todo and len(flight) < at_a_time:
            if (ident := todo.popleft()) in left:
                flight[ident] = now
                with contextlib.suppress(OSError):  # the port is away with its process
                    sock.sendto(queries[ident], (address, 53))
        if not select.select([sock], [], [], 0.05)[0]:
            continue
        with contextlib.suppress(OSError):  # all that has come; an ICMP error
            while True:
                reply, source = sock.recvfrom(65535, socket.MSG_DONTWAIT)
                ident = int.from_bytes(reply[:2], "big")
                if source == (address, 53) and ident in left and answered(ident, reply):
                    left.discard(ident)
                    flight.pop(ident, None)
    return left
