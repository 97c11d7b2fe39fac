#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Leaks in places that nobody chose: are they noticed, and who is blamed? (tools/leaks strangers; README.md)"""
import argparse
import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import judge
from plan import PROCESSES, Plan
from tree import Tree

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MIB = 1 << 20
SURVEY_S, LEAST_SEEN = 75, 3  # a site that is not reached so often then is not drawn
FAST, SLOW = (40 * MIB, 1200 * MIB), (8 * MIB, 14 * MIB)  # bytes an hour to aim at
LOSS_S = 2
FAST_S, SLOW_S = 400, 3700  # so long a leak is watched at most
FAST_COUNT, SLOW_COUNT = (1800, 7200), (60, 120)
FAST_ENTRIES, SLOW_ENTRIES = (20000, 72000), (1200, 2400)
NOTICED, NAMED = 0.9, 0.8  # of the planted
# Fixed ones for the short form: process, call, function, one in so many: often enough for a rise at each look, as few large
# lumps are steps.
SHORT = (("controlplane", "shm_region.c", "munmap", "region_unmap", 10),
         ("controlplane", "upstream_udp.c", "close", "socket_close", 30),
         ("dataplane", "stage_tx.c", "rte_pktmbuf_free_bulk", "stage_tx", 30))


def ends_with_parent():
    """In a child: the lab goes when this script does, however that ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Bench:
    def __init__(self, options):
        self.options, self.kept = options, pathlib.Path(options.keep or tempfile.mkdtemp(prefix="weir-strangers-"))
        self.kept.mkdir(parents=True, exist_ok=True)
        self.tree, self.runs = Tree(ROOT / "build-strangers"), 0
        self.row = {}

    def say(self, text):
        print(text, flush=True)

    def run(self, name, **spec):
        """One lab; what drive.py wrote, or {"failed"}."""
        folder = self.kept / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        base = folder / "plan"
        for process in PROCESSES:
            Plan(str(base), process)
        spec = {"rate": self.options.rate, "seed": self.options.seed, "warm_s": self.options.warm, **spec,
                "out": str(folder / "out.json")}
        (folder / "spec.json").write_text(json.dumps(spec))
        environment = {**os.environ, "WEIR_BUILD": str(self.tree.build), "WEIR_STRANGERS": str(base),
                       "SMOKE_TIMEOUT": str(int(spec["warm_s"] + spec["most_s"] + 180))}
        environment.pop("WEIR_SMOKE_INSIDE", None)
        with open(folder / "log", "w") as log:
            subprocess.run(["bash", str(HERE / "lab.sh"), str(folder / "spec.json")], env=environment, stdout=log,
                           stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, preexec_fn=ends_with_parent)
        for process in PROCESSES:
            pathlib.Path(f"{base}.weir-{process}").unlink(missing_ok=True)
        try:
            return json.loads((folder / "out.json").read_text())
        except (OSError, ValueError):
            return {"failed": (folder / "log").read_text()[-600:]}

    # ---- what can be drawn
    def survey(self):
        """Every site that the load reaches, by process: {"process", "site", "per_s", "bytes_per_s"}."""
        path = self.tree.folder / "survey.json"
        if self.options.survey and path.exists():
            return json.loads(path.read_text())
        self.say(f"which sites does the load reach? ({SURVEY_S} s)")
        seen = self.run("survey", warm_s=20, most_s=SURVEY_S)
        if "failed" in seen:
            raise SystemExit(f"strangers: the survey failed: {seen['failed']}")
        rows = []
        for process in PROCESSES:
            for number, counts in seen["reached"].get(process, {}).items():
                site = self.tree.sites[int(number)]
                if counts[0] >= LEAST_SEEN:
                    rows.append({**vars(site), "process": process, "per_s": counts[0] / seen["watched_s"],
                                 "units_per_s": counts[1] / seen["watched_s"]})
        path.write_text(json.dumps(rows))
        return rows

    def planted(self, row, rng, slow):
        """The row with one in how many, or nothing where it gives back too little."""
        whole = row["units_per_s"] * 3600
        if row["kind"] in judge.BYTE_KINDS:
            aims, least = (FAST, SLOW), 10 * MIB
        else:
            aims, least = ((FAST_ENTRIES, SLOW_ENTRIES), 1200) if row["kind"] == "table" else ((FAST_COUNT, SLOW_COUNT), 60)
        low, high = aims[slow]
        if whole < least:
            return None
        aim = low * (high / low) ** rng.random()
        every = min(round(whole / aim), int(row["per_s"] * LOSS_S))  # at least one loss in LOSS_S, where that can be
        every = max(1, every)
        if not slow and judge.limit_s(row["kind"], whole / every) > FAST_S - 20:
            return None
        return {**row, "every": every}

    def draw(self, rows, rng):
        """An endless draw: a kind after the other, in each of them at random, none twice."""
        groups = {}
        for row in rows:
            groups.setdefault((row["process"], row["kind"]), []).append(row)
        order = sorted(groups)
        for group in groups.values():
            rng.shuffle(group)
        drawn = 0
        while any(groups.values()):
            for key in order:
                while groups[key]:
                    row = self.planted(groups[key].pop(), rng, drawn < self.options.slow)
                    if row:
                        drawn += 1
                        yield row
                        break

    # ---- runs
    def leak(self, number, row):
        most = SLOW_S if self.options.slow else FAST_S
        seen = self.run(f"leak-{number}", site=row["id"], every=row["every"], kind=row["kind"], process=row["process"],
                        most_s=most, seed=self.options.seed + number)
        out = {"number": number, "site": row, "name": f"{row['function']} ({os.path.basename(row['path'])}:{row['line']})"}
        if "failed" in seen or seen["died"] or not seen.get("lost", (0,))[0]:
            why = seen.get("failed") or (f"died: {', '.join(seen['died'])}" if seen["died"] else "never reached")
            return {**out, "redrawn": why[-200:], "logs": seen.get("logs")}
        return {**out, "rate": seen["rate"], "lost": seen["lost"], "before": seen["before"], "alarms": seen["alarms"],
                **judge.verdict(row, seen)}

    def leaks(self, rows):
        """Plants until so many have been seen to leak; (those, the redrawn)."""
        rng = random.Random(self.options.seed)
        drawn = self.short() if self.options.short else self.draw(rows, rng)
        counted, redrawn, number = [], [], 0
        with ThreadPoolExecutor(self.options.jobs) as pool:
            while len(counted) < self.options.count:
                batch = []
                for row in drawn:
                    number += 1
                    batch.append(pool.submit(self.leak, number, row))
                    if len(batch) + len(counted) >= self.options.count:
                        break
                if not batch:
                    break
                for done in as_completed(batch):
                    result = done.result()
                    (redrawn if "redrawn" in result else counted).append(result)
                    self.show(result)
        return counted, redrawn

    def short(self):
        for process, file, call, function, every in SHORT:
            wanted = file, call, function
            [site] = [s for s in self.tree.sites.values() if (os.path.basename(s.path), s.call, s.function) == wanted]
            yield {**vars(site), "process": process, "every": every}

    def clean(self, number):
        seen = self.run(f"clean-{number}", most_s=self.options.clean_s, seed=self.options.seed + 1000 + number)
        alarms = seen.get("before", []) + seen.get("alarms", [])
        wrong = seen.get("failed") or (f"died: {seen['died']}" if seen.get("died") else "")
        out = {"number": number, "alarms": alarms, "failed": wrong[-300:], "clean": not alarms and not wrong}
        self.say(f"clean {number}: {'no accusation' if out['clean'] else wrong or [alarm_text(a) for a in alarms]}")
        return out

    def show(self, r):
        where = f"{r['number']:3} {r['site']['process']:12} {r['site']['kind']:10} {r['name']}"
        if "redrawn" in r:
            self.say(f"{where}: drawn again: {r['redrawn'].splitlines()[-1] if r['redrawn'] else ''}")
            return
        unit = f"{r['rate'] / MIB:.0f} MiB/h" if r["site"]["kind"] in judge.BYTE_KINDS else f"{r['rate']:.0f}/h"
        marks = ["noticed" if r["noticed"] else "MISSED", "named" if r["named"] else "not named"]
        marks += [f"WRONG: {alarm_text(a)}" for a in r["wrong"]]
        marks += [f"BEFORE: {alarm_text(a)}" for a in r["before"]]
        self.say(f"{where} 1 in {r['site']['every']}, {unit}: {r['after_s']} s of {r['limit_s']}; {', '.join(marks)}; {r['alarm']}")


def alarm_text(a):
    return f"{a['process']} {a['kind']} {a['name']} {a['by']} ({a['after_s']} s)"


def arguments():
    p = argparse.ArgumentParser(prog="tools/leaks strangers", description="Leave out one in N of what the product gives back, at "
                                "sites drawn at random, and see who notices.")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--count", type=int, default=20, help="planted leaks (20)")
    p.add_argument("--clean", type=int, default=10, help="runs without a leak (10)")
    p.add_argument("--rate", type=int, default=300, help="queries a second (300)")
    p.add_argument("--warm", type=int, default=60, help="seconds of load before (60)")
    p.add_argument("--clean-s", type=int, default=120, help="seconds that a run without a leak is watched after that (120)")
    p.add_argument("--slow", type=int, default=0, help="so many of the leaks at 10 MiB an hour (0)")
    p.add_argument("--jobs", type=int, default=1, help="labs at a time (1)")
    p.add_argument("--survey", action="store_true", help="use the survey of the last run")
    p.add_argument("--short", action="store_true", help="three fixed leaks and one run without")
    p.add_argument("--keep", help="folder for what each run saw")
    return p.parse_args()


def main():
    options = arguments()
    if os.geteuid():
        raise SystemExit("strangers: needs root for namespaces")
    if options.short:
        options.count, options.clean, options.jobs, options.warm, options.clean_s = len(SHORT), 1, len(SHORT), 40, 40
    bench, begin = Bench(options), time.monotonic()
    bench.tree.make(str(ROOT), bench.say)
    rows = [] if options.short else bench.survey()
    kinds = {}
    for row in rows:
        kinds[f"{row['process']} {row['kind']}"] = kinds.get(f"{row['process']} {row['kind']}", 0) + 1
    bench.say(f"{len(bench.tree.sites)} sites, {len(rows)} reached: {kinds}; seed {options.seed}")
    counted, redrawn = bench.leaks(rows)
    with ThreadPoolExecutor(options.jobs) as pool:
        cleans = list(pool.map(bench.clean, range(1, options.clean + 1)))
    noticed, named = (sum(r[key] for r in counted) for key in ("noticed", "named"))
    wrong = sum(bool(r["wrong"] or r["before"]) for r in counted)
    clean = sum(c["clean"] for c in cleans)
    good = (len(counted) >= options.count and noticed >= NOTICED * len(counted) and named >= NAMED * len(counted) and not wrong
            and clean == len(cleans))
    total = {"seed": options.seed, "planted": len(counted), "noticed": noticed, "named": named, "blamed_wrongly": wrong,
             "redrawn": len(redrawn), "clean": clean, "clean_runs": len(cleans), "seconds": round(time.monotonic() - begin),
             "good": good}
    (bench.kept / "strangers.json").write_text(json.dumps({**total, "leaks": counted, "drawn_again": redrawn, "cleans": cleans},
                                                          indent=1))
    bench.say(json.dumps(total))
    if not options.keep:
        shutil.rmtree(bench.kept, ignore_errors=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
