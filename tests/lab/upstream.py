#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A scripted upstream server: it answers by the first label of the name and remembers each query.

In a test: Upstream(5301), whose `queries` are exact. For scripts: upstream.py PORT LOGFILE [ADDRESS] writes a line for each
query: time proto id name type [SUBNET]; while a file LOGFILE.down exists it is silent; LOGFILE.moves has the addresses of `moves`.

A first label is WORD[-TTL]:
  ok     A 198.18.200.1, or that AAAA;      serial  a counter in the address;   n<NUMBER>  A 198.19.x.y from the number
  slow, wait, lag  ok after 1 s, 0.25 s; after 0.3 s over UDP, for a thousand a second
  dead   never;  fail  SERVFAIL;            nx  NXDOMAIN with SOA;              empty  NODATA;   v4  NODATA for AAAA
  tc     TC over UDP, ok over TCP;          big  20 texts;                      huge  60 over TCP, TC over UDP
  lie    first a wrong id and a wrong question, then ok
  near   A 198.18.X.Y: X is the last byte of the client's subnet that came, Y its prefix length; ok without one
  cname_a_b  an alias of a.b with its address;  ip_10_0_0_1  that A;            moves  the addresses in `moves`, no AAAA
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

DELAYS = {"slow": 1, "wait": 0.25}  # each such query has a thread to itself
LAG = 0.3  # these have one together
OWN = b"\xc0\x0c"
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "DS": 43, "DNSKEY": 48, "HTTPS": 65}
Query = collections.namedtuple("Query", "time proto id name type subnet")


def parse(msg):
    """Labels, type and the bytes of the question."""
    labels, at = [], 12
    while msg[at]:
        labels.append("".join(chr(c) if 32 < c < 127 else "?" for c in msg[at + 1:at + 1 + msg[at]]))
        at += 1 + msg[at]
    return labels, struct.unpack("!H", msg[at + 1:at + 3])[0], msg[12:at + 5]


def subnet_of(msg, question):
    """(family, source prefix length, address bytes) of the query's option, or None."""
    at = 12 + len(question) + 11
    while struct.unpack("!H", msg[10:12])[0] and at + 4 <= len(msg):
        code, size = struct.unpack("!HH", msg[at:at + 4])
        if code == 8:
            family, source, _ = struct.unpack("!HBB", msg[at + 4:at + 8])
            return family, source, msg[at + 8:at + 4 + size]
        at += 4 + size
    return None


def subnet_text(found):
    family, source, data = found
    kind, size = ((socket.AF_INET, 4), (socket.AF_INET6, 16))[family - 1]
    return f"{socket.inet_ntop(kind, data.ljust(size, bytes(1)))}/{source}"


def with_scope(out, found, scope):
    family, source, data = found
    option = struct.pack("!HHHBB", 8, 4 + len(data), family, source, scope) + data
    return out[:10] + struct.pack("!H", 1) + out[12:] + b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(option)) + option


def reply(msg, question, rcode=0, answers=(), authority=(), flags=0x8180):
    head = struct.pack("!2s5H", msg[:2], flags | rcode, 1, len(answers), len(authority), 0)
    return head + question + b"".join(answers) + b"".join(authority)


def rr(owner, rtype, ttl, rdata):
    return owner + struct.pack("!HHIH", rtype, 1, ttl, len(rdata)) + rdata


