#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Redis fails in every way while clients ask: none of them may notice.

usage: redis_chaos.py WEIRCTL CONFIG FOLDER ZONE_LOG SCENARIO SECONDS RATE SEED

SCENARIO is faults (one server), sentinel or cluster; each fault holds for SECONDS. Runs in the client namespace.
Prints a row a phase and a line of JSON; exit status 1 when a bound is broken. Times of phases of less than 5 s have no bound: what
exceeds the bound of longer phases is reported as late.
"""
import json
import random
import re
import signal
import subprocess
import sys
import threading
import time

import redis

import redis_rig as rig
from chaos_zone import zone_pairs
from redis_load import RedisLoad

WEIRCTL, CONFIG, FOLDER, ZONE_LOG, SCENARIO = sys.argv[1:6]
SECONDS, RATE, SEED = float(sys.argv[6]), int(sys.argv[7]), int(sys.argv[8])
MARGIN_MS = 10   # what Redis may add to a miss
BACK_S = 8       # until Redis is used again: the probe's longest wait and a quarter
SHORT = SECONDS < 5
MISSES = 100     # of a phase whose times are printed
PATIENCE_S = 60  # for what a phase must show, on a machine with other things to do
MAX_KEYS = 20000


def weirctl(*args):
    return subprocess.run([WEIRCTL, "-c", CONFIG, *args], capture_output=True, text=True)


def stats():
    return json.loads(weirctl("--json", "stats", "--interval", "0").stdout)["controlplane"]


def redis_line():
    """What the status says of Redis, in words."""
    return next((line for line in weirctl("status").stdout.splitlines() if line.startswith("cache (L1)")), "")


def configure(text):
    """The lab's configuration with another section `redis`, loaded."""
    with open(CONFIG) as old:
        rest = re.sub(r"(?ms)^redis:\n(  .*\n)*", "", old.read())
    with open(CONFIG, "w") as new:
        new.write(rest + "redis:\n" + text)
    done = weirctl("config", "reload")
    if done.returncode:
        raise SystemExit(f"config reload: {done.stdout}{done.stderr}")


class Phase:
    def __init__(self, name, begin):
        self.name, self.begin, self.end, self.states, self.line = name, begin, None, set(), ""
        self.misses = []


class Campaign:
    def __init__(self, load, kind):
        self.load, self.rig, self.phases = load, kind, []
        self.broken, self.late = [], []

    def expect(self, text, holds, seconds=BACK_S):
        seconds = PATIENCE_S if SHORT else seconds
        end = time.monotonic() + seconds
        while not (got := holds()):
            if time.monotonic() > end:
                self.broken.append(f"not within {seconds} s: {text}")
                return False
            time.sleep(0.05)
        return got

    def up(self):
        return self.expect("Redis is up again", lambda: stats()["redis"]["state"] == "up")

    def phase(self, name, enter=None, leave=None, state=None, word=None, counter=None, seconds=SECONDS):
        """One fault, for `seconds` or until it has shown all: `state` must be seen, the status must say `word`, the counter
        must grow."""
        before = stats()
        begin = time.monotonic()
        p = Phase(name, begin)
        self.phases.append(p)
        if enter:
            enter()
        shown = False
        while time.monotonic() < begin + seconds or not shown and time.monotonic() < begin + PATIENCE_S:
            now = stats()
            p.states.add(now["redis"]["state"])
            line = redis_line()
            if not p.line or (word and word in line):
                p.line = line
            shown = (state in (None, *p.states) and (word or "") in p.line
                     and all(now[group][key] > before[group][key] for group, key in counter or ())
                     and len(self.load.between(begin, time.monotonic())) > MISSES * 1.2)
            time.sleep(0.1)
        p.end = time.monotonic()
        if leave:
            leave()
        if enter or leave:
            self.up()
        p.back = time.monotonic() - p.end
        after = stats()
        if state and state not in p.states:
            self.broken.append(f"{name}: state {p.states}, never {state}")
        if word and word not in p.line:
            self.broken.append(f"{name}: the status does not say {word!r}: {p.line!r}")
        for group, key in counter or ():
            if after[group][key] <= before[group][key]:
                self.broken.append(f"{name}: {group}.{key} stays {after[group][key]}")
        time.sleep(0.3)
        print(self.row(p), flush=True)

    def row(self, p):
        p.misses = self.load.between(p.begin, p.end)
        of = lambda share: p.misses[int(len(p.misses) * share)] if p.misses else float("nan")
        return (f"{p.name:22} {len(p.misses):6} misses  p50 {of(.5):6.2f}  p95 {of(.95):6.2f}  p99 {of(.99):6.2f}  "
                f"max {of(.9999):7.2f} ms  up after {p.back:4.1f} s  {'+'.join(sorted(p.states))}: "
                f"{p.line[16:].strip()}")

    def scan(self, text):
        """After each scenario: no key of any master is without a TTL."""
        found = None

        def scanned():  # a cluster on a machine that holds it up is down now and then
            nonlocal found
            try:
                found = rig.scan(self.rig.masters())
            except redis.RedisError:
                return False
            return True

        if not self.expect(text, scanned):
            return
        answers, others, endless = found
        print(f"{text}: {answers} answers and {others} other keys, {len(endless)} without a TTL", flush=True)
        if endless or not answers:
            self.broken.append(f"{text}: {answers} answers, without a TTL: {endless[:5]}")


