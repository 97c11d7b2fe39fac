#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client that asks weir steadily, for bystander_run.py: usage: bystander.py KIND, one of ASKS.

For each line of its input, a number of seconds, it asks for so long and prints a JSON list of how long each answer took, in
us. A question that is due while it waits for another one's answer began when it was due, so that a stall
counts for all that it keeps waiting; those due before the end and not asked by then waited until the last answer. No answer within
PATIENCE_S counts as that time.
"""

import json
import os
import pathlib
import random
import socket
import struct
import sys
import time

here = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(here.parents[2] / "lab"))
sys.path.insert(0, str(here.parents[2] / "smoke/rig"))
import control  # noqa: E402
import encrypted  # noqa: E402
from wire import query  # noqa: E402

SERVICE, PATIENCE_S = "198.18.0.53", 5
RATE = {"control": 50, "doh": 75}  # questions a second; more of HTTP/2 than Python is sure to ask
OTHERS_RATE = 150
CACHED = "www.lab.example"
rng = random.Random()


def missed():
    return f"m{rng.getrandbits(48):x}.wild.lab.example"


class Datagrams:
    def __init__(self, name):
        self.name, self.ident = name, 0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect((SERVICE, 53))

    def ask(self):
        self.ident = (self.ident + 1) % 65536
        self.sock.send(query(self.name(), ident=self.ident))
        while (reply := self.sock.recv(4096))[:2] != self.ident.to_bytes(2, "big"):
            pass
        return reply

    def close(self):
        self.sock.close()


class Stream:
    """A connection over TCP or TLS."""

    def __init__(self, proto):
        self.sock = socket.create_connection((SERVICE, encrypted.PORTS.get(proto, 53)), PATIENCE_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if proto in encrypted.PORTS:
            self.sock = encrypted.connection(proto, self.sock, gets=True)

    def ask(self):
        wire = query(CACHED, ident=1)
        self.sock.sendall(struct.pack("!H", len(wire)) + wire)
        got = b""
        while len(got) < 2 or len(got) < 2 + int.from_bytes(got[:2], "big"):
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionResetError
            got += more
        return got[2:]

    def close(self):
        self.sock.close()


class Https(Stream):
    def ask(self):
        self.sock.ask(query(CACHED, ident=0))
        self.sock.flush()
        return self.sock.reply()


class Control(control.Socket):
    """What `weirctl` asks."""

    def __init__(self):
        super().__init__("weir", timeout=PATIENCE_S)

    def ask(self):
        self.request("GET", "/v1/pending")
        reply = self.getresponse()
        return reply.read() and bytes(7) + bytes([reply.status == 200])


ASKS = {
    "hit": lambda: Datagrams(lambda: CACHED), "miss": lambda: Datagrams(missed), "tcp": lambda: Stream("tcp"),
    "dot": lambda: Stream("dot"), "doh": lambda: Https("doh"), "control": Control,
}


class Bystander:
    def __init__(self, kind):
        self.make, self.gap, self.conn = ASKS[kind], 1 / RATE.get(kind, OTHERS_RATE), None

    def ask(self):
        """One answer, with a connection of its own if the last one has ended."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                self.conn = self.conn or self.make()
                reply = self.conn.ask()
            except (OSError, AssertionError, ValueError):
                reply = None
            if reply and reply[7]:
                return
            if self.conn:
                self.conn.close()
            self.conn = None
            time.sleep(0.001)

    def run(self, seconds):
        took, due = [], time.monotonic()
        answered, end = due, due + seconds
        while due < end:
            time.sleep(max(0, due - time.monotonic()))
            began = due if due < answered else time.monotonic()
            if began < end and answered < end:
                self.ask()
                answered = time.monotonic()
            took.append(round((answered - began) * 1e6))
            due += self.gap * rng.uniform(0.5, 1.5)
        return took


if __name__ == "__main__":
    os.nice(-10)  # it stands for another machine
    me = Bystander(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(me.run(float(line))), flush=True)
