#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The campaign of tools/chaos kept: how much of the cache is there for a process that was killed and started again.

usage: chaos_kept.py LAB WEIRCTL TIMES PROCESS NAMES SEED ZONE_LOG

Runs in the client namespace. Asks for every name once right before a kill, and once right after the first answer of
the new life, with nothing else going on, so that nothing is evicted meanwhile. A name is kept when its answer is the very
one from before: its serial says so. Prints a row for each kill, then a line of JSON; exit status 1 when less than 99.9%
was kept, a name was asked of the upstream again, or an answer was wrong.
"""
import json
import random
import subprocess
import sys
import threading
import time

import chaos_load
from chaos_lab import KEPT, Lab

LAB, WEIRCTL, TIMES, PROCESS, NAMES, SEED, ZONE_LOG = sys.argv[1:8]
BURST, PAUSE_S, TRIES, WAIT_S = 20, 0.005, 8, 2.0


def sweep(load):
    """Asks each name until it is answered, TRIES times at most; those that never were."""
    missing = load.pools["cached"]
    load.good["cached"].clear()
    for attempt in range(TRIES):
        for n, q in enumerate(missing):
            load.send(q, (20000 + attempt, n), time.monotonic())
            if n % BURST == BURST - 1:
                time.sleep(PAUSE_S)
                load.take(time.monotonic())
        load.settle(WAIT_S)
        missing = [q for q, _ in load.waiting.values()]
        load.waiting.clear()
        if not missing:
            break
    return missing


def asked_upstream():
    with open(ZONE_LOG) as log:
        return sum(line.startswith("c") for line in log)


def entries():
    done = subprocess.run([WEIRCTL, "-c", Lab.CONFIG, "--json", "status"], capture_output=True, text=True)
    return json.loads(done.stdout)["controlplane"]["l0_entries"]


def first_service(load, timeout_s=60):
    """Asks one cached name again and again; when it was answered."""
    end = time.monotonic() + timeout_s
    q, ident = load.pools["cached"][0], 0
    while time.monotonic() < end:
        ident += 1
        try:
            load.send(q, (19999, ident), time.monotonic())
            time.sleep(0.002)
            load.take(time.monotonic())
        except OSError:
            load.reopen()
        if load.good["cached"]:
            break
    load.waiting.clear()
    if not load.good["cached"]:
        raise SystemExit(f"no answer within {timeout_s} s")
    return time.monotonic()


def one_kill(load, lab, what, dice):
    lost = sweep(load)
    if lost or load.bad:
        raise SystemExit(f"before the kill: {len(lost)} unanswered, {load.bad[:3]}")
    before, had, asked = {q.name: q.serial for q in load.pools["cached"]}, entries(), asked_upstream()
    load.good["cached"].clear()
    for process in what:
        lab.run("kill", process)
    order = dice.sample(what, len(what))
    starts = threading.Thread(target=lambda: [lab.run("start", process) for process in order], daemon=True)
    starts.start()
    answered = first_service(load)
    starts.join()
    row = {}
    if "dataplane" in what:
        row["answer_s"] = answered - lab.started_s("dataplane")
    lost = sweep(load)
    row["kept"] = sum(q.serial == before[q.name] for _, q, _ in load.good["cached"])
    row.update(names=len(before), unanswered=len(lost), entries_before=had, entries_after=entries(),
               asked_again=asked_upstream() - asked)
    return row


def main():
    chaos_load.CACHED, chaos_load.BLOCKED, chaos_load.SHORT = int(NAMES), 1, 1
    load, lab, dice = chaos_load.Load(1000, int(SEED)), Lab(LAB), random.Random(int(SEED))
    load.warm()
    what = ["controlplane", "dataplane"] if PROCESS == "both" else [PROCESS]
    rows = []
    for n in range(int(TIMES)):
        row = one_kill(load, lab, what, dice)
        rows.append(row)
        print(f"{n + 1:4}  {'+'.join(p[:-5] for p in what):13} kept {row['kept']}/{row['names']}  unanswered "
              f"{row['unanswered']}  asked again {row['asked_again']}  records {row['entries_before']} then "
              f"{row['entries_after']}", flush=True)
    least = min(row["kept"] / row["names"] for row in rows)
    again = sum(row["asked_again"] for row in rows)
    broken = [f"only {least:.4%} kept"] if least < KEPT else []
    if again:
        broken.append(f"{again} names were asked of the upstream again")
    if load.bad:
        broken.append(f"{len(load.bad)} wrong replies, the first: {load.bad[0]}")
    print("\n".join(f"BROKEN: {b}" for b in broken) or "all bounds hold")
    print(json.dumps({"goal": "chaos", "case": "kept", "ok": not broken, "kills": len(rows), "process": PROCESS,
                      "names": int(NAMES), "least_kept": least, "asked_again": again, "wrong": len(load.bad),
                      "first_answer_max_s": max((row["answer_s"] for row in rows if "answer_s" in row), default=None), "seed": int(SEED)}))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
