#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Asks ADDRESS for five names that mean something to a terminal, a shell, SQL or a spreadsheet, below DOMAIN: odd_names.py
ADDRESS DOMAIN. Raw bytes, as no tool would send them; what is answered does not matter."""

import socket
import sys

import wire

NAMES = [b"\x1b[31mred\x00\xff", b"=cmd|'/c calc'!A1", b'"; DROP TABLE queries; --', b"a,b\n\tc\\", b"\xc3\x28half"]


def main():
    address, domain = sys.argv[1:]
    for i, odd in enumerate(NAMES):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(3)
        s.sendto(wire.query(bytes([len(odd)]) + odd + wire.name_wire(domain), ident=i + 1), (address, 53))
        try:
            s.recv(4096)
        except OSError:
            pass


if __name__ == "__main__":
    main()
