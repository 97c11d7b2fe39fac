#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Asks weir over UDP and TCP, and writes down the bytes of each exchange with both ends: dnstap_ask.py FILE udp|tcp ADDRESS
NAME... A line of FILE is an exchange as JSON."""

import json
import os
import socket
import sys

import wire

KEEPALIVE = b"\0\x0b\0\0"
SUBNET = b"\0\x08\0\x07\0\x01\x18\0\xc0\0\x02"  # 192.0.2.0/24


def query(number, name):
    options = KEEPALIVE + SUBNET if number % 2 else SUBNET
    spelt = "".join(c.upper() if i % 3 == number % 3 else c for i, c in enumerate(name))
    return wire.query(spelt, ident=int.from_bytes(os.urandom(2), "big"), edns=1232, flags=0x0120, options=options)


def exchange(s, transport, message):
    if transport == "udp":
        s.send(message)
        return s.recv(65535)
    s.sendall(wire.framed(message))
    return wire.message_from(s)


def main():
    file, transport, address, *names = sys.argv[1:]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with open(file, "a", encoding="ascii") as out:
        s = socket.socket(family, kind)
        s.settimeout(10)
        s.connect((address, 53))
        client, port = s.getsockname()[:2]
        for number, name in enumerate(names):
            message = query(number, name)
            reply = exchange(s, transport, message)
            print(json.dumps({"transport": transport, "client": client, "port": port, "service": address,
                              "query": message.hex(), "reply": reply.hex()}), file=out)


if __name__ == "__main__":
    main()
