#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Asks for the address of a name in a frame with a VLAN tag: vlan_ask.py VLAN SOURCE NAME

Runs inside the lab's client namespace. Prints the VLAN of the reply and the address that its last record has, or None.
The kernel need not know VLANs.
"""
import os
import socket
import struct
import sys
import time

import wire

vlan, source, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]
ident = 1 + os.getpid() % 60000
mac, peer = wire.mac_of(wire.IFACE), wire.service_mac()
sock = wire.tag_socket(wire.IFACE)
sock.send(wire.tagged(wire.udp4(mac, peer, source, 5000, wire.query(name, ident=ident)), vlan))
end = time.monotonic() + 3
found = None
while not found and time.monotonic() < end:
    sock.settimeout(max(0.01, end - time.monotonic()))
    try:
        frame, extra, _, _ = sock.recvmsg(4096, 64)
    except TimeoutError:
        break
    if frame[:6] == mac and frame[42:44] == struct.pack("!H", ident) and frame[44] & 0x80:
        found = f"{wire.tag_of(extra)} {socket.inet_ntoa(frame[-4:])}"
print(found)
