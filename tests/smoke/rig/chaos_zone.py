#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The upstream of tools/chaos, on 127.0.0.1: every answer names its question and the moment it was given.

usage: chaos_zone.py PORT LOGFILE      one line an answer: name serial

Three AAAA records, fd53:0:0:<CRC-32 of the name>:<serial, 32 bits>:<1, 2, 3>; the serial grows by one with each answer,
whatever the name. So an answer that mixes two, belongs to another name or is older than one seen before shows itself.
The first letter of a name sets its TTL.
"""
import socket
import struct
import sys
import zlib

TTL = {"c": 3600, "s": 1, "m": 3}
RECORDS = 3


def rdata(name, serial, index):
    return b"\xfd\x53\0\0\0\0" + struct.pack("!IIH", zlib.crc32(name), serial, index)


def answer(msg, serial):
    """The reply and the name in lower case."""
    labels, at = [], 12
    while msg[at]:
        labels.append(msg[at + 1:at + 1 + msg[at]].decode("ascii", "replace").lower())
        at += 1 + msg[at]
    name = ".".join(labels)
    ttl = TTL.get(name[:1], 60)
    records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 28, 1, ttl, 16) + rdata(name.encode(), serial, i + 1)
                       for i in range(RECORDS))
    return msg[:2] + struct.pack("!5H", 0x8180, 1, RECORDS, 0, 0) + msg[12:at + 5] + records, name


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    sock.bind(("127.0.0.1", int(sys.argv[1])))
    with open(sys.argv[2], "a", buffering=1) as log:
        serial = 0
        while True:
            msg, addr = sock.recvfrom(65535)
            serial += 1
            out, name = answer(msg, serial)
            log.write(f"{name or '.'} {serial}\n")  # the root: weir's own check of a server
            sock.sendto(out, addr)


if __name__ == "__main__":
    main()
