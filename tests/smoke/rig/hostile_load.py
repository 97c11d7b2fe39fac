#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""10,000 random and mutated frames; every reply must be well-formed DNS. Runs in the client namespace."""
import random
import struct
import sys

import dns.message

from wire import Port, query, udp4, udp6

COUNT = 10000
rng = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 1)


def random_query():
    name = ".".join("".join(rng.choice("abcXYZ019-_") for _ in range(rng.randint(1, 20)))
                    for _ in range(rng.randint(1, 6)))
    return query(name + ".fuzz.test", rng.choice([1, 28, 16, 15, 65, 255, 252, rng.randint(0, 65535)]),
                 rng.randint(0, 65535), rng.choice([None, 512, 1232, 4096, 1]), rng.choice([0x0100, 0x0110, 0x0000]))


def mutate(data):
    data = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        kind = rng.randint(0, 3)
        if kind == 0 and data:
            data[rng.randrange(len(data))] = rng.randint(0, 255)
        elif kind == 1 and data:
            del data[rng.randrange(len(data)):]
        elif kind == 2:
            at = rng.randint(0, len(data))
            data[at:at] = bytes(rng.randint(0, 255) for _ in range(rng.randint(1, 40)))
        elif len(data) > 12:
            at = rng.randrange(0, 12)
            data[at] ^= 1 << rng.randint(0, 7)
    return bytes(data)


def frame(port):
    kind = rng.randint(0, 9)
    sport = rng.randint(1024, 65535)
    dns = random_query()
    if kind < 4:
        dns = mutate(dns)
    elif kind == 4:
        dns = bytes(rng.randint(0, 255) for _ in range(rng.randint(0, 600)))
    if rng.randint(0, 1):
        out = udp4(port.mac, port.peer, "198.18.0.77", sport, dns)
    else:
        out = udp6(port.mac, port.peer, "fd53::77", sport, dns)
    if kind >= 8:  # damage below DNS: addresses, lengths, checksums, options, tags
        out = mutate(out[:14 + 48]) + out[14 + 48:] if kind == 8 else mutate(out)
    if kind == 5:
        out = out[:12] + b"\x81\0" + struct.pack("!H", rng.randint(0, 65535)) + out[12:]
    return out[:1514].ljust(14, b"\0")


def main():
    port, replies = Port(), []
    for i in range(COUNT):
        port.send(frame(port))
        replies += port.drain()
        if i % 100 == 0:
            port.settle()
    replies += port.collect(3)
    rcodes = {}
    for _, _, msg in replies:
        assert len(msg) >= 12 and msg[2] & 0x80, "a reply without QR"
        assert len(msg) <= 1232, f"a reply of {len(msg)} bytes"
        # dnspython knows no reserved opcodes, which NOTIMP echoes. It raises on anything malformed, trailing bytes
        # included.
        parsed = dns.message.from_wire(msg[:2] + bytes([msg[2] & 0x87]) + msg[3:])
        rcodes[parsed.rcode()] = rcodes.get(parsed.rcode(), 0) + 1
    print(f"{COUNT} frames, {len(replies)} replies, by rcode: {rcodes}")
    assert len(replies) > COUNT / 4, "hardly any replies: the test shows nothing"


if __name__ == "__main__":
    main()
