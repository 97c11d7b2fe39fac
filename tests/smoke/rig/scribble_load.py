#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Light load beside a scribbler, every reply taken apart: well-formed or absent.

usage: scribble_load.py MODE SECONDS RATE [SEED]
  run   cached, blocked and new names at RATE a second, until SECONDS are over or standard input ends; JSON at the end
  ask   each kind once more, each must be right within SECONDS

Runs in the lab's client namespace, over sockets of the kernel, which drops what has a wrong checksum.
"""
import json
import random
import select
import socket
import struct
import sys
import time
from collections import Counter

from wire import SERVICE4, SERVICE6, query

CACHED, BLOCKED = 200, 50
MAX_POINTERS = 64


def wanted(n):
    return bytes([198, 19, n >> 8 & 255, n & 255])


def read_name(msg, at):
    """The labels and where the name ends; ValueError if it is none."""
    labels, end, hops, size = [], None, 0, 1
    while True:
        if at >= len(msg):
            raise ValueError("name beyond the end")
        n = msg[at]
        if n >= 0xC0:
            if at + 1 >= len(msg):
                raise ValueError("pointer beyond the end")
            to = (n & 0x3F) << 8 | msg[at + 1]
            hops += 1
            if to >= at or hops > MAX_POINTERS:
                raise ValueError("pointer that does not lead back")
            end = at + 2 if end is None else end
            at = to
        elif n & 0xC0:
            raise ValueError("label type")
        elif n == 0:
            return labels, at + 1 if end is None else end
        else:
            size += n + 1
            if at + 1 + n > len(msg) or size > 255:
                raise ValueError("label beyond the end")
            labels.append(msg[at + 1:at + 1 + n])
            at += 1 + n


def parse(msg):
    """Flags, questions, records by section; ValueError if it is not well-formed DNS."""
    if len(msg) < 12:
        raise ValueError("short")
    _, flags, *counts = struct.unpack("!6H", msg[:12])
    at, questions, records = 12, [], []
    for _ in range(counts[0]):
        name, at = read_name(msg, at)
        if at + 4 > len(msg):
            raise ValueError("question beyond the end")
        questions.append((name, *struct.unpack("!2H", msg[at:at + 4])))
        at += 4
    for section in range(1, 4):
        for _ in range(counts[section]):
            name, at = read_name(msg, at)
            if at + 10 > len(msg):
                raise ValueError("record beyond the end")
            rtype, rclass, ttl, size = struct.unpack("!HHIH", msg[at:at + 10])
            at += 10
            if at + size > len(msg):
                raise ValueError("data beyond the end")
            if rtype == 1 and rclass == 1 and size != 4:
                raise ValueError("A of another size")
            records.append((section, name, rtype, ttl, msg[at:at + size]))
            at += size
    if at != len(msg):
        raise ValueError("bytes behind the end")
    return flags, questions, records


class Load:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.socks = []
        for family, address in ((socket.AF_INET, SERVICE4), (socket.AF_INET6, SERVICE6)):
            for _ in range(4):
                s = socket.socket(family, socket.SOCK_DGRAM)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
                s.connect((address, 53))
                s.setblocking(False)
                self.socks.append(s)
        self.waiting, self.ident, self.new = {}, 0, 10000
        self.count, self.odd = Counter(), Counter()

    def ask(self, kind, n):
        sock = self.random.choice(self.socks)
        self.ident = (self.ident + 1) & 0xFFFF
        name = f"b{n}.blocked.test" if kind == "blocked" else f"n{n}.{kind}.test"
        msg = query(name, 1, self.ident, edns=self.random.choice((None, 1232)))
        try:
            sock.send(msg)
        except OSError as e:
            self.count[f"not sent: {e.errno}"] += 1
            return
        self.waiting[sock, self.ident] = (kind, n, name.lower().encode().split(b"."))
        self.count["sent"] += 1
        if len(self.waiting) > 30000:
            self.waiting.clear()

    def judge(self, sock, msg):
        """What the reply is: right, wrong, servfail, malformed, unasked, or misnamed: to another question than that of its
        id, which every client drops."""
        try:
            flags, questions, records = parse(msg)
        except ValueError as e:
            self.odd[str(e)] += 1
            return "malformed", None
        if not flags & 0x8000 or len(questions) != 1:
            self.odd["header"] += 1
            return "malformed", None
        asked = self.waiting.pop((sock, struct.unpack("!H", msg[:2])[0]), None)
        if asked is None:
            return "unasked", None
        kind, n, name = asked
        rcode, answers = flags & 15, [r for r in records if r[0] == 1]
        if rcode == 2:
            return "servfail", kind
        if questions[0] != (name, 1, 1):
            return "misnamed", kind
        if kind == "blocked":
            return ("right" if rcode == 3 and not answers else "wrong"), kind
        good = rcode == 0 and len(answers) == 1 and answers[0][2] == 1 and answers[0][4] == wanted(n)
        return ("right" if good else "wrong"), kind

    def receive(self, until):
        while (left := until - time.monotonic()) > 0:
            for sock in select.select(self.socks, [], [], left)[0]:
                for _ in range(64):
                    try:
                        what, kind = self.judge(sock, sock.recv(65535))
                    except BlockingIOError:
                        break
                    except OSError as e: # an ICMP error of a data plane that was restarted
                        self.count[f"socket: {e.errno}"] += 1
                        break
                    self.count[what] += 1
                    if kind:
                        self.count[f"{kind}_{what}"] += 1

    def one(self):
        draw = self.random.random()
        if draw < 0.5:
            self.ask("cached", self.random.randrange(CACHED))
        elif draw < 0.7:
            self.ask("blocked", self.random.randrange(BLOCKED))
        else:
            self.new = (self.new + 1) % 65536
            self.ask("new", self.new)


def run(load, seconds, rate):
    end, due = time.monotonic() + seconds, time.monotonic()
    while (now := time.monotonic()) < end:
        if select.select([sys.stdin], [], [], 0)[0] and not sys.stdin.readline():
            break
        while due <= now:
            load.one()
            due += 1 / rate
        load.receive(due)
    load.receive(time.monotonic() + 2)
    print(json.dumps(load.count | {"odd": load.odd}))


def ask(load, seconds, rate):
    left = {("cached", n) for n in range(CACHED)} | {("blocked", n) for n in range(BLOCKED)}
    left |= {("new", n) for n in range(50000 + rate, 50100 + rate)}
    end = time.monotonic() + seconds
    while left and time.monotonic() < end:
        for kind, n in list(left):
            before = load.count[f"{kind}_right"]
            load.ask(kind, n)
            load.receive(time.monotonic() + 0.002)
            if load.count[f"{kind}_right"] > before and not load.waiting:
                left.discard((kind, n))
            elif load.waiting:
                load.receive(time.monotonic() + 0.05)
                if load.count[f"{kind}_right"] > before and not load.waiting:
                    left.discard((kind, n))
            load.waiting.clear()
    print(json.dumps(load.count | {"odd": load.odd, "left": sorted(left)[:10]}))
    return not left


mode, seconds, rate = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
load = Load(int(sys.argv[4]) if len(sys.argv) > 4 else 1)
if mode == "run":
    run(load, seconds, rate)
else:
    sys.exit(not ask(load, seconds, rate))
