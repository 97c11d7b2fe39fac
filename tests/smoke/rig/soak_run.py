#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The parts of tools/soak and their samples; soak_judge.py has the verdict. Runs in the namespace of the servers.

usage: soak_run.py LAB WEIRCTL FOLDER MINUTES RATE SEED KEEP PLANTED
"""
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter

import soak_sites
import soak_tables
from soak_judge import PROCESSES, found, verdict
from soak_rig import TROUBLE, Churn, Lab, eventually, neighbours

LAB = Lab(*sys.argv[1:4], int(sys.argv[6]))
MINUTES, RATE, SEED, KEEP, PLANTED = int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]), sys.argv[7], sys.argv[8]
DRAIN_S = 20
LOOKS, LOOK_S = 20, 0.25  # at descriptors
CONTROL, CLOSED_S = "unix /run/weir/control/control.sock", 1
LEAK_MISSED = 3


def mappings(pid):
    """Bytes by kind of mapping, as the kernel has them: who maps what is read here, whatever weir says."""
    kinds = {"anonymous": 0, "file": 0, "huge": 0, "shared": 0, "deleted": 0}
    count = {"maps": 0, "deleted_maps": 0}
    with open(f"/proc/{pid}/maps") as maps:
        for line in maps:
            words = line.split(maxsplit=5)
            name = words[5].strip() if len(words) > 5 else ""
            begin, end = (int(x, 16) for x in words[0].split("-"))
            deleted = name.endswith("(deleted)") and not name.startswith(("/memfd:", "/SYSV", "/anon_hugepage"))
            kind = ("deleted" if deleted else "huge" if "huge" in name else "shared" if words[1].endswith("s")
                    else "file" if name.startswith("/") else "anonymous")
            kinds[kind] += end - begin
            count["maps"] += 1
            count["deleted_maps"] += deleted
    return {**count, "mapped": kinds}


def proc(what):
    pid = LAB.pid(what)
    out = {"fds": len(os.listdir(f"/proc/{pid}/fd")), "threads": len(os.listdir(f"/proc/{pid}/task")), **mappings(pid)}
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(("RssAnon:", "VmData:", "VmRSS:")):
                out[line.split(":")[0]] = int(line.split()[1]) << 10
    return out


def sockets(pid):
    """By inode: protocol and both addresses of a socket of that process's namespace, as the kernel writes them."""
    names = {}
    for protocol in ("tcp", "tcp6", "udp", "udp6"):
        with open(f"/proc/{pid}/net/{protocol}") as rows:
            for words in map(str.split, list(rows)[1:]):
                names[words[9]] = f"{protocol} {words[1]} {words[2]}"
    with open(f"/proc/{pid}/net/unix") as rows:
        for words in map(str.split, list(rows)[1:]):
            names[words[6]] = " ".join(["unix", *words[7:]])
    return names


def open_now(what):
    """What each descriptor of a process is of: (kind, name); kinds are socket, anon_inode, pipe, memfd, file."""
    pid = LAB.pid(what)
    folder, names, out = f"/proc/{pid}/fd", sockets(pid), []
    for fd in os.listdir(folder):
        try:
            target = os.readlink(f"{folder}/{fd}")
        except OSError:  # closed meanwhile
            continue
        kind = "memfd" if target.startswith("/memfd:") else "file" if target.startswith("/") else target.split(":")[0]
        out.append((kind, names.get(target[8:-1], "socket of no address") if kind == "socket" else target))
    return out


def open_after(what):
    """open_now once weir has closed the connection that asked for the tables, which counted it; a second later at most.

    Beside another test weir may close it before or behind a look, and the look in the middle then differs by one.
    """
    end = time.monotonic() + CLOSED_S
    while True:
        there = open_now(what)
        if sum(name == CONTROL for _, name in there) <= 1 or time.monotonic() > end:
            return there
        time.sleep(0.01)


