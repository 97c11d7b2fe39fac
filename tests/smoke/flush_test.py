#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Flushes in a running lab with Redis, under load: flushed names go upstream again, no client goes unanswered."""
import collections
import contextlib
import re
import socket
import subprocess
import threading
import time

from testing import PATIENCE, TMP, Reply, becomes, main, query, run, wait

PORT, NAME = 6390, "serial-3000.kept.test"  # each answer of the upstream is another one
LAB = {"config": {"redis": {"mode": "standalone", "addresses": [f"127.0.0.1:{PORT}"], "timeout_ms": 5000, "lookup_timeout_ms": 1000}}}
server = None


def redis(*words, **how):
    return run("redis-cli", "-p", PORT, *words, **how)


def state(lab, part):
    return lab.get("cache/stats")[part]


def stored(name):
    return redis("--scan", "--pattern", f"weir:{name}:1:1:v*").strip()


def test_redis_is_up(lab):
    global server
    server = subprocess.Popen(["redis-server", "--port", str(PORT), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                               "--dir", TMP], stdout=subprocess.DEVNULL)
    wait(lambda: state(lab, "redis")["state"] == "up" and state(lab, "flush")["subscribed"] >= 1)


def test_flush_of_a_name(lab):
    first = lab.short(NAME)
    wait(lambda: stored(NAME), "the answer is not in Redis")
    assert lab.short(NAME) == first
    said = lab.weirctl(f"cache get {NAME} A")
    assert len(re.findall(r"^L[01] +A +NOERROR", said, re.M)) == 2
    assert "hits a minute" in said
    lab.weirctl(f"cache flush {NAME}")
    assert stored(NAME) == ""
    assert lab.short(NAME) != first


def test_flush_of_another_box(lab):
    """L0 lets it go too, and the copy in Redis is older than the flush."""
    before = lab.short(NAME)
    wait(lambda: stored(NAME), "the answer is not in Redis")
    time.sleep(2.2)  # Redis counts the age of a copy by its own clock
    redis("PUBLISH", "weir-meta:flush", f"1 0123456789abcdef name {NAME}")
    wait(lambda: state(lab, "flush")["heard"] == 1 and state(lab, "flush")["removed_for_others"] >= 1)
    assert lab.short(NAME) != before
    refused, began = state(lab, "flush")["refused"], time.monotonic()
    for _ in range(20):
        redis("PUBLISH", "weir-meta:flush", "1 0123456789abcdef all .")
    becomes(20, lambda: state(lab, "flush")["heard"] - 1 + state(lab, "flush")["refused"] - refused)
    spans = (time.monotonic() - began) // 2 + 1  # of 2 s, begun since the first was sent
    assert 1 <= state(lab, "flush")["heard"] - 1 <= spans + 1


@contextlib.contextmanager
def load(lab):
    """Queries for 200 names, which must all be answered; their codes are counted."""
    end, sent, codes = threading.Event(), {}, collections.Counter()

    def take(seconds):
        sock.settimeout(seconds)
        with contextlib.suppress(TimeoutError, BlockingIOError):
            while True:
                reply = Reply(sock.recv(512))
                codes[reply.rcode] += 1
                sent.pop(reply.msg.id, None)

    def ask():
        while not end.wait(0.002):
            number = sum(codes.values()) + len(sent)
            wire = query(f"ok-3000.n{number % 200}.load.test", ident=number & 0xffff)
            sent[number & 0xffff] = wire
            sock.send(wire)
            take(0.0001)
        for _ in range(int(PATIENCE)):
            if sent:
                take(1)
    with lab.connect() as sock:
        sock.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)  # SO_RCVBUFFORCE: the replies to all that waited while a worker had no CPU
        thread = threading.Thread(target=ask)
        thread.start()
        try:
            wait(lambda: codes["NOERROR"] >= 500)
            yield codes
        finally:
            end.set()
            thread.join()
    assert (len(sent), list(codes)) == (0, ["NOERROR"])


def test_flushes_under_load(lab):
    with load(lab) as codes:
        for _ in range(2):
            for what in ("--all", "--below load.test", "ok-3000.n7.load.test"):
                lab.weirctl(f"cache flush {what}")
                before = codes["NOERROR"]
                wait(lambda before=before: codes["NOERROR"] >= before + 300)
    assert state(lab, "flush")["asked"] == 7
    script = "local n=0 for _,k in ipairs(redis.call('KEYS','*')) do if redis.call('TTL',k)<0 then n=n+1 end end return n"
    assert redis("EVAL", script, 0).strip() == "0"  # every key has a TTL


def test_flush_without_redis(lab):
    server.terminate()
    server.wait()
    becomes("away", lambda: state(lab, "redis")["state"])
    lab.ask(NAME)
    said = lab.weirctl(f"cache flush {NAME}", status=1)
    assert "Redis is unreachable: nothing removed there; the flush was not sent to other boxes" in said
    assert re.search("^L0: 1 ", said, re.M), said
    assert re.search("^ *began to listen +1( |$)", lab.weirctl("cache stats"), re.M)


if __name__ == "__main__":
    main()
