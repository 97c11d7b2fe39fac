#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clients that come and go, for tools/soak: addresses never seen before over UDP, connections over TCP that end in each way
that a connection can end. Runs in the client namespace until its time is over, then says what it did.

usage: soak_churn.py SECONDS SEED
"""
import json
import random
import socket
import struct
import sys
import time

from wire import Port, SERVICE4, framed, query, udp4, udp6

UDP_RATE, TCP_RATE, TCP_OPEN_MAX = 200, 20, 200
ENDS = ("read", "half", "reset", "leave", "torn", "idle")


def udp_frame(port, rng, serial):
    name = rng.choice((f"h{serial % 1000}.hot.soak.test", f"c{serial}.churn.soak.test", f"b{serial % 2000}.blocked.test"))
    message = query(name, ident=serial & 65535, edns=rng.choice((None, 512, 1232, 4096)))
    if rng.random() < 0.5:
        host = f"198.18.{rng.randint(64, 255)}.{rng.randint(1, 254)}"
        return udp4(port.mac, port.peer, host, rng.randint(1024, 65535), message)
    return udp6(port.mac, port.peer, f"fd53::{rng.getrandbits(16):x}:{rng.getrandbits(16):x}", rng.randint(1024, 65535),
                message)


def tcp_open(rng, serial):
    """A connection that has asked a few things; (when to end it, how, socket)."""
    how = rng.choice(ENDS)
    sock = socket.socket()
    sock.settimeout(2)
    sock.connect((SERVICE4, 53))
    wire = b""
    for i in range(rng.randint(1, 20)):
        wire += framed(query(f"t{serial}-{i}.churn.soak.test" if i % 4 else f"h{i}.hot.soak.test", ident=i))
    sock.sendall(wire[:-3] if how == "torn" else wire)
    if how == "half":
        sock.shutdown(socket.SHUT_WR)
    return time.monotonic() + (10 if how == "idle" else rng.random() * 2), how, sock


def tcp_end(how, sock):
    if how in ("read", "half"):
        try:
            while sock.recv(65536) and how == "half":
                pass
        except OSError:
            pass
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def main():
    seconds, rng = float(sys.argv[1]), random.Random(int(sys.argv[2]))
    port, done, waiting = Port(hears=False), {"udp": 0, "tcp": 0, "tcp_refused": 0}, []
    begin = time.monotonic()
    while (now := time.monotonic()) < begin + seconds:
        for _ in range(min(int((now - begin) * UDP_RATE) - done["udp"], 50)):
            port.send(udp_frame(port, rng, done["udp"] + int(sys.argv[2]) * 1000000))
            done["udp"] += 1
        if done["tcp"] < (now - begin) * TCP_RATE and len(waiting) < TCP_OPEN_MAX:
            done["tcp"] += 1
            try:
                waiting.append(tcp_open(rng, done["tcp"]))
            except OSError:
                done["tcp_refused"] += 1
        for late in [w for w in waiting if w[0] <= now]:
            waiting.remove(late)
            tcp_end(*late[1:])
        time.sleep(0.002)
    for _, how, sock in waiting:
        tcp_end("leave", sock)
    print(json.dumps(done))


if __name__ == "__main__":
    main()
