#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""More distinct names than L0 or Redis may keep: nothing grows over its bound.

usage: redis_names.py WEIRCTL CONFIG FOLDER LAB NAMES MAX_KEYS L0_MB RATE

Runs beside the control plane; dnsperf asks for each name once, from the client namespace. Prints a line of JSON; exit
status 1 when a bound is broken.
"""
import json
import os
import re
import subprocess
import sys
import time

import redis_rig as rig
from regions import region_files

WEIRCTL, CONFIG, FOLDER, LAB = sys.argv[1:5]
NAMES, MAX_KEYS, L0_MB, RATE = map(int, sys.argv[5:9])
WARM = 0.3          # of the names; until then memory may grow
SWEPT_S = 45        # two rounds of the sweep and what one may take
IN_FLIGHT = int(200 / float(os.environ.get("WEIR_PATIENCE", 1)))  # of tools/leaks, whose control plane takes longer for each
GROWTH_KB = 2048    # of the control plane after warm-up: pages that its allocator touched late


def stats():
    """Asked again while the resolver's thread has no time for it, and its part is left out."""
    for _ in range(50):
        done = subprocess.run([WEIRCTL, "-c", CONFIG, "--json", "stats", "--interval", "0"], capture_output=True, text=True)
        if "resolver" in (s := json.loads(done.stdout)["controlplane"]):
            return s
    raise SystemExit("the resolver says nothing")


def rss_kb():
    with open(f"{os.path.dirname(CONFIG)}/controlplane.pid") as record:
        pid = record.read().split()[0]
    with open(f"/proc/{pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def region_bytes():
    """What the files of L0 take, whatever the control plane says of itself."""
    return sum(os.path.getsize(path) for path in region_files() if re.fullmatch(r"l0\.\d+", os.path.basename(path)))


def load(turn, server, samples):
    """Asks for each name once, and takes samples meanwhile; what dnsperf says."""
    names = f"{FOLDER}/names"
    with open(names, "w") as out:
        out.writelines(f"n{n}.{'again.' * turn}wild.lab.example A\n" for n in range(NAMES))
    # Queries wait while the worker has no CPU, as they would in a NIC's larger queue.
    subprocess.run([LAB, "exec", "ip", "link", "set", "wt0", "txqueuelen", "10000"], check=True)
    before = stats()["resolver"]["misses"]
    asks = subprocess.Popen([LAB, "exec", "dnsperf", "-s", "198.18.0.53", "-d", names, "-n", "1", "-q", str(IN_FLIGHT),
                             "-Q", str(RATE)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while asks.poll() is None:
        s = stats()
        samples.append({"misses": s["resolver"]["misses"] - before, "rss_kb": rss_kb(), "l0": s["l0"]["bytes"],
                        "region": region_bytes(), "keys": server.say("DBSIZE")})
        time.sleep(0.25 if NAMES < 100000 else 2)
    return asks.communicate()[0]


def answer_policy_load(said, warm):
    """Whether all were answered, and memory did not grow from `warm` on."""
    broken = []
    done = int(re.search(r"Queries completed:\s+(\d+)", said)[1])
    good = int((re.search(r"NOERROR (\d+)", said) or [0, 0])[1])
    if done != NAMES or good != NAMES:
        broken.append(f"of {NAMES} queries {done} were answered, {good} with the answer")
    # Of a control plane that tools/leaks watches it is the sanitizer's memory, which keeps what was freed for a while.
    if rss_kb() > warm + GROWTH_KB and not os.environ.get("WEIR_CONTROLPLANE"):
        broken.append(f"the control plane took {warm} KiB when it was warm, {rss_kb()} KiB at the end")
    return broken


def main():
    kind = rig.Standalone(FOLDER)
    subprocess.run([WEIRCTL, "-c", CONFIG, "config", "reload"], check=True, capture_output=True)
    rig.eventually("Redis is up", lambda: stats()["redis"]["state"] == "up")
    first, begin, samples = stats(), time.monotonic(), []
    said = load(0, kind.servers[0], samples)
    warm = next(sample["rss_kb"] for sample in samples if sample["misses"] >= NAMES * WARM)
    broken = answer_policy_load(said, warm)
    # What a machine with other things to do held up takes more memory, and may be lost, once; what grows, grows on.
    for turn in range(1, 3 if NAMES < 100000 else 1):
        if not broken:
            break
        print(f"once more: {broken}")
        before = rss_kb()
        broken = answer_policy_load(load(turn, kind.servers[0], samples), before)
    took = time.monotonic() - begin
    s = stats()
    if s["resolver"]["misses"] - first["resolver"]["misses"] < NAMES:
        broken.append(f"only {s['resolver']['misses']} misses: this shows nothing")
    end = time.monotonic() + SWEPT_S
    while (found := rig.scan(kind.masters()))[0] > MAX_KEYS and time.monotonic() < end:
        time.sleep(1)
    keys, others, endless = found
    if keys > MAX_KEYS or keys < MAX_KEYS // 2:
        broken.append(f"{keys} answers in Redis, at most {MAX_KEYS} should be (and half of that at least)")
    if endless:
        broken.append(f"{len(endless)} keys without a TTL, one: {endless[0]}")
    pages = max(os.statvfs(path).f_bsize for path in region_files() if os.path.basename(path).startswith("l0."))
    bound = -((L0_MB << 20) // -pages) * pages  # a file has whole pages, of 2 MiB where those are huge
    top = {key: max(sample[key] for sample in samples) for key in ("l0", "region", "keys", "rss_kb")}
    if top["l0"] > bound or top["region"] > bound:
        broken.append(f"L0 took {top['l0']} bytes, its files {top['region']}; the bound is {bound}")
    s = stats()
    gone = sum(s["l0"][key] for key in ("evicted_space", "evicted_bucket", "deleted"))
    if gone < NAMES // 2 or not s["l1"]["evicted"]:
        broken.append(f"L0 gave up {gone} answers, Redis {s['l1']['evicted']}: this shows nothing")
    print("\n".join(f"BROKEN: {b}" for b in broken) or "all bounds hold")
    print(json.dumps({"goal": "redis", "case": "names", "ok": not broken, "names": NAMES, "seconds": round(took),
                      "max_keys": MAX_KEYS, "keys": keys, "keys_top": top["keys"], "other_keys": others,
                      "l0_bound": bound, "l0_top": top["l0"], "l0_files": top["region"], "rss_warm_kb": warm,
                      "rss_top_kb": top["rss_kb"], "rss_end_kb": rss_kb(), "gone_l0": gone,
                      "evicted_redis": s["l1"]["evicted"], "swept": s["l1"]["sweep_rounds"],
                      "sweep_failed": s["l1"]["sweep_failed"], "puts_lost": s["l1"]["puts_lost"]}))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
