#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Receivers of events: systemd's journal, and syslog over UDP and TCP.

usage: events_receive.py FOLDER journal PATH | syslog PORT

Appends to FOLDER/journal a JSON object of the fields of each entry, and to FOLDER/udp and FOLDER/tcp a line for each message.
The TCP server drops its first connection behind the first message.
"""
import json
import os
import selectors
import socket
import struct
import sys

FOLDER, KIND, WHERE = sys.argv[1:]


def append(name, line):
    with open(f"{FOLDER}/{name}", "a") as out:
        out.write(line + "\n")


def fields(data):
    """Journal's native protocol: NAME=VALUE, or NAME, a length of 64 bits and the value."""
    found = {}
    while data:
        head, _, data = data.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if not equals:
            size = struct.unpack("<Q", data[:8])[0]
            value, data = data[8:8 + size], data[9 + size:]
        found[name.decode()] = value.decode()
    return found


def journal():
    if os.path.exists(WHERE):
        os.unlink(WHERE)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(WHERE)
    append("ready", "journal")
    while True:
        append("journal", json.dumps(fields(server.recv(65536))))


def message(stream):
    """RFC 6587, each behind its length; None at the end."""
    count = b""
    while not count.endswith(b" "):
        byte = stream.read(1)
        if not byte:
            return None
        count += byte
    return stream.read(int(count)).decode()


def tcp(server, is_first):
    with server.accept()[0] as peer:
        stream = peer.makefile("rb")
        while line := message(stream):
            append("tcp", line)
            if is_first:
                break


def syslog():
    address = ("127.0.0.1", int(WHERE))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(address)
    stream = socket.create_server(address)
    selector = selectors.DefaultSelector()
    for server in (udp, stream):
        selector.register(server, selectors.EVENT_READ)
    append("ready", "syslog")
    is_first = True
    while True:
        for key, _ in selector.select():
            if key.fileobj is udp:
                append("udp", udp.recv(65536).decode())
            else:
                tcp(stream, is_first)
                is_first = False


{"journal": journal, "syslog": syslog}[KIND]()
