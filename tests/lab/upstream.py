#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A scripted upstream server: it answers by the first label of the name and remembers each query.

In a test: Upstream(5301), whose `queries` are exact. For scripts: upstream.py PORT LOGFILE [ADDRESS [OK]] writes a line for each
query: time proto id name type [SUBNET]; while a file LOGFILE.down exists it is silent; LOGFILE.moves has the addresses of `moves`.

A first label is WORD[-TTL]:
  ok     A 198.18.200.1 (OK), or that AAAA;      serial  a counter in the address;   n<NUMBER>  A 198.19.x.y from the number
  slow, wait, lag  ok after 1 s, 0.25 s; after 0.3 s over UDP, for a thousand a second
  dead   never;  fail  SERVFAIL;            nx  NXDOMAIN with SOA;              empty  NODATA;   v4  NODATA for AAAA
  tc     TC over UDP, ok over TCP;          big  20 texts;                      huge  60 over TCP, TC over UDP
  lie    first a wrong id and a wrong question, then ok
  near   A 198.18.X.Y: X is the last byte of the client's subnet that came, Y its prefix length; ok without one
  cname_a_b  an alias of a.b with its address;  ip_10_0_0_1  that A;            moves  the addresses in `moves`, no AAAA
  svc    of type HTTPS a record with alpn, ipv4hint and ech; else ok
SUBNET is that of the query (RFC 7871), as 198.18.0.0/24. Replies to such queries have the scope /SOURCE for near, /0 for others.
"""
import collections
import contextlib
import os
import queue
import select
import socket
import struct
import sys
import threading
import time

from dnswire import OWN, name_wire, opt, option, record, soa
from scripted import Server

DELAYS = {"slow": 1, "wait": 0.25}  # each such query has a thread to itself
LAG = 0.3  # these have one together
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "DS": 43, "DNSKEY": 48, "HTTPS": 65}
SUBNET = 8
SERVICE = bytes.fromhex("0001 00 0001 0003 026832 0004 0004 c612c801 0005 0003 616263")  # RFC 9460 2.2
Asked = collections.namedtuple("Asked", "time proto id name type subnet")


def subnet_of(q):
    """(family, source prefix length, address bytes) of the query's option, or None."""
    data = q.option(SUBNET)
    return data and (*struct.unpack("!HB", data[:3]), data[4:])


def subnet_text(found):
    family, source, data = found
    kind, size = ((socket.AF_INET, 4), (socket.AF_INET6, 16))[family - 1]
    return f"{socket.inet_ntop(kind, data.ljust(size, bytes(1)))}/{source}"


def with_scope(out, found, scope):
    family, source, data = found
    return out[:10] + b"\0\1" + out[12:] + opt(options=option(SUBNET, struct.pack("!HBB", family, source, scope) + data))