def descriptors(what):
    """{"fds", "fds_beyond", "fds_kinds", "fds_names"}: open, less what entries of tables hold, of the look in the middle.

    What opens or closes between the tables and /proc moves a look by one, either way; a leak is in each look.
    """
    looks = []
    for _ in range(LOOKS):
        held = sum(t.get("descriptors", 0) + t.get("files", 0) for t in LAB.ctl("mem", "tables")["tables"] if t["owner"] != "dataplane")
        there = open_after(what)
        looks.append({"fds": len(there), "fds_beyond": len(there) - (held if what == "controlplane" else 0),
                      "fds_kinds": Counter(kind for kind, _ in there), "fds_names": sorted(name for _, name in there)})
        time.sleep(LOOK_S)
    return sorted(looks, key=lambda look: look["fds_beyond"])[len(looks) // 2]


def alarms():
    """What weir accuses now, and how often it did since it started."""
    reply = LAB.ctl("mem", "alarms")
    return reply["raised"], [f"{a['process']}: {a['kind']} {a['name']} {a['by']}".strip() for a in reply["alarms"]]


def explained(mem):
    """By process: the share of its resident set that weir names an owner for."""
    dataplane = mem["dataplane"]
    return {"controlplane": round(mem["resident"]["explained"] / mem["process"]["rss"], 4),
            "dataplane": round(dataplane["explained"] / dataplane["rss"], 4)}


def sample():
    mem = LAB.ctl("mem", "accounts")
    raised, present = alarms()
    return mem, {"s": round(time.monotonic(), 3), "allocated": mem["process"]["allocated"], "rss": mem["process"]["rss"],
            "unexplained": mem["unexplained"], "explained": explained(mem),
            "accounts": {a["name"]: a["bytes"] for a in mem["accounts"]},
            "in_filling": {a["name"]: a["in_filling"] for a in mem["accounts"]}, "raised": raised, "alarms": present,
            "controlplane": proc("controlplane"), "dataplane": proc("dataplane")}


# No divisor of the churn's periods: samples that all fall into a reload see two generations of tables, each time.
SITES_S, TABLES_S, sites_seen, tables_seen = 30, 7, [], soak_tables.Seen()


def sites_keep(mem):
    """What soak_sites.py asks for, now and then."""
    if not sites_seen or mem["unix_s"] >= sites_seen[-1]["unix_s"] + SITES_S:
        other = mem.get("dataplane", {})
        sites_seen.append({"unix_s": mem["unix_s"], "process": {"pid": mem["process"]["pid"]}, "sites": mem["sites"],
                           "dataplane": {"pid": other.get("pid"), "sites": other.get("sites", [])}})
    if int(mem["unix_s"]) % TABLES_S == 0:
        tables_seen.add(mem)


class Sampler(threading.Thread):
    def __init__(self, kept):
        super().__init__(daemon=True)
        self.stop, self.samples, self.kept = threading.Event(), [], kept

    def run(self):
        while not self.stop.wait(1):
            try:
                mem, row = sample()
            except TROUBLE:
                continue
            self.samples.append(row)
            sites_keep(mem)
            if self.kept:
                print(json.dumps(self.samples[-1]), file=self.kept, flush=True)

    def end(self):
        self.stop.set()
        self.join(10)
        return self.samples


def buffers():
    dp = LAB.ctl("stats", "--interval", "0")["dataplane"]
    return {"in_use": sum(w["mbuf_size"] - w["mbuf_free"] for w in dp["workers"]),
            "breaches": sum(w["mbuf_breaches"] for w in dp["workers"])}


def load(name, seconds, servers, kept):
    """Traffic, churn and faults for a time; how it went, and the samples."""
    churn, sampler = Churn(LAB, servers), Sampler(kept)
    walker = LAB.walk(seconds, SEED + len(name))
    churn.start()
    sampler.start()
    perf = subprocess.run(LAB.perf(f"{LAB.folder}/questions", seconds, RATE), capture_output=True, text=True)
    walked = walker.communicate(timeout=60)[0]
    churn.end()
    counted = {}
    for line in perf.stdout.splitlines():
        for key in ("Queries sent", "Queries completed", "Queries per second"):
            if line.strip().startswith(key + ":"):
                counted[key.lower().replace(" ", "_")] = float(line.split(":")[1].split()[0])
    row = {"part": name, "seconds": seconds, **counted, "clients": json.loads(walked or "{}"), "churn": churn.did,
           "errors": churn.errors[:5]}
    return row, sampler.end()


def drained(name):
    """What is left when nothing has been asked for a while."""
    time.sleep(DRAIN_S)
    mem, row = sample()
    for process in PROCESSES:
        row[process].update(descriptors(process))
    return {"part": name, **row, "files": {f["name"]: f["bytes"] for f in mem["files"]}, "mbufs": buffers(),
            "long_lived": soak_sites.wrong(sites_seen) or [],  # none too while it is not ten minutes long
            "miscounted": tables_seen.wrong()}


def show(row):
    hidden = () if row["part"] == "verdict" else ("accounts", "files", "in_filling")
    print(json.dumps({k: v for k, v in row.items() if k not in hidden}), flush=True)
    return row


def main():
    kept = open(KEEP, "w") if KEEP else None
    servers = neighbours(LAB.folder)
    for server in servers:
        server.start()
        eventually(server.name, server.listens)
    LAB.configure(servers, 50)
    LAB.questions()
    total = MINUTES * 60 - 3 * DRAIN_S
    fill, each = max(total * 20 // 100, 20), max(total * 40 // 100, 20)
    filling, samples = load("fill", fill, servers, kept)
    show(filling)
    show(drained("A"))
    first, more = load("load 1", each, servers, kept)
    samples += more
    show(first)
    b = show(drained("B"))
    second, more = load("load 2", each, servers, kept)
    show(second)
    c = show(drained("C"))
    accused = sorted({a for s in [*samples, *more, c] for a in s["alarms"]})
    last = show(verdict(b, c, [first, second], more, accused, SEED))
    for server in servers:
        server.end()
    for line in last["wrong"]:
        print(f"soak: {line}", file=sys.stderr)
    sys.exit(LEAK_MISSED if PLANTED and not found(PLANTED, last) else bool(last["wrong"]))


if __name__ == "__main__":
    main()
