#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The upstream of tools/chaos, on 127.0.0.1: every answer names its question and the moment it was given.

usage: chaos_zone.py PORT LOGFILE      one line an answer: name serial

Three AAAA records, fd53:0:0:<CRC-32 of the name>:<serial, 32 bits>:<1, 2, 3>; the serial grows by one with each answer,
whatever the name. So an answer that mixes two, belongs to another name or is older than one seen before shows itself.
The first letter of a name sets its TTL.
"""
import itertools
import pathlib
import struct
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lab"))
from dnswire import OWN, record  # noqa: E402
from scripted import Server  # noqa: E402

TTL = {"c": 3600, "s": 1, "m": 3}
RECORDS = 3


def answer(q, serial):
    head = b"\xfd\x53\0\0\0\0" + struct.pack("!II", zlib.crc32(q.text.encode()), serial)
    return q.reply(*(record(OWN, 28, TTL.get(q.text[:1], 60), head + struct.pack("!H", i + 1)) for i in range(RECORDS)))


def zone_pairs(log):
    """(name, serial) of each answer that was given."""
    with open(log) as lines:
        return {(name, int(serial)) for name, serial in (line.split() for line in lines if line.endswith("\n"))}


class Zone(Server):
    threads = ("serve_udp",)
    serials = itertools.count(1)
    log = None

    def answer(self, q):
        serial = next(self.serials)
        self.log.write(f"{q.text or '.'} {serial}\n")  # the root: weir's own check of a server
        yield answer(q, serial)


if __name__ == "__main__":
    Zone.log = open(sys.argv[2], "a", buffering=1)
    Zone(int(sys.argv[1])).serve_udp()
