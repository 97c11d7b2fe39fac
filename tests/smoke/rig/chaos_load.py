# SPDX-License-Identifier: BSD-3-Clause
"""Mixed load with an oracle, for tools/chaos: every reply is compared with what chaos_zone.py says.

Runs inside the lab's client namespace, in a thread of its own. Survives the interface's death (a data plane that was
killed takes it along) by binding to the next one.
"""
import bisect
import os
import random
import socket
import struct
import subprocess
import threading
import time
import zlib
from collections import Counter

from chaos_zone import RECORDS, TTL
from wire import IFACE, Port, checksum, name_wire

CACHED, BLOCKED, SHORT = 500, 200, 20
MIX = (("cached", 54), ("blocked", 22), ("short", 8), ("miss", 16))
DEADLINE_S = 2.5  # a stale answer may take 1.8 s
QUEUE = 10000     # frames that wait while the worker has no CPU
# Of tools/leaks, whose control plane does as much less in a second: to warm it up, the square of that leaves it room.
PATIENCE = float(os.environ.get("WEIR_PATIENCE", 1))


def skip_name(msg, at):
    while msg[at]:
        if msg[at] >= 0xC0:
            return at + 2
        at += 1 + msg[at]
    return at + 1


class Question:
    """A name and its frame, all but source port and id. A UDP checksum of 0 saves us computing it."""

    def __init__(self, kind, name, port, client):
        self.kind, self.name = kind, name
        self.body = name_wire(name) + struct.pack("!2H", 28, 1)
        self.crc = zlib.crc32(name.encode())
        length = 8 + 12 + len(self.body)
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0) + socket.inet_aton(client)
        ip += socket.inet_aton("198.18.0.53")
        self.prefix = port.peer + port.mac + b"\x08\0" + ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        self.length = length
        self.forget()

    def forget(self):
        self.serial = 0       # newest seen
        self.seen = ([], [])  # when a newer one was first received, and its serial

    def frame(self, sport, ident):
        return (self.prefix + struct.pack("!4H", sport, 53, self.length, 0)
                + struct.pack("!6H", ident, 0x0100, 1, 0, 0, 0) + self.body)

    def judge(self, msg, sent, received):
        """"ok", "servfail", or what is wrong; and the serial."""
        if msg[12:12 + len(self.body)] != self.body:
            return "another question", 0
        flags, qd, an = struct.unpack("!3H", msg[2:8])
        if qd != 1 or not flags & 0x8000:
            return "header", 0
        rcode = flags & 15
        if self.kind == "blocked":
            return ("ok" if rcode == 3 and an == 0 else f"blocked name got rcode {rcode}, {an} records"), 0
        if rcode == 2 and an == 0:
            return "servfail", 0
        if rcode or an != RECORDS:
            return f"rcode {rcode}, {an} records", 0
        verdict, serial = self.answer_records(msg)
        return verdict or self.place(serial, sent, received), serial

    def place(self, serial, sent, received):
        """A query gets nothing older than what any client had received when it was sent. Replies to queries that were under
        way together come in any order: a query that waited for a new control plane may get the stale answer right after
        a later query got the new one."""
        since, serials = self.seen
        before = bisect.bisect_right(since, sent)
        if before and serial < serials[before - 1]:
            return (f"older than an answer before: serial {serial}, sent {sent:.3f}, received {received:.3f}, after "
                    f"{serials[before - 1]} was received {since[before - 1]:.3f}")
        if serial > self.serial:
            self.serial = serial
            since.append(received)
            serials.append(serial)
        return "ok"

    def answer_records(self, msg):
        """What is wrong, or None; and the serial."""
        at, serials, indices = 12 + len(self.body), set(), set()
        for _ in range(RECORDS):
            at = skip_name(msg, at)
            rtype, rclass, ttl, size = struct.unpack("!HHIH", msg[at:at + 10])
            if (rtype, rclass, size) != (28, 1, 16) or ttl > max(TTL[self.name[0]], 30):
                return f"record of type {rtype}, TTL {ttl}", 0
            head, crc, serial, index = struct.unpack("!6sIIH", msg[at + 10:at + 26])
            if head != b"\xfd\x53\0\0\0\0" or crc != self.crc:
                return "data of another name", 0
            serials.add(serial)
            indices.add(index)
            at += 26
        if len(serials) != 1 or len(indices) != RECORDS:
            return "torn data", 0
        return None, serials.pop()


