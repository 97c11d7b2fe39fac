#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""One run of tools/strangers inside its namespaces: load, warm up, plant, and wait for the alarm.

usage: drive.py LAB WEIRCTL FOLDER SPEC
SPEC is a file of JSON: {"warm_s", "most_s", "rate", "seed", "out", "process", "site", "every", "kind"}; without "site" nothing
is planted and it watches for most_s. Writes to "out" what it saw (README.md has the keys).
"""
import json
import os
import subprocess
import sys
import time

from judge import limit_s
from plan import PROCESSES, SITES, Plan

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/smoke/rig"))
from soak_rig import TROUBLE, Churn, Lab, eventually, redis  # noqa: E402

POLL_S, AFTER_S = 1, 12  # how long more alarms are awaited after the first


def lines(path):
    try:
        with open(path, errors="replace") as f:
            return f.read().splitlines()
    except OSError:
        return []


class Run:
    def __init__(self, lab, spec):
        self.lab, self.spec = lab, spec
        self.plans = {p: Plan(os.environ["WEIR_STRANGERS"], p) for p in PROCESSES}
        self.pids = {p: lab.pid(p) for p in PROCESSES}
        self.seen, self.out = {}, {"warm_s": spec["warm_s"], "before": [], "alarms": [], "died": [], "errors": []}

    def died(self):
        gone = []
        for process, pid in self.pids.items():
            state = [line for line in lines(f"/proc/{pid}/status") if line.startswith("State:")]
            if not state or "Z" in state[0]:
                gone.append(process)
        return gone

    def look(self, begin):
        """The alarms of now; each is kept as it was when it was last seen."""
        try:
            now = self.lab.ctl("mem", "alarms")["alarms"]
        except TROUBLE as error:
            self.out["errors"].append(str(error)[:200])
            return
        for a in now:
            key = (a["process"], a["kind"], a["name"])
            first = self.seen.get(key, {}).get("after_s", round(time.monotonic() - begin, 1))
            self.seen[key] = {**a, "after_s": first}

    def watch(self, most_s, ends):
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < most_s and not ends(now):
            time.sleep(POLL_S)
            self.out["died"] = self.died()
            if self.out["died"]:
                break
            self.look(begin)
        alarms, self.seen = list(self.seen.values()), {}
        return alarms, time.monotonic() - begin

    def counts(self):
        """By process and site: how often it was reached, and with how much."""
        return {p: {i: plan.count(i)[:2] for i in range(1, SITES)} for p, plan in self.plans.items()}

    def rate(self, seconds):
        """What the plant loses an hour, in its unit."""
        return self.plans[self.spec["process"]].count(self.spec["site"])[3] / max(seconds, 1) * 3600

    def enough(self, now):
        """Has an alarm come, some time ago, or is it too late?"""
        first = min((a["after_s"] for a in self.seen.values()), default=None)
        if first is not None:
            return now > first + AFTER_S
        return now > 70 and now > limit_s(self.spec["kind"], self.rate(now)) + 10

    def truth(self):
        """Where what was lost came from: allocation sites, mapped files, what descriptors are of."""
        spec, where = self.spec, set()
        for a, _, text in self.plans[spec["process"]].lost(spec["site"]):
            if spec["kind"] == "heap":
                where.add(text)
            elif spec["kind"] == "descriptor":
                try:
                    where.add(os.readlink(f"/proc/{self.pids[spec['process']]}/fd/{a}"))
                except OSError:
                    continue
            elif spec["kind"] == "map":
                for line in lines(f"/proc/{self.pids[spec['process']]}/maps"):
                    words = line.split(maxsplit=5)
                    begin, end = (int(x, 16) for x in words[0].split("-"))
                    if begin <= a < end:
                        where.add(words[5] if len(words) > 5 else "anonymous")
        return sorted(w for w in where if w)

    def state(self):
        try:
            mem = self.lab.ctl("mem", "tables")
        except TROUBLE as error:
            return {"error": str(error)}
        keep = {"files": ("name", "account", "bytes"), "tables": ("name", "owner", "used", "cap", "bytes"),
                "accounts": ("name", "bytes")}
        return {k: [{c: row.get(c) for c in columns} for row in mem.get(k, ())] for k, columns in keep.items()}

    def go(self):
        spec, out = self.spec, self.out
        out["before"], _ = self.watch(spec["warm_s"], lambda now: False)
        warm = self.counts()
        if spec.get("site") and not out["died"]:
            plan = self.plans[spec["process"]]
            plan.plant(spec["site"], spec["every"])
            out["alarms"], out["watched_s"] = self.watch(spec["most_s"], self.enough)
            out["rate"], out["lost"] = self.rate(out["watched_s"]), plan.count(spec["site"])[2:]
            out["where"] = self.truth()
        elif not out["died"]:
            out["alarms"], out["watched_s"] = self.watch(spec["most_s"], lambda now: False)
        out["reached"] = {p: {i: [n - w for n, w in zip(c, warm[p][i])] for i, c in sites.items() if c[0] > warm[p][i][0]}
                          for p, sites in self.counts().items()}
        out["died"] = self.died()
        if not out["died"]:
            out["state"] = self.state()
        out["logs"] = {p: [line for line in lines(f"/run/weir/lab/{p}.log") if "memory" in line or "assert" in line][-40:]
                       + lines(f"/run/weir/lab/{p}.log")[-5:] for p in PROCESSES}


def main():
    script, ctl, folder, path = sys.argv[1:5]
    with open(path) as f:
        spec = json.load(f)
    lab = Lab(script, ctl, folder, spec["seed"])
    servers = [redis(folder)]
    for server in servers:
        server.start()
        eventually(server.name, server.listens)
    lab.configure(servers, spec.get("sample", 1))
    seconds = spec["warm_s"] + spec["most_s"] + 30
    with subprocess.Popen(lab.perf(lab.questions(100000), seconds, spec["rate"]), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as perf, lab.walk(seconds, spec["seed"]) as walker:
        churn = Churn(lab, servers, reload_s=10, fault_s=0, config_s=15)
        churn.start()
        run = Run(lab, spec)
        try:
            run.go()
        finally:
            churn.end()
            for child in (perf, walker):
                child.terminate()
    run.out["churn"], run.out["churn_errors"] = churn.did, churn.errors[:5]
    with open(spec["out"], "w") as f:
        json.dump(run.out, f)
    for server in servers:
        server.end()


if __name__ == "__main__":
    main()