def slowly(server, stop):
    """A server that sleeps 20 ms between any two turns."""
    client = server.client()
    while not stop.is_set():
        client.execute_command("DEBUG", "SLEEP", "0.02")


def late():
    """How often Redis was found too slow, or not asked, or its connection ended before its reply."""
    s = stats()
    return s["l1"]["timeouts"] + s["l1"]["skipped"] + s["redis"]["timeouts"] + s["redis"]["lost"]


class Without:
    """Between which misses weir found Redis too slow, asked for none as its connection was away, or got no reply as it ended."""

    def __init__(self, load):
        self.load, self.spans, self.next = load, [], 0
        self.seen = load.misses, late()

    def look(self, last=False):
        if time.monotonic() < self.next and not last:
            return
        self.next = time.monotonic() + 0.1
        now = self.load.misses, late()
        if now[1] > self.seen[1] or stats()["redis"]["state"] != "up":
            self.spans.append((self.seen[0] - 50, now[0] + 50))  # those in flight
        self.seen = now

    def has(self, n):
        return any(first <= n <= end for first, end in self.spans)


def hostile_value(client, key, other, dice):
    """One of nine that no weir wrote; `other` is another name's answer."""
    now = int(time.time())
    fields = lambda **over: {"v": "1", "msg": b"\0" * 40, "created_at": now, "soft_expiry": now + 60,
                             "stored_ttl": 60, "auth_ttl": 60, "hits": 0, **over}
    what = dice.randrange(9)
    if what == 0:
        client.set(key, "a string")
    elif what == 1:
        client.rpush(key, *range(50))
    elif what == 2:
        client.zadd(key, {"member": 1})
    elif what == 3:
        client.hset(key, mapping=fields(msg=dice.randbytes(dice.randrange(2000))))
    elif what == 4:
        client.hset(key, mapping=fields(stored_ttl="9" * 400, soft_expiry="-1"))
    elif what == 5:
        client.hset(key, mapping=fields(msg=b"x" * (2 << 20 if dice.random() < 0.05 else 20000)))
    elif what == 6:
        client.hset(key, "v", "2")
    elif what == 7:
        if found := client.hgetall(other):
            client.hset(key, mapping=found)
    else:
        client.hset(key, mapping={str(n): "x" * 100 for n in range(200)})
    if dice.random() < 0.01:
        client.delete("weir-meta:expiry")
        client.set("weir-meta:expiry", "no index")


def hostile(server, load, stop, dice):
    """Takes the names that the load will ask for next, and the index."""
    client, begin, without = server.client(), load.misses, Without(load)
    view = next(client.scan_iter("weir:*:v*", count=1000)).decode().rsplit(":", 1)[1]
    name = lambda n: f"weir:{load.miss_name(n)}:28:1:{view}"
    at = begin
    while not stop.is_set():
        without.look()
        at = max(at, load.misses + 20)
        if at > load.misses + 200:
            time.sleep(0.01)
            continue
        try:
            hostile_value(client, name(at), name(max(1, at - 300)), dice)
        except redis.ResponseError:
            pass  # a value of another kind is still there, because nothing read it
        at += 1
    # What was never asked for is nobody's to clean up but ours, nor what was asked for while weir did without Redis.
    without.look(last=True)
    for n in range(begin, at + 1):
        if n >= load.misses or without.has(n) and client.ttl(name(n)) == -1:
            client.delete(name(n))


class Beside:
    """A thread that runs during a phase."""

    def __init__(self, body, *args):
        self.stop = threading.Event()
        self.thread = threading.Thread(target=body, args=(*args[:1], *args[1:], self.stop), daemon=True)

    def enter(self):
        self.thread.start()

    def leave(self):
        self.stop.set()
        self.thread.join()


def faults(c, load):
    server, dice = c.rig.servers[0], random.Random(SEED)
    c.phase("killed", server.kill, server.start, state="away", word="away for")
    c.phase("stopped", lambda: server.signal(signal.SIGSTOP), lambda: server.signal(signal.SIGCONT), state="away",
            word="away for", counter=[("redis", "timeouts")])
    slow = Beside(slowly, server)
    c.phase("slow", slow.enter, slow.leave, state="away", counter=[("l1", "timeouts")])
    c.phase("full", lambda: server.say("CONFIG", "SET", "maxmemory", 1),
            lambda: server.say("CONFIG", "SET", "maxmemory", 0), state="refusing", word="OOM", counter=[("redis", "oom")])
    c.phase("read-only", lambda: server.say("REPLICAOF", "127.0.0.1", 1),
            lambda: server.say("REPLICAOF", "NO", "ONE"), state="refusing", word="READONLY", counter=[("redis", "readonly")])
    flush = Beside(lambda s, stop: [s.say("FLUSHALL") for _ in iter(lambda: stop.wait(0.2), True)], server)
    c.phase("flushed all the time", flush.enter, flush.leave, state="up")
    bad = Beside(lambda s, stop: hostile(s, load, stop, dice), server)
    c.phase("hostile values", bad.enter, bad.leave, counter=[("l1", "bad")])
    time.sleep(1)


