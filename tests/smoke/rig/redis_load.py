# SPDX-License-Identifier: BSD-3-Clause
"""The load of the Redis scenarios: hits, names never asked before, and names that L0 forgets and Redis may know.

chaos_load's oracle judges every reply. The kernel's receive time stamps give each miss's latency, so that our own
waiting for the CPU counts only while we send.
"""
import socket
import struct
import time

from chaos_load import Load, PATIENCE

STAMPS = 35  # SO_TIMESTAMPNS
DEEP = 6000  # names with a long TTL, more than an L0 of 1 MiB keeps beside the others
SHARES = (("cached", 55), ("short", 5), ("deep", 15), ("miss", 25))


class RedisLoad(Load):
    def __init__(self, rate, seed, tag):
        super().__init__(rate, seed)
        self.tag = tag
        self.pools = {"cached": self.pools["cached"], "short": self.pools["short"]}
        self.kinds = [kind for kind, share in SHARES for _ in range(share)]
        self.good["deep"] = []
        self.latency = []  # (when sent, seconds) of each miss, monotonic
        self.deep = [self.ask("deep", f"c{n}.deep-{tag}.test", n) for n in range(DEEP)]
        self.sent_at = {}
        self.stamp()

    def stamp(self):
        self.port.sock.setsockopt(socket.SOL_SOCKET, STAMPS, 1)

    def reopen(self):
        super().reopen()
        self.stamp()

    def miss_name(self, n):
        return f"m{n}.{self.tag}.test"

    def send_one(self, now):
        kind = self.random.choice(self.kinds)
        if kind == "miss":
            self.misses += 1
            q = self.ask("miss", self.miss_name(self.misses), self.misses)
        elif kind == "deep":
            q = self.random.choice(self.deep)
            q.forget()  # of two valid answers Redis may keep the older one when it was away
        else:
            q = self.random.choice(self.pools[kind])
        self.seq += 1
        key = (10000 + (self.seq >> 16) % 50000, self.seq & 0xFFFF)
        self.waiting[key] = (q, now)
        self.sent[kind] += 1
        if kind == "miss":
            self.sent_at[key] = time.time()
        self.port.sock.send(q.frame(*key))

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
            self.judge(now, reply[1], reply[2], seconds + nanos / 1e9)

    def judge(self, now, dport, msg, stamp):
        key = (dport, struct.unpack("!H", msg[:2])[0])
        entry = self.waiting.pop(key, None)
        if entry is None:
            return
        q, when = entry
        sent_at = self.sent_at.pop(key, None)
        verdict, serial = q.judge(msg, when, now)
        if verdict != "ok":
            self.bad.append((when, q.kind, verdict))
            return
        if sent_at is not None:
            self.latency.append((when, max(0, stamp - sent_at)))
        self.good[q.kind].append((now, q, serial))
        self.pairs.add((q.name, serial))

    def between(self, begin, end):
        """Sorted latencies in ms of the misses sent in that time."""
        return sorted(seconds * 1000 for when, seconds in self.latency if begin <= when < end)

    def warm_deep(self):
        """So that Redis knows them."""
        for at in range(0, DEEP, 40):
            for n, q in enumerate(self.deep[at:at + 40]):
                self.waiting[(9001, at + n)] = (q, time.monotonic())
                self.port.sock.send(q.frame(9001, at + n))
            time.sleep(0.01 * PATIENCE ** 2)
            self.take(time.monotonic())
        end = time.monotonic() + 20
        while self.waiting and time.monotonic() < end:
            self.take(time.monotonic())
            time.sleep(0.002)
        return not self.waiting and not self.bad
