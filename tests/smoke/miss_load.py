#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Load on the miss path, from inside the client namespace.

usage: miss_load.py cold|expired UPSTREAM_LOG
"""
import sys
import time

from wire import Port, query, udp4


def asked(log, name):
    lines = (line.split() for line in open(log) if line.endswith("\n"))
    return sum(fields[3].lower() == name for fields in lines)


def cold(port, log):
    """10,000 clients (100 addresses x 100 ports), one cold name that takes 0.25 s to resolve."""
    name = "wait.cold-name.test"
    frames = [udp4(port.mac, port.peer, f"198.18.0.{100 + c % 100}", 20000 + c // 100, query(name, ident=c))
              for c in range(10000)]
    for frame in frames:
        port.send(frame)
    replies = port.collect(3)
    good = [r for r in replies if r[2][3] & 15 == 0 and r[2][6:8] == b"\0\1"]
    assert len(good) == len(replies), f"{len(replies) - len(good)} replies are not the answer"
    assert len(good) >= 200, f"only {len(good)} answers for the waiters"
    assert asked(log, name) == 1, f"{asked(log, name)} upstream queries"
    # Who was not answered asks again and hits.
    for frame in frames[-500:]:
        port.send(frame)
    assert len(port.collect(2, 500)) == 500, "retries are not all answered"
    print(f"{len(good)} waiters answered, 1 upstream query")


def expired(port, log):
    """Asks one name of TTL 1 at 20,000 q/s for 6 s, and 200 other cold names meanwhile."""
    hot = query("ok-1.hot.test", ident=7)
    hot_frames = [udp4(port.mac, port.peer, f"198.18.0.{100 + c % 100}", 30000 + c // 100, hot) for c in range(5000)]
    sent, others, waiting, seconds = 0, 0, {}, 6
    begin = time.monotonic()
    latency, servfail, answered = [], 0, 0
    while (now := time.monotonic()) < begin + seconds + 2.5:
        if now < begin + seconds:
            due = int((now - begin) * 20000) - sent
            for _ in range(min(due, 400)):
                port.send(hot_frames[sent % 5000])
                sent += 1
            if others < (now - begin) * 33:
                waiting[others] = time.monotonic()
                port.send(udp4(port.mac, port.peer, "198.18.0.99", 40000 + others,
                               query(f"ok.other-{others}.test", ident=others)))
                others += 1
        for client, dport, msg in port.drain():
            servfail += msg[3] & 15 == 2
            answered += client != "198.18.0.99"
            if client == "198.18.0.99" and dport - 40000 in waiting:
                latency.append(time.monotonic() - waiting.pop(dport - 40000))
        if sent >= 20000 * seconds:
            time.sleep(0.001)
    rate = sent / seconds
    latency.sort()
    print(f"{rate:.0f} q/s sent, {answered} answered, {servfail} SERVFAIL, other names: {len(latency)} answered, "
          f"slowest {latency[-1] * 1000:.1f} ms, {asked(log, 'ok-1.hot.test')} upstream queries for the hot name")
    assert rate > 15000, "the generator was too slow to show anything"
    assert servfail == 0, f"{servfail} SERVFAIL"
    assert not waiting, f"{len(waiting)} other names unanswered"
    assert latency[int(len(latency) * 0.95)] < 0.4, "another name was delayed"
    # Refresh-ahead renews so short a TTL at half its life.
    assert asked(log, "ok-1.hot.test") <= (seconds + 2.5) / 0.5 + 3, "the hot name is asked again and again"


if __name__ == "__main__":
    {"cold": cold, "expired": expired}[sys.argv[1]](Port(), sys.argv[2])
