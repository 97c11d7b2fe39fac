#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Queries for the block-list test, from inside the client namespace.

usage: blocklist_load.py names LIST | steady
"""
import random
import sys
import time

from wire import SERVICE4, Port, query, udp4
import ask_many
from dnswire import rcode


def ask_all(names):
    """rcode by name. SERVFAIL is weir's reply to a miss when its upstream is late, as on a machine with other things to do: asked
    again when the failure is kept no longer."""
    codes = {}

    def answered(ident, reply):
        codes[names[ident]] = rcode(reply)
        return rcode(reply) != 2

    left = ask_many.ask_all(SERVICE4, {i: query(name, ident=i) for i, name in enumerate(names)}, answered, 60, again_s=2)
    assert not left, f"{len(left)} names got no answer"
    return codes


def names(path):
    rng = random.Random(5)
    listed_all = [line.strip() for line in open(path)]
    known = set(listed_all)
    listed = [n for n in rng.sample(listed_all, 1500) if len(n) < 200]

    def covered(name):
        labels = name.split(".")
        return any(".".join(labels[i:]) in known for i in range(len(labels)))

    below = [f"a.b{i}.{n}" for i, n in enumerate(listed[:700])]
    alike = [m for n in listed for m in (f"x{n}", f"{n}x", n.split(".", 1)[1]) if m.count(".") and not covered(m)]
    for kind, asked, want in (("listed", listed, 3), ("below", below, 3), ("look-alike", alike[:2500], 0)):
        got = ask_all(asked)
        wrong = [n for n, rcode in got.items() if rcode != want]
        print(f"{len(asked)} {kind}: {len(wrong)} wrong {wrong[:5]}")
        assert asked and not wrong


def steady(port):
    """24,000 queries, 2,000 a second on a machine that can: half cached, half blocked; each must be answered, and rightly."""
    rate, count = 2000, 24000
    assert set(ask_all([f"ok-3000.{number}.steady.test" for number in range(50)]).values()) == {0}
    port.collect(1)  # late ones too
    print("begins", flush=True)
    begin, sent, got, wrong, silence, last = time.monotonic(), 0, set(), 0, 0.0, time.monotonic()
    done = None
    while not done or len(got) < sent and time.monotonic() < done + 20:
        now = time.monotonic()
        done = done or (now if sent == count else None)
        assert now < begin + 120, "the generator was too slow"
        while sent < min((now - begin) * rate, count):
            blocked = sent % 2
            name = "ads.lab.example" if blocked else f"ok-3000.{sent // 2 % 50}.steady.test"
            port.send(udp4(port.mac, port.peer, f"198.18.0.{70 + sent // 50000}", 10000 + sent % 50000,
                           query(name, ident=sent & 0xFFFF)))
            sent += 1
        for client, dport, msg in port.drain():
            number = (int(client.split(".")[3]) - 70) * 50000 + dport - 10000
            if not 0 <= number < count:
                continue
            wrong += (msg[3] & 15) != (3 if number % 2 else 0)
            got.add(number)
            silence, last = max(silence, now - last), now
        time.sleep(0.0005)
    print(f"{sent} sent, {sent - len(got)} lost, {wrong} wrong, longest silence {silence * 1000:.1f} ms")
    assert sent == len(got), f"{sent - len(got)} lost"
    assert wrong == 0


if __name__ == "__main__":
    if sys.argv[1] == "names":
        names(sys.argv[2])
    else:
        steady(Port())
