#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Times of answers of a server, alone and during an attack: names that it has cached, and names that it has not. Prints JSON:
median milliseconds of each, and how many attack questions were sent and had an answer.
usage: internet_load.py ADDRESS CACHED_NAME MISS_ZONE SECONDS [ATTACK [RATE]]"""
import json
import random
import selectors
import socket
import statistics
import sys
import time

import dns.message

import internet_evil

ASK_EVERY_S, WAIT_S = 0.05, 5


class Load:
    def __init__(self, address):
        self.address = address
        self.selector = selectors.DefaultSelector()
        self.times = {"cached": [], "miss": [], "attack": []}
        self.sent = dict.fromkeys(self.times, 0)

    def send(self, kind, name):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.connect((self.address, 53))
        s.send(dns.message.make_query(name, "A", want_dnssec=True).to_wire())
        self.selector.register(s, selectors.EVENT_READ, (kind, time.monotonic()))
        self.sent[kind] += 1

    def close(self, key):
        self.selector.unregister(key.fileobj)
        key.fileobj.close()

    def receive(self, wait_s):
        for key, _ in self.selector.select(wait_s):
            kind, since = key.data
            self.times[kind].append((time.monotonic() - since) * 1000)
            self.close(key)

    def end(self):
        """A question without an answer has waited for that long."""
        until = time.monotonic() + WAIT_S
        while self.selector.get_map() and time.monotonic() < until:
            self.receive(0.1)
        for key in list(self.selector.get_map().values()):
            if key.data[0] != "attack":
                self.times[key.data[0]].append(WAIT_S * 1000)
            self.close(key)


def main():
    address, cached, zone, seconds = sys.argv[1:5]
    attack = internet_evil.ATTACKS[sys.argv[5]] if len(sys.argv) > 5 else None
    gap_s = 1 / float(sys.argv[6]) if len(sys.argv) > 6 else 0.05
    load = Load(address)
    begin = next_ask = next_attack = time.monotonic()
    while time.monotonic() < begin + float(seconds):
        now = time.monotonic()
        if now >= next_ask:
            load.send("cached", cached)
            load.send("miss", f"m{random.getrandbits(48):x}.{zone}")
            next_ask = now + ASK_EVERY_S
        if attack and now >= next_attack:
            load.send("attack", attack[0].format(random.randrange(attack[1])))
            next_attack = now + gap_s
        load.receive(0.005)
    load.end()
    print(json.dumps({
        "cached_ms": round(statistics.median(load.times["cached"]), 1), "miss_ms": round(statistics.median(load.times["miss"]), 1),
        "attacks": load.sent["attack"], "answers": len(load.times["attack"]),
    }))


main()