class Upstream:
    """Listens once it is made. `down`: it is silent. `inside`: a context in which the sockets are opened."""

    threads = "serve_tcp", "serve_lagging", "serve_udp"

    def __init__(self, port, address="127.0.0.1", inside=contextlib.nullcontext):
        self.address, self.queries, self.serial, self.moves, self.down = f"{address}:{port}", [], 0, [], False
        self.lock, self.lagging, self.kept = threading.Lock(), queue.SimpleQueue(), None
        with inside():
            self.tcp = socket.create_server((address, port))
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self.udp.bind((address, port))
        for work in self.threads:
            threading.Thread(target=getattr(self, work), daemon=True).start()

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
    def remember(self, proto, msg):
        labels, qtype, question = parse(msg)
        found = subnet_of(msg, question)
        self.queries.append(Query(time.monotonic(), proto, struct.unpack("!H", msg[:2])[0], ".".join(labels), qtype,
                                  subnet_text(found) if found else ""))

    def answer(self, msg, proto):
        """The replies, after the word's delay."""
        labels, qtype, question = parse(msg)
        word, _, ttl = labels[0].lower().partition("-") if labels else ("ok", "", "")
        if word == "dead" or self.down:
            return []
        time.sleep(DELAYS.get(word, 0))
        found = subnet_of(msg, question)
        out = self.answer_of(msg, question, qtype, proto, found, word, int(ttl) if ttl.isdigit() else 300)
        return [with_scope(one, found, found[1] if word == "near" else 0) for one in out] if found else out

    def answer_of(self, msg, question, qtype, proto, found, word, ttl):
        soa = rr(OWN, 6, 60, b"\0\0" + struct.pack("!5I", 1, 3600, 900, 604800, 60))
        if word == "fail":
            return [reply(msg, question, 2)]
        if word == "nx":
            return [reply(msg, question, 3, authority=[soa])]
        if word in ("tc", "huge") and proto == "udp":
            return [reply(msg, question, flags=0x8380)]
        if word == "moves" and qtype == 1:
            return [reply(msg, question, answers=[rr(OWN, 1, ttl, socket.inet_aton(a)) for a in self.moves])]
        if word in ("empty", "moves") or (word == "v4" and qtype == 28) or qtype not in (1, 16, 28):
            return [reply(msg, question, authority=[soa])]
        if qtype == 16 or word == "big":
            text = [rr(OWN, 16, ttl, bytes([200]) + b"x" * 199 + bytes([65 + i])) for i in range(60)]
            return [reply(msg, question, answers=text[:{"big": 20, "huge": 60}.get(word, 1)])]
        rdata = self.address_of(word, found)
        if qtype == 28:
            rdata = bytes.fromhex("fd53") + b"\0" * 12 + rdata[2:]
        good = reply(msg, question, answers=[rr(OWN, qtype, ttl, rdata)])
        if word.startswith("cname_"):
            target = b"".join(bytes([len(part)]) + part.encode() for part in word.split("_")[1:]) + b"\0"
            good = reply(msg, question, answers=[rr(OWN, 5, ttl, target), rr(target, qtype, ttl, rdata)])
        if word == "lie":
            wrong_id = struct.pack("!H", struct.unpack("!H", msg[:2])[0] ^ 1) + good[2:]
            return [good[:12] + b"\x04evil" + good[12 + 5:], wrong_id, good]
        return [good]

    def address_of(self, word, found):
        if word == "serial":
            self.serial += 1
            return bytes([198, 18, self.serial >> 8 & 255, self.serial & 255])
        if word == "near" and found:
            return bytes([198, 18, found[2][-1] if found[2] else 0, found[1]])
        if word[:1] == "n" and word[1:].isdigit():
            return bytes([198, 19, int(word[1:]) >> 8 & 255, int(word[1:]) & 255])
        if word.startswith("ip_"):
            return bytes(int(byte) for byte in word.split("_")[1:])
        return bytes([198, 18, 200, 1])

    # How it serves.
    def send_udp(self, msg, peer):
        for out in self.answer(msg, "udp"):
            with contextlib.suppress(OSError):  # the interface is away with its data plane
                self.udp.sendto(out, peer)

    def serve_udp(self):
        while True:
            select.select([self.udp], [], [])
            with self.lock:
                msg, peer = self.udp.recvfrom(65535)
                self.remember("udp", msg)
                if self.kept is not None:
                    self.kept.append(lambda msg=msg, peer=peer: self.send_udp(msg, peer))
                    continue
            if msg[13:17].lower() in (b"slow", b"wait"):
                threading.Thread(target=self.send_udp, args=(msg, peer), daemon=True).start()
            elif msg[13:17].lower() == b"lag-":
                self.lagging.put((time.monotonic() + LAG, msg, peer))
            else:
                self.send_udp(msg, peer)

    def serve_lagging(self):
        while True:
            due, msg, peer = self.lagging.get()
            time.sleep(max(due - time.monotonic(), 0))
            self.send_udp(msg, peer)

    def serve_tcp(self):
        while True:
            conn, _ = self.tcp.accept()
            conn.settimeout(3)
            with conn, contextlib.suppress(OSError, struct.error):
                msg = conn.recv(struct.unpack("!H", conn.recv(2, socket.MSG_WAITALL))[0], socket.MSG_WAITALL)
                self.remember("tcp", msg)
                for out in self.answer(msg, "tcp"):
                    conn.sendall(struct.pack("!H", len(out)) + out)


class Logged(Upstream):
    """One that scripts start: it writes down each query, and files say what it does. When its main thread sleeps, all that
    came over UDP is written down."""

    threads = "serve_tcp", "serve_lagging"

    def __init__(self, port, log, *address):
        self.log, self.path = open(log, "a", buffering=1), log
        super().__init__(port, *address)

    def remember(self, proto, msg):
        super().remember(proto, msg)
        q = self.queries.pop()
        self.log.write(f"{q.time:.6f} {proto} {q.id} {q.name} {q.type} {q.subnet}".rstrip() + "\n")

    def answer(self, msg, proto):
        self.down = os.path.exists(self.path + ".down")
        if msg[13:18].lower() == b"moves":
            with open(self.path + ".moves") as file:
                self.moves = file.read().split()
        return super().answer(msg, proto)


if __name__ == "__main__":
    Logged(int(sys.argv[1]), *sys.argv[2:]).serve_udp()