class Load(threading.Thread):
    def __init__(self, rate, seed):
        super().__init__(daemon=True)
        self.rate, self.random = rate, random.Random(seed)
        self.port = Port()
        self.widen()
        self.stop_at = threading.Event()
        ask = lambda kind, name, n: Question(kind, name, self.port, f"198.18.0.{100 + n % 100}")
        self.ask = ask
        self.pools = {
            "cached": [ask("cached", f"c{n}.cached.test", n) for n in range(CACHED)],
            "blocked": [ask("blocked", f"b{n}.blocked.test", n) for n in range(BLOCKED)],
            "short": [ask("short", f"s{n}.short.test", n) for n in range(SHORT)],
        }
        self.kinds = [kind for kind, share in MIX for _ in range(share)]
        self.waiting = {}        # (sport, ident): question, when; in order of time
        self.sent = Counter()
        self.bad = []            # (when sent, kind, what, name)
        self.lost = []           # (when sent, kind)
        self.good = {"cached": [], "blocked": [], "short": [], "miss": []}  # (when received, question, serial)
        self.pairs = set()       # (name, serial) seen
        self.misses = self.seq = self.reopened = 0
        self.error = None

    @staticmethod
    def widen():
        subprocess.run(["ip", "link", "set", IFACE, "txqueuelen", str(QUEUE)], capture_output=True)

    def reopen(self):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        try:
            sock.bind((IFACE, 0))
            sock.setblocking(False)
            sock.send(self.pools["cached"][0].frame(9, 9))
        except OSError:
            sock.close()
            time.sleep(0.01)
            return
        self.widen()
        self.port.sock.close()
        self.port.sock = sock
        self.reopened += 1

    def miss_name(self, n):
        return f"m{n}.miss.test"

    def pick(self):
        kind = self.random.choice(self.kinds)
        if kind != "miss":
            return self.random.choice(self.pools[kind])
        self.misses += 1
        return self.ask("miss", self.miss_name(self.misses), self.misses)

    def send_one(self, now):
        q = self.pick()
        self.seq += 1
        key = (10000 + (self.seq >> 16) % 50000, self.seq & 0xFFFF)
        self.sent[q.kind] += 1
        self.send(q, key, now)

    def send(self, q, key, now):
        self.waiting[key] = (q, now)
        self.port.sock.send(q.frame(*key))

    def take(self, now):
        for _, dport, msg in self.port.drain():
            self.judge(now, (dport, struct.unpack("!H", msg[:2])[0]), msg)

    def judge(self, now, key, msg):
        """When the question was sent that this is the right answer to, or None."""
        entry = self.waiting.pop(key, None)
        if entry is None:
            return None  # the probe of reopen, or later than the deadline
        q, when = entry
        verdict, serial = q.judge(msg, when, now)
        if verdict != "ok":
            self.bad.append((when, q.kind, verdict, q.name))
            return None
        self.good[q.kind].append((now, q, serial))
        if serial:
            self.pairs.add((q.name, serial))
        return when

    def expire(self, now):
        for key, (q, when) in list(self.waiting.items()):
            if when > now - DEADLINE_S:
                return
            del self.waiting[key]
            self.lost.append((when, q.kind))

    def turn(self, due):
        try:
            for _ in range(due):
                self.send_one(time.monotonic())
            self.take(time.monotonic())
        except AssertionError as error:  # a checksum or length, from Port.reply
            self.bad.append((time.monotonic(), "any", str(error), ""))
        except BlockingIOError:
            pass  # the queue is full: the query counts as lost
        except OSError:
            self.reopen()

    def run(self):
        try:
            begin, sent, swept = time.monotonic(), 0, 0
            while not self.stop_at.is_set():
                now = time.monotonic()
                due = int((now - begin) * self.rate) - sent
                sent += due
                self.turn(min(due, self.rate // 20))  # after a pause no burst
                if now - swept > 0.1:
                    self.expire(now)
                    swept = now
                time.sleep(0.002)
            end = time.monotonic() + DEADLINE_S
            while time.monotonic() < end:
                self.turn(0)
                time.sleep(0.002)
            self.expire(time.monotonic())
        except Exception as error:  # the campaign must not take a dead generator for silence
            self.error = repr(error)
            raise

    def warm(self):
        """Every pooled name once, slowly; all are right."""
        for pool in self.pools.values():
            self.ask_each(pool, 10, 0.005)

    def ask_each(self, pool, burst, pause_s):
        for n, q in enumerate(pool):
            self.send(q, (9000, n), time.monotonic())
            if n % burst == burst - 1:
                time.sleep(pause_s * PATIENCE ** 2)
                self.take(time.monotonic())
        self.settle(20)
        if self.waiting or self.bad:
            raise SystemExit(f"cannot warm up: {len(self.waiting)} unanswered, {self.bad[:3]}")

    def settle(self, seconds):
        """Until all is answered, or that time is over."""
        end = time.monotonic() + seconds
        while self.waiting and time.monotonic() < end:
            self.take(time.monotonic())
            time.sleep(0.002)
