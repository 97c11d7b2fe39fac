#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Frames that the steering program must tell apart, each sent once; one line for each: its name, and what came back.

Runs inside the lab's client namespace. A reply is looked for by its id, and its VLAN tag is what the kernel took off it.
"""
import struct
import time

import wire

NAME = "www.lab.example"
CLIENT4, CLIENT6 = "198.18.0.2", "fd53::2"


def with_options(frame):
    """IPv4 with four bytes of options (no-operation)."""
    ip = bytearray(frame[14:34]) + b"\1\1\1\1"
    ip[0] = 0x46
    ip[2:4] = struct.pack("!H", struct.unpack("!H", ip[2:4])[0] + 4)
    ip[10:12] = b"\0\0"
    ip[10:12] = struct.pack("!H", wire.checksum(bytes(ip)))
    return frame[:14] + bytes(ip) + frame[34:]


def fragment(frame, offset):
    ip = bytearray(frame[14:34])
    ip[6:8] = struct.pack("!H", 0x2000 | offset)
    ip[10:12] = b"\0\0"
    ip[10:12] = struct.pack("!H", wire.checksum(bytes(ip)))
    return frame[:14] + bytes(ip) + frame[34:]


def behind_options6(frame):
    """UDP behind a hop-by-hop header of 16 bytes of padding."""
    header = bytes([17, 1, 1, 12]) + bytes(12)
    length = struct.unpack("!H", frame[18:20])[0] + len(header)
    return frame[:18] + struct.pack("!HB", length, 0) + frame[21:54] + header + frame[54:]


def reply(sock, ident, seconds):
    """The VLAN that the reply with that id came with, 0 without a tag, None for no reply."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sock.settimeout(max(0.01, end - time.monotonic()))
        try:
            frame, extra, _, _ = sock.recvmsg(4096, 64)
        except TimeoutError:
            break
        at = {0x0800: 42, 0x86DD: 62}.get(struct.unpack("!H", frame[12:14])[0])
        if not at or frame[:6] != mac or frame[at:at + 2] != struct.pack("!H", ident) or not frame[at + 2] & 0x80:
            continue
        return wire.tag_of(extra)
    return None


mac, peer = wire.mac_of(wire.IFACE), wire.service_mac()
sock = wire.tag_socket(wire.IFACE)


def v4(ident):
    return wire.udp4(mac, peer, CLIENT4, 5000 + ident, wire.query(NAME, ident=ident))


def v6(ident):
    return wire.udp6(mac, peer, CLIENT6, 5000 + ident, wire.query(NAME, ident=ident))


cases = [("plain4", v4(1)), ("plain6", v6(2)), ("vlan4", wire.tagged(v4(3), 7)), ("vlan6", wire.tagged(v6(4), 7)),
         ("options4", with_options(v4(5))), ("two_tags", wire.tagged(wire.tagged(v4(6), 7), 8)),
         ("fragment_first", fragment(v4(7), 0)), ("fragment_later", fragment(v4(8), 64)), ("extension6", behind_options6(v6(9))),
         ("runt", v4(10)[:36]), ("other_host", bytes.fromhex("020000000077") + v4(11)[6:])]
for number, (name, frame) in enumerate(cases, 1):
    sock.send(frame)
    print(name, reply(sock, number, 3 if number <= 5 else 0.3), flush=True)
