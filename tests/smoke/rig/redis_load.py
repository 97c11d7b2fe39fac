# SPDX-License-Identifier: BSD-3-Clause
"""The load of the Redis scenarios: hits, names never asked before, and names that L0 forgets and Redis may know.

chaos_load's oracle judges every reply. The kernel's receive time stamps give each miss's latency, so that our own
waiting for the CPU counts only while we send.
"""
import socket
import struct
import time

from chaos_load import Load

STAMPS = 35  # SO_TIMESTAMPNS
DEEP = 6000  # names with a long TTL, more than an L0 of 1 MiB keeps beside the others
SHARES = (("cached", 55), ("short", 5), ("deep", 15), ("miss", 25))


class RedisLoad(Load):
    def __init__(self, rate, seed, tag):
        super().__init__(rate, seed)
        self.tag = tag
        del self.pools["blocked"]
        self.kinds = [kind for kind, share in SHARES for _ in range(share)]
        self.good["deep"] = []
        self.latency = []  # (when sent, seconds) of each miss, monotonic
        self.sent_at = {}
        self.stamp()

    def stamp(self):
        self.port.sock.setsockopt(socket.SOL_SOCKET, STAMPS, 1)

    def reopen(self):
        super().reopen()
        self.stamp()

    def miss_name(self, n):
        return f"m{n}.{self.tag}.test"

    def pick(self):
        q = super().pick()
        if q.kind == "deep":
            q.forget()  # of two valid answers Redis may keep the older one when it was away
        return q

    def send(self, q, key, now):
        if q.kind == "miss":
            self.sent_at[key] = time.time()
        super().send(q, key, now)

    def take(self, now):
        while True:
            try:
                frame, controls, _, where = self.port.sock.recvmsg(2048, 64)
            except BlockingIOError:
                return
            reply = None if where[2] == socket.PACKET_OUTGOING else self.port.reply(frame)
            if not reply:
                continue
            seconds, nanos = struct.unpack("qq", controls[0][2][:16])
            key = (reply[1], struct.unpack("!H", reply[2][:2])[0])
            sent_at, when = self.sent_at.pop(key, None), self.judge(now, key, reply[2])
            if sent_at is not None and when is not None:
                self.latency.append((when, max(0, seconds + nanos / 1e9 - sent_at)))

    def between(self, begin, end):
        """Sorted latencies in ms of the misses sent in that time."""
        return sorted(seconds * 1000 for when, seconds in self.latency if begin <= when < end)

    def warm_deep(self):
        """So that Redis knows them."""
        self.pools["deep"] = [self.ask("deep", f"c{n}.deep-{self.tag}.test", n) for n in range(DEEP)]
        self.ask_each(self.pools["deep"], 40, 0.01)