class Upstream(Server):
    """`down`: it is silent. `ok`: what most names have."""

    ok, lasting, threads = bytes([198, 18, 200, 1]), False, ("serve_tcp", "serve_lagging", "serve_udp")

    def __init__(self, port, address="127.0.0.1", inside=contextlib.nullcontext):
        super().__init__(port, address, inside)
        self.address, self.queries, self.serial, self.moves, self.down = f"{address}:{port}", [], 0, [], False
        self.lock, self.lagging, self.kept = threading.Lock(), queue.SimpleQueue(), None
        self.start()

    # What a test asks.
    def all(self):
        """The queries so far, once all that came are among them: a query that weir repeated may wait here behind its answer."""
        while True:
            with self.lock:
                if not select.select([self.udp], [], [], 0)[0]:
                    return list(self.queries)
            time.sleep(0.001)

    def asked(self, name, rdtype="A"):
        """How many times."""
        return sum(q.name.lower() == name.lower() and q.type == TYPES[rdtype] for q in self.all())

    @contextlib.contextmanager
    def silent(self):
        """It answers nothing meanwhile."""
        self.down = True
        try:
            yield
        finally:
            self.down = False

    @contextlib.contextmanager
    def held(self):
        """Queries wait meanwhile, and are answered at the end; a list of them."""
        self.kept = []
        try:
            yield self.kept
        finally:
            kept, self.kept = self.kept, None
            for send in kept:
                send()

    # What it answers.
    def remember(self, q):
        name, found = "".join(c if " " < c < "\x7f" else "?" for c in ".".join(q.labels)), subnet_of(q)
        self.queries.append(Asked(time.monotonic(), q.proto, q.id, name, q.type, subnet_text(found) if found else ""))

    def answer(self, q):
        """The replies, after the word's delay."""
        if q.word == "dead" or self.down:
            return []
        time.sleep(DELAYS.get(q.word, 0))
        found, out = subnet_of(q), self.answer_of(q)
        return [with_scope(one, found, found[1] if q.word == "near" else 0) for one in out] if found else out

    def answer_of(self, q):
        word, ttl, no_data = q.word or "ok", q.number(300), {"counts": (1, 0, 1, 0)}
        if word == "fail":
            return [q.reply(flags=0x8182)]
        if word == "nx":
            return [q.reply(soa(OWN), flags=0x8183, **no_data)]
        if word in ("tc", "huge") and q.proto == "udp":
            return [q.truncated()]
        if word == "moves" and q.type == 1:
            return [q.reply(*(q.address(socket.inet_aton(a), ttl) for a in self.moves))]
        if word == "svc" and q.type == 65:
            return [q.reply(record(OWN, 65, ttl, SERVICE))]
        if word in ("empty", "moves") or (word == "v4" and q.type == 28) or q.type not in (1, 16, 28):
            return [q.reply(soa(OWN), **no_data)]
        if q.type == 16 or word == "big":
            text = [record(OWN, 16, ttl, bytes([200]) + b"x" * 199 + bytes([65 + i])) for i in range(60)]
            return [q.reply(*text[:{"big": 20, "huge": 60}.get(word, 1)])]
        rdata = self.address_of(word, subnet_of(q))
        if q.type == 28:
            rdata = bytes.fromhex("fd53") + b"\0" * 12 + rdata[2:]
        good = q.reply(record(OWN, q.type, ttl, rdata))
        if word.startswith("cname_"):
            target = name_wire(word.removeprefix("cname_").replace("_", "."))
            good = q.reply(record(OWN, 5, ttl, target), record(target, q.type, ttl, rdata))
        if word == "lie":
            return [good[:12] + b"\x04evil" + good[12 + 5:], struct.pack("!H", q.id ^ 1) + good[2:], good]
        return [good]

    def address_of(self, word, found):
        if word == "serial":
            self.serial += 1
            return bytes([198, 18, self.serial >> 8 & 255, self.serial & 255])
        if word == "near" and found:
            return bytes([198, 18, found[2][-1] if found[2] else 0, found[1]])
        if word[:1] == "n" and word[1:].isdecimal():
            return bytes([198, 19, int(word[1:]) >> 8 & 255, int(word[1:]) & 255])
        if word.startswith("ip_"):
            return bytes(int(byte) for byte in word.split("_")[1:])
        return self.ok

    # How it serves.
    def forks(self, q):
        return q.proto == "udp" and q.word in DELAYS

    def serve_udp(self):
        while True:
            select.select([self.udp], [], [])
            with self.lock:
                wire, peer = self.udp.recvfrom(65535)
                q = self.heard(wire, peer)
                if not q:
                    continue

                def perform(q=q, peer=peer):
                    self.perform(q, lambda item: self.send_udp(item, peer))
                if self.kept is not None:
                    self.kept.append(perform)
                    continue
            if q.word == "lag":
                self.lagging.put((time.monotonic() + LAG, perform))
            else:
                perform()

    def serve_lagging(self):
        while True:
            due, perform = self.lagging.get()
            time.sleep(max(due - time.monotonic(), 0))
            perform()


class Logged(Upstream):
    """One that scripts start: it writes down each query, and files say what it does. When its main thread sleeps, all that
    came over UDP is written down."""

    threads = "serve_tcp", "serve_lagging"

    def __init__(self, port, log, *address):
        self.log, self.path = open(log, "a", buffering=1), log
        super().__init__(port, *address)

    def remember(self, q):
        super().remember(q)
        one = self.queries.pop()
        self.log.write(f"{one.time:.6f} {one.proto} {one.id} {one.name} {one.type} {one.subnet}".rstrip() + "\n")

    def answer(self, q):
        self.down = os.path.exists(self.path + ".down")
        if q.word == "moves":
            with open(self.path + ".moves") as file:
                self.moves = file.read().split()
        return super().answer(q)


if __name__ == "__main__":
    server = Logged(int(sys.argv[1]), *sys.argv[2:4])
    server.ok = socket.inet_aton((sys.argv[4:] or ["198.18.200.1"])[0])
    server.serve_udp()
