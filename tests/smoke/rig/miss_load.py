#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Load on the miss path, from inside the client namespace.

usage: miss_load.py cold|expired UPSTREAM_LOG

A machine that has other things to do lets an upstream be late, which is then asked again, and lets frames wait in a queue
until there is no room. So repeated upstream queries are those that the control plane counts, and clients ask again.
"""
import json
import os
import subprocess
import sys
import time

from wire import Port, query, udp4

HOT_RATE, HOT_COUNT = 20000, 120000
OTHERS_RATE, OTHERS_COUNT = 33, 200
JUDGES_SPEED = bool(os.environ.get("WEIR_LONG"))
PATIENCE = float(os.environ.get("WEIR_PATIENCE", 1))  # of tools/leaks, whose control plane is slower


def asked(log, name):
    lines = (line.split() for line in open(log) if line.endswith("\n"))
    return sum(fields[3].lower() == name for fields in lines)


def timeouts():
    """How often the control plane found an upstream late, and asked again."""
    command = [os.environ["WEIR_BUILD"] + "/tools/ctl/weirctl", "-c", "/run/weir/lab/weir.yaml", "--json", "status"]
    status = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return sum(upstream["timeouts"] for upstream in status["controlplane"]["upstreams"])


def cold(port, log):
    """10,000 clients (100 addresses x 100 ports), one cold name that takes 0.25 s to resolve."""
    name, late = "wait.cold-name.test", timeouts()
    clients = [(f"198.18.0.{100 + c % 100}", 20000 + c // 100) for c in range(10000)]
    frames = [udp4(port.mac, port.peer, *client, query(name, ident=c)) for c, client in enumerate(clients)]
    for frame in frames:
        port.send(frame)
    replies = port.collect(3)
    good = [r for r in replies if r[2][3] & 15 == 0 and r[2][6:8] == b"\0\1"]
    assert len(good) == len(replies), f"{len(replies) - len(good)} replies are not the answer"
    assert len(good) >= 200, f"only {len(good)} answers for the waiters"
    late = timeouts() - late
    assert 1 <= asked(log, name) <= 1 + late, f"{asked(log, name)} upstream queries, {late} repeated ones"
    # Who was not answered asks again and hits.
    waiting = dict(zip(clients[-500:], frames[-500:]))
    for _ in range(5):
        for frame in waiting.values():
            port.send(frame)
        for client, dport, _ in port.collect(4, len(waiting)):
            waiting.pop((client, dport), None)
    assert not waiting, f"{len(waiting)} of 500 retries are not answered"
    print(f"{len(good)} waiters answered, 1 upstream query and {late} repeated ones")


class Others:
    """Clients of other cold names meanwhile; each asks again when it has waited for a second."""

    def __init__(self, port, turn):
        self.port, self.turn, self.count, self.latency = port, turn, 0, []
        self.first, self.last = {}, {}  # when those who wait asked first and last

    def ask(self, number, now):
        self.first.setdefault(number, now)
        self.last[number] = now
        self.port.send(udp4(self.port.mac, self.port.peer, "198.18.0.99", 40000 + number,
                            query(f"ok.other-{self.turn}-{number}.test", ident=number)))

    def go_on(self, now, due):
        for number in [number for number in self.first if now > self.last[number] + 1]:
            self.ask(number, now)
        if self.count < min(due, OTHERS_COUNT):
            self.ask(self.count, now)
            self.count += 1

    def answered(self, number):
        if number in self.first:
            self.latency.append(time.monotonic() - self.first.pop(number))


def expired(port, log, turn, rate):
    """Asks one name of TTL 1 120,000 times, 20,000 times a second on a machine that can, and 200 cold names meanwhile. How
    long nearly all of these took at most; None where most questions met no answer, as their frames had no room. And whether
    the machine was too busy for the rate: frames were lost on their way to the worker, or could not be sent so fast."""
    name, late = f"ok-1.hot-{turn}.test", timeouts()
    hot = query(name, ident=7)
    hot_frames = [udp4(port.mac, port.peer, f"198.18.0.{100 + c % 100}", 30000 + c // 100, hot) for c in range(5000)]
    others, sent, servfail, answered = Others(port, turn), 0, 0, 0
    begin = now = time.monotonic()
    quiet = sent_all = None
    while not quiet or now < quiet:
        now = time.monotonic()
        for _ in range(min(int((now - begin) * rate), HOT_COUNT, sent + 400) - sent):
            port.send(hot_frames[sent % 5000])
            sent += 1
        others.go_on(now, (now - begin) * OTHERS_RATE)
        for client, dport, msg in port.drain():
            if client == "198.18.0.99" and msg[3] & 15 == 2 and PATIENCE > 1:
                continue  # its time was over; it asks again
            servfail += msg[3] & 15 == 2
            answered += client != "198.18.0.99"
            if client == "198.18.0.99":
                others.answered(dport - 40000)
        if sent == HOT_COUNT:
            sent_all = sent_all or now
            if not quiet and others.count == OTHERS_COUNT and (not others.first or now > sent_all + 20):
                quiet = now + 1  # for what is still on its way
            time.sleep(0.001)
        assert now < begin + 180, f"{sent} of {HOT_COUNT} sent in 180 s"
    others.latency.sort()
    late, lasted = timeouts() - late, now - begin
    print(f"{sent / (sent_all - begin):.0f} q/s sent, {answered} answered, {servfail} SERVFAIL, other names: {len(others.latency)} "
          f"answered, slowest {others.latency[-1] * 1000:.1f} ms, {asked(log, name)} upstream queries for the hot name")
    assert servfail == 0, f"{servfail} SERVFAIL"
    assert not others.first, f"{len(others.first)} other names unanswered"
    # Refresh-ahead renews so short a TTL at half its life.
    assert asked(log, name) <= lasted / 0.5 + 3 + late, "the hot name goes upstream again and again"
    busy = answered < HOT_COUNT * 0.98 or sent / (sent_all - begin) < rate * 0.9
    return others.latency[int(len(others.latency) * 0.95)] if answered > HOT_COUNT / 2 else None, busy


def expired_thrice(port, log):
    """Once, or in `tools/test long` until other names are in time. A machine with other things to do can delay a name by itself; a fault of weir delays it each time. One that is too busy
    for the rate gets fewer a second, down to an eighth: a wait for a lost frame, or without replies, shows nothing."""
    nearly_all, rate, turn = [], HOT_RATE, 0
    while len(nearly_all) < 3 and rate >= HOT_RATE / 8:
        took, busy = expired(port, log, turn, rate)
        turn += 1
        if not JUDGES_SPEED or took is not None and took < 0.4 * PATIENCE:
            return
        if took is None or busy and rate > HOT_RATE / 8:
            rate /= 2
            continue
        nearly_all.append(took)
    assert nearly_all, "hardly any replies, however few were asked: the test shows nothing"
    raise AssertionError(f"other names were delayed: 5 % by {', '.join(f'{s:.1f}' for s in nearly_all)} s or more")


if __name__ == "__main__":
    {"cold": cold, "expired": expired_thrice}[sys.argv[1]](Port(), sys.argv[2])
