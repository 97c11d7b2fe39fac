#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What floods_load.py and garbage_load.py send too much of: each kind makes one frame after the other."""
import random
import struct

from wire import name_wire, query, tcp4, udp4, udp6

HOT = 50  # names that are cached
rng = random.Random()
# So long that a miss takes five units of its ring, which then holds 6,553.
LONG = f"{'p' * 62}.{'q' * 62}"
OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
# Where the frames of a flood come from and what is answered goes to: another station, as a router is, and not the client's kernel. To
# that each answer was one for an address that it has no route to, and it wrote an ICMPv6 error to us in the worker's own write.
STRANGER = bytes.fromhex("0200c6120003")


def heads(port, payload):
    """What stands before such a message from each of 4,096 clients, IPv4 without a UDP checksum."""
    return [udp4(STRANGER, port.peer, f"198.18.{64 + i // 64}.{i % 64}", 1024 + i, payload)[:40] + b"\0\0" for i in range(4096)]


def add(total, more):
    """A sum of the Internet checksum with the 16-bit words of a number more."""
    while more:
        total += more & 65535
        more >>= 16
    while total >> 16:
        total = (total & 65535) + (total >> 16)
    return total


class Torture:
    """New names below one zone, IPv4 without a UDP checksum, some thousand clients."""

    def __init__(self, port, below="victim.test", word="dead"):
        self.prepare(port, bytes([len(f"{word}-{0:012x}")]) + word.encode() + b"-", below)

    def prepare(self, port, first, below):
        """Questions whose names are `first`, twelve hexadecimal digits, and what they are below."""
        self.before = struct.pack("!5H", 0x0100, 1, 0, 0, 1) + first
        self.tail = name_wire(below) + b"\0\1\0\1" + OPT
        self.heads = heads(port, bytes(2) + self.before + bytes(12) + self.tail)
        self.count = 0

    def digits(self):
        return rng.getrandbits(48)

    def frame(self):
        self.count += 1
        return b"%b%b%b%012x%b" % (self.heads[self.count & 4095], struct.pack("!H", self.count & 65535), self.before,
                                   self.digits(), self.tail)


class Domains(Torture):
    """New names, each below a domain of its own and with long labels, from the same clients."""

    def __init__(self, port):
        self.prepare(port, b"\4dead" + name_wire(LONG)[:-1] + b"\x0dd", "com")


class Clients(Torture):
    """Names without an answer, each below a domain of its own and with queries from CLIENTS clients, fewer than a worker's limit."""
    CLIENTS = 200

    def __init__(self, port):
        self.prepare(port, b"\4dead\x0da", "net")

    def digits(self):
        if self.count % self.CLIENTS == 1:
            self.name = rng.getrandbits(48)
        return self.name


class Spoofed:
    """Cached names and new ones, each query from an IPv6 address, and a /64, of its own."""

    def __init__(self, port):
        frames = [udp6(STRANGER, port.peer, "fd53::", 5353, query(f"ok-3000.hot{i}.test", ident=i)) for i in range(HOT)]
        frames += [udp6(STRANGER, port.peer, "fd53::", 5353, query(f"dead.z{i}.test", ident=i)) for i in range(HOT)]
        self.frames = [(f[:28], f[38:60], ~struct.unpack("!H", f[60:62])[0] & 65535, f[62:]) for f in frames]
        self.count = 0

    def frame(self):
        self.count += 1
        before, between, total, rest = self.frames[self.count % len(self.frames)]
        address = rng.getrandbits(80)
        total = ~add(total, address) & 65535 or 65535
        return b"%b%b%b%b%b" % (before, address.to_bytes(10, "big"), between, total.to_bytes(2, "big"), rest)


class Garbage:
    """A thousand frames that are no query, again and again."""

    def __init__(self, port):
        good = udp4(port.mac, port.peer, "198.18.0.77", 4000, query("ok.garbage.test"))
        head = udp4(port.mac, port.peer, "198.18.0.77", 4000, bytes(40))[:34]
        self.frames, self.count = [], 0
        for i in range(1000):
            kind, noise = i % 8, bytes(rng.getrandbits(8) for _ in range(rng.randint(1, 200)))
            response = query(f"x{i}.test", ident=i, flags=0x8180)
            self.frames.append([
                good[:14] + noise,                                                   # no IP header
                good[:rng.randint(15, 53)],                                          # cut off
                good[:24] + noise[:2].ljust(2, b"\1") + good[26:],                   # IPv4 checksum
                udp4(port.mac, port.peer, "198.18.0.77", 4000, response),            # a response
                udp4(port.mac, port.peer, "198.18.0.77", 7, query("x.test")),        # from echo
                udp4(port.mac, port.peer, "127.0.0.1", 4000, query("x.test")),       # no client's address
                head + b"\x0f\xa0\0\x35\0\x14\0\0" + noise[:12].ljust(12, b"\0")[:2] + b"\x80" + bytes(9),
                good[:40] + b"\x12\x34" + good[42:],                                 # UDP checksum
            ][kind])

    def frame(self):
        self.count += 1
        return self.frames[self.count % 1000]


class ExceptionTraffic:
    """What is the kernel's, in kinds, by turns: connections being opened, from an address that answers, so that each SYN that the
    kernel sees is three frames; segments of connections that are none; UDP from port 53 that nobody asked for; UDP to a port
    where nobody listens."""
    KINDS = "syn", "segment", "reply", "udp"

    def __init__(self, port, *kinds):
        self.frames, self.count = [], 0
        ends = port.mac, port.peer, "198.18.0.2"
        for i in range(4096):
            seq, message = rng.getrandbits(32), query(f"x{i}.test", ident=i, flags=0x8180)
            of = {"syn": tcp4(*ends, 1024 + i, 2, seq), "segment": tcp4(*ends, 1024 + i, 16, seq),
                  "reply": udp4(*ends, 53, message, dport=30000 + i), "udp": udp4(*ends, 1024 + i, message, dport=54)}
            self.frames += [of[kind] for kind in kinds or self.KINDS]

    def frame(self):
        self.count += 1
        return self.frames[self.count % len(self.frames)]