def sentinel(c, load):
    first = c.rig.masters()[0]
    moved = stats()["redis"]["failovers"]
    c.phase("master killed", first.kill, None, state="away", word="away", seconds=SECONDS + 2.5,
            counter=[("redis", "failovers")])
    c.phase("the other is master")
    first.start("--replicaof", f"127.0.0.1 {c.rig.masters()[0].port}")
    rig.eventually("the old master follows", lambda: first.client().info("replication")["role"] == "slave"
                   and first.client().info("replication")["master_link_status"] == "up")
    c.phase("failover asked for", lambda: c.rig.sentinels[0].say("SENTINEL", "FAILOVER", "weir"), None,
            seconds=SECONDS + 1.5, counter=[("redis", "failovers")])
    c.expect("two failovers were followed", lambda: stats()["redis"]["failovers"] >= moved + 2, 5)


def cluster(c, load):
    dice = random.Random(SEED)

    def reshard(kind, stop):
        moved = 0
        while not stop.is_set():
            here = dice.randrange(3)
            slots = [slot for slot in range(rig.SLOTS) if kind.owner[slot] == here]
            at = dice.randrange(len(slots) - 100)
            moved += kind.move(slots[at:at + 100], (here + dice.choice((1, 2))) % 3, 0.2)
        print(f"{moved} keys moved to other masters", flush=True)

    moving = Beside(reshard, c.rig)
    c.phase("resharded", moving.enter, moving.leave, state="up", seconds=SECONDS * 3,
            counter=[("redis", "moved"), ("redis", "asked")])
    last = c.rig.servers[2]
    c.phase("a master stopped", lambda: last.signal(signal.SIGSTOP), lambda: last.signal(signal.SIGCONT), state="partial")
    c.expect("the cluster is whole again", lambda: rig.Cluster.info(last).get("cluster_state") == "ok", 15)


def judge(c, load):
    broken = c.broken
    if load.error:
        broken.append(f"the load generator died: {load.error}")
    if load.bad:
        broken.append(f"{len(load.bad)} wrong replies, the first: {load.bad[0][1]}: {load.bad[0][2]}")
    if load.lost:
        broken.append(f"{len(load.lost)} queries without a reply: {[kind for _, kind in load.lost[:5]]}")
    if foreign := load.pairs - zone_pairs(ZONE_LOG):
        broken.append(f"{len(foreign)} answers that the zone never gave, one: {next(iter(foreign))}")
    of = lambda got, share: got[int(len(got) * share)]
    without = [p.misses for p in c.phases if p.name.startswith("no Redis") and p.misses]
    for p in c.phases:
        if len(p.misses) < MISSES:
            broken.append(f"{p.name}: only {len(p.misses)} misses: this shows nothing")
            continue
        for share in (0.5, 0.95, 0.99):
            bound = max(of(misses, share) for misses in without) + MARGIN_MS
            if of(p.misses, share) > bound:
                c.late.append(f"{p.name}: p{share * 100:.0f} is {of(p.misses, share):.1f} ms, over {bound:.1f} ms")
    return {p.name: {"misses": len(p.misses), "p50_ms": round(of(p.misses, .5), 2),
                     "p99_ms": round(of(p.misses, .99), 2)} for p in c.phases if p.misses}


def main():
    kind = {"faults": rig.Standalone, "sentinel": rig.Sentinels, "cluster": rig.Cluster}[SCENARIO](FOLDER)
    load = RedisLoad(RATE, SEED, SCENARIO)
    load.warm()
    c = Campaign(load, kind)
    on = kind.config() + f"  max_keys: {MAX_KEYS}\n"
    configure(on)
    c.up()
    load.warm_deep()
    configure("  mode: off\n")
    load.start()
    time.sleep(0.5)
    c.phase("no Redis")
    configure(on)
    c.up()
    c.phase("Redis", state="up", word="up", counter=[("l1", "hits"), ("l1", "puts")])
    {"faults": faults, "sentinel": sentinel, "cluster": cluster}[SCENARIO](c, load)
    c.phase("Redis again", state="up")
    c.scan("at the end")
    configure("  mode: off\n")
    c.phase("no Redis again")
    load.stop_at.set()
    load.join()
    figures = judge(c, load)
    if SHORT:
        print("".join(f"late: {late}\n" for late in c.late), end="")
        c.late.clear()
    print("\n".join(f"BROKEN: {b}" for b in c.broken + c.late) or "all bounds hold")
    print(json.dumps({"goal": "redis", "case": SCENARIO, "ok": not c.broken + c.late, "rate": RATE, "seed": SEED,
                      "sent": sum(load.sent.values()), "phases": figures}))
    sys.exit(bool(c.broken + c.late))


if __name__ == "__main__":
    main()
