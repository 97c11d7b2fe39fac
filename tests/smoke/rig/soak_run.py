#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The parts of tools/soak, their samples, and the verdict. Runs in the namespace of the servers.

usage: soak_run.py LAB WEIRCTL FOLDER MINUTES RATE SEED KEEP PLANTED
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from soak_stats import slope_with_bounds

LAB, CTL, FOLDER = sys.argv[1:4]
MINUTES, RATE, SEED, KEEP, PLANTED = int(sys.argv[4]), int(sys.argv[5]), int(sys.argv[6]), sys.argv[7], sys.argv[8]
HERE = os.path.dirname(os.path.abspath(__file__))
CONFIG, LIST = "/run/weir/lab/weir.yaml", f"{FOLDER}/soak.list"
RELOAD_S, DRAIN_S, FAULT_S = 20, 20, 15
PROCESSES, HUNG_S = ("dataplane", "controlplane"), 10
# What may go wrong with a question to weirctl or to /proc while something is down.
TROUBLE = (RuntimeError, OSError, ValueError, KeyError, subprocess.SubprocessError)
GROWN_MAX, UNEXPLAINED = 256 << 10, 0.05
SLOPE_S = 240  # a load of less says nothing about an hour
REDIS_PORT, CLICKHOUSE_PORT = 6401, 8129
PYTHON = "/usr/bin/python3"
# Leaks of controlplane/base/leak_demo.h that this traffic brings out: whose account and which file must be named for each.
LEAKS = {"reload": ("images", "rules_job.c"), "bodies": ("http", "api_server.c"), "keys": ("redis", "l1.c"),
         "buffers": ("upstream", "upstream_socket.c"), "map": ("resolver", "resolver_miss.c")}
LEAK_MISSED = 3


def ctl(*words):
    done = subprocess.run([CTL, "-c", CONFIG, "--json", *words], capture_output=True, text=True, timeout=60)
    told = json.loads(done.stdout) if done.stdout else {}
    # A process may be late for want of a CPU: Churn.late judges that. One that is down is an error.
    if done.returncode and not (words == ("status",) and late(told) and {told[p]["state"] for p in PROCESSES} <= {"up", "hung"}):
        raise RuntimeError(f"weirctl {' '.join(words)}: {done.stderr.strip() or done.stdout[:400]}")
    return told


def late(told):
    return [p for p in PROCESSES if told.get(p, {}).get("state") == "hung"]


def answers(name):
    """Does a name that nobody has asked for get its answer, which takes both processes?"""
    done = subprocess.run([LAB, "exec", "kdig", "+short", "+timeout=2", "+retry=0", "@198.18.0.53", name, "A"],
                          capture_output=True, text=True, timeout=60)
    return done.stdout.strip() == "198.18.254.3"


def eventually(what, true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise SystemExit(f"soak: not within {seconds} s: {what}")
        time.sleep(0.2)


class Neighbour:
    """A server that is killed and stopped by turns, and is there again afterwards."""

    def __init__(self, name, port, command):
        self.name, self.port, self.command, self.child, self.faults = name, port, command, None, 0

    def start(self):
        self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)

    def listens(self):
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def fault(self, seconds, stop):
        self.faults += 1
        if self.faults % 2:
            self.child.send_signal(signal.SIGSTOP)
            stop.wait(seconds)
            self.child.send_signal(signal.SIGCONT)
        else:
            self.end()
            stop.wait(seconds)
            self.start()

    def end(self):
        self.child.kill()
        self.child.wait()


def neighbours():
    os.makedirs(f"{FOLDER}/redis")
    out = [Neighbour("redis", REDIS_PORT, ["redis-server", "--port", str(REDIS_PORT), "--bind", "127.0.0.1", "--save", "",
                                           "--appendonly", "no", "--dir", f"{FOLDER}/redis", "--maxmemory", "64mb",
                                           "--maxmemory-policy", "allkeys-lru"])]
    if shutil.which("clickhouse-server"):
        data = f"{FOLDER}/clickhouse"
        os.makedirs(f"{data}/tmp")
        with open(f"{data}/users.xml", "w") as f:
            f.write("<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default><password></password>"
                    "<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default></users></yandex>")
        with open(f"{data}/config.xml", "w") as f:
            f.write(f"<yandex><logger><level>error</level><log>{data}/log</log><errorlog>{data}/err</errorlog></logger>"
                    f"<http_port>{CLICKHOUSE_PORT}</http_port><tcp_port>9009</tcp_port><listen_host>127.0.0.1</listen_host>"
                    f"<path>{data}/</path><tmp_path>{data}/tmp/</tmp_path><users_config>{data}/users.xml</users_config>"
                    "<default_profile>default</default_profile><default_database>default</default_database>"
                    "<mark_cache_size>33554432</mark_cache_size></yandex>")
        out.append(Neighbour("clickhouse", CLICKHOUSE_PORT, ["clickhouse-server", f"--config-file={data}/config.xml"]))
    return out


def configure(servers):
    """A cache that the traffic fills, an L1, a log of one query in fifty that goes to all that stores it."""
    text = open(CONFIG).read().replace("l0_mb: 64", "l0_mb: 8")
    text += f"redis:\n  mode: standalone\n  addresses: [127.0.0.1:{REDIS_PORT}]\n"
    text += "query_log:\n  sample: 50\n"
    if any(s.name == "clickhouse" for s in servers):
        text += f"  clickhouse: {{url: 'http://127.0.0.1:{CLICKHOUSE_PORT}'}}\n"
    with open(CONFIG, "w") as f:
        f.write(text)
    for verb in ("stop", "start"):
        subprocess.run([LAB, verb, "controlplane"], check=True, capture_output=True)
    eventually("the control plane serves", serves)


def serves():
    try:
        return ctl("status")["controlplane"]["state"] == "up"
    except TROUBLE:
        return False


def questions(path):
    """For dnsperf: of a hundred 80 cached, 10 blocked, 4 that do not exist, 6 that seldom are cached still."""
    rng = random.Random(SEED)
    with open(path, "w") as f:
        for _ in range(400000):
            kind, qtype = rng.randrange(100), rng.choice(("A", "A", "AAAA"))
            if kind < 80:
                f.write(f"h{int(1000 ** rng.random())}.hot.soak.test A\n")
            elif kind < 90:
                f.write(f"b{rng.randrange(2000)}.blocked.test {qtype}\n")
            elif kind < 94:
                f.write(f"nx{rng.randrange(20000)}.soak.test {qtype}\n")
            else:
                f.write(f"n{rng.randrange(100000)}.new.soak.test {qtype}\n")


class Churn(threading.Thread):
    """Every few seconds something that an operator or a bad day does; `did` counts."""

    def __init__(self, servers):
        super().__init__(daemon=True)
        self.servers, self.stop, self.did, self.errors = servers, threading.Event(), {}, []

    def count(self, what):
        self.did[what] = self.did.get(what, 0) + 1

    def reload(self, serial):
        with open(f"{LIST}.new", "w") as f:
            f.writelines(f"b{i}.blocked.test\n" for i in range(2000))
            f.writelines(f"r{serial}-{i}.blocked.test\n" for i in range(serial % 7 * 100))
        os.replace(f"{LIST}.new", LIST)
        ctl("blocklist", "reload")

    def late(self, who):
        """No heartbeat for a second: on a busy machine nobody's fault, as long as what is asked then is answered."""
        self.count("hung")
        end = time.monotonic() + HUNG_S
        while not answers(f"late-{time.monotonic_ns()}.new.soak.test"):
            if time.monotonic() > end:
                raise RuntimeError(f"hung: {' and '.join(who)}, and nothing new was answered for {HUNG_S} s")

    def run(self):
        begin, reloads, polls, faults = time.monotonic(), 0, 0, 0
        while not self.stop.wait(0.2):
            now = time.monotonic() - begin
            try:
                if now > polls:
                    polls += 1
                    told = ctl(*(("status",), ("stats", "--interval", "0"), ("top",), ("mem", "slope"))[polls % 4])
                    self.count("polls")
                    if polls % 4 == 0 and late(told):
                        self.late(late(told))
                if now > reloads * RELOAD_S:
                    reloads += 1
                    self.reload(reloads)
                    self.count("reloads")
                if now > (faults + 1) * FAULT_S:
                    server = self.servers[faults % len(self.servers)]
                    faults += 1
                    server.fault(4, self.stop)
                    self.count(server.name)
            except TROUBLE as error:
                self.errors.append(str(error))

    def end(self):
        self.stop.set()
        self.join(60)
        for server in self.servers:
            eventually(f"{server.name} is back", server.listens)


def proc(what):
    pid = open(f"/run/weir/lab/{what}.pid").read().split()[0]
    out = {"fds": len(os.listdir(f"/proc/{pid}/fd")), "threads": len(os.listdir(f"/proc/{pid}/task"))}
    with open(f"/proc/{pid}/maps") as maps:
        out["maps"] = sum(1 for _ in maps)
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith(("RssAnon:", "VmData:", "VmRSS:")):
                out[line.split(":")[0]] = int(line.split()[1]) << 10
    return out


def descriptors(what):
    """That stay: the connection by which we asked is closed a moment after its answer, and a leak is in each reading."""
    readings = []
    for _ in range(10):
        readings.append(proc(what)["fds"])
        time.sleep(0.1)
    return min(readings)


def sample():
    mem = ctl("mem", "accounts")
    return mem, {"s": round(time.monotonic(), 3), "allocated": mem["process"]["allocated"], "rss": mem["process"]["rss"],
            "unexplained": mem["unexplained"], "accounts": {a["name"]: a["bytes"] for a in mem["accounts"]},
            "controlplane": proc("controlplane"), "dataplane": proc("dataplane")}


class Sampler(threading.Thread):
    def __init__(self, kept):
        super().__init__(daemon=True)
        self.stop, self.samples, self.kept = threading.Event(), [], kept

    def run(self):
        while not self.stop.wait(1):
            try:
                self.samples.append(sample()[1])
            except TROUBLE:
                continue
            if self.kept:
                print(json.dumps(self.samples[-1]), file=self.kept, flush=True)

    def end(self):
        self.stop.set()
        self.join(10)
        return self.samples


def buffers():
    dp = ctl("stats", "--interval", "0")["dataplane"]
    return {"in_use": sum(w["mbuf_size"] - w["mbuf_free"] for w in dp["workers"]),
            "breaches": sum(w["mbuf_breaches"] for w in dp["workers"])}


def load(name, seconds, servers, kept):
    """Traffic, churn and faults for a time; how it went, and the samples."""
    client = [LAB, "exec"]
    churn, sampler = Churn(servers), Sampler(kept)
    walker = subprocess.Popen([*client, PYTHON, f"{HERE}/soak_churn.py", str(seconds), str(SEED + len(name))],
                              stdout=subprocess.PIPE, text=True)
    churn.start()
    sampler.start()
    perf = subprocess.run([*client, "dnsperf", "-s", "198.18.0.53", "-d", f"{FOLDER}/questions", "-l", str(seconds), "-Q", str(RATE),
                           "-c", "32", "-q", "2000", "-t", "3"], capture_output=True, text=True)
    walked = walker.communicate(timeout=60)[0]
    churn.end()
    told = {}
    for line in perf.stdout.splitlines():
        for key in ("Queries sent", "Queries completed", "Queries per second"):
            if line.strip().startswith(key + ":"):
                told[key.lower().replace(" ", "_")] = float(line.split(":")[1].split()[0])
    row = {"part": name, "seconds": seconds, **told, "clients": json.loads(walked or "{}"), "churn": churn.did,
           "errors": churn.errors[:5]}
    return row, sampler.end()


def drained(name):
    """What is left when nothing has been asked for a while."""
    time.sleep(DRAIN_S)
    mem, row = sample()
    for process in ("controlplane", "dataplane"):
        row[process]["fds"] = descriptors(process)
    return {"part": name, **row, "files": {f["name"]: f["bytes"] for f in mem["files"]}, "mbufs": buffers()}


def growers(before, after, what="accounts"):
    rows = {k: v - before[what].get(k, 0) for k, v in after[what].items()}
    return {k: v for k, v in sorted(rows.items(), key=lambda r: -r[1]) if v > 0}


def verdict(b, c, rows, samples):
    wrong = []

    def must(what, good):
        if not good:
            wrong.append(what)
    grown = c["allocated"] - b["allocated"]
    files = dict(list(growers(b, c, "files").items())[:5])
    must(f"the control plane grew by {grown} bytes, by account {growers(b, c)}, most in the files {files}", grown <= GROWN_MAX)
    seconds = samples[-1]["s"] - samples[0]["s"]
    line, least, most = slope_with_bounds([(s["s"], s["allocated"]) for s in samples], SEED)
    must(f"what it holds rises by at least {least * 3600:.0f} bytes an hour", least <= 0 or seconds < SLOPE_S)
    share = c["unexplained"] / c["rss"]
    must(f"{share:.1%} of its resident set is unexplained", share <= UNEXPLAINED)
    for process, keys in (("controlplane", ("fds", "threads")), ("dataplane", ("fds", "threads", "maps", "RssAnon", "VmData"))):
        for key in keys:
            more = c[process][key] - b[process][key]
            must(f"{process}: {key} {b[process][key]}, then {c[process][key]}", more <= 0)
    must(f"packet buffers in use: {b['mbufs']}, then {c['mbufs']}", c["mbufs"] == b["mbufs"] and not c["mbufs"]["breaches"])
    asked, answered = (sum(r.get(k, 0) for r in rows) for k in ("queries_sent", "queries_completed"))
    must(f"of {asked:.0f} queries {answered:.0f} were answered", answered > 0 and answered >= asked * 0.99)
    must(f"{len(samples)} samples over {seconds:.0f} of {rows[-1]['seconds']} s", seconds >= rows[-1]["seconds"] * 0.8)
    for row in rows:
        must(f"{row['part']}: {row['errors']}", not row["errors"])
        did = row["clients"]
        must(f"{row['part']}: clients {did}", did.get("udp", 0) > 0 and did.get("tcp", 0) > did.get("tcp_refused", 0))
        must(f"{row['part']}: churn {row['churn']}", all(row["churn"].get(k) for k in ("polls", "reloads")))
    return {"part": "verdict", "grown": grown, "hour": [round(v * 3600) for v in (line, least, most)], "seconds": round(seconds),
            "a_query": round(max(most, 0) * seconds / max(answered, 1), 5), "unexplained": round(share, 4),
            "growers": growers(b, c), "files": files, "wrong": wrong}


def show(row):
    hidden = () if row["part"] == "verdict" else ("accounts", "files")
    print(json.dumps({k: v for k, v in row.items() if k not in hidden}), flush=True)
    return row


def found(last):
    """Did the verdict say that it grew, and put account and file of the planted leak first?"""
    first = [next(iter(last[what]), "nothing") for what in ("growers", "files")]
    grew = last["grown"] > GROWN_MAX
    print(f"soak: planted {PLANTED}: {'grew' if grew else 'did not grow'}, most in {first[0]}, {first[1]}", file=sys.stderr)
    return grew and tuple(first) == LEAKS[PLANTED]


def main():
    kept = open(KEEP, "w") if KEEP else None
    servers = neighbours()
    for server in servers:
        server.start()
        eventually(server.name, server.listens)
    configure(servers)
    questions(f"{FOLDER}/questions")
    total = MINUTES * 60 - 3 * DRAIN_S
    fill, each = max(total * 20 // 100, 20), max(total * 40 // 100, 20)
    show(load("fill", fill, servers, kept)[0])
    show(drained("A"))
    first, samples = load("load 1", each, servers, kept)
    show(first)
    b = show(drained("B"))
    second, more = load("load 2", each, servers, kept)
    show(second)
    c = show(drained("C"))
    last = show(verdict(b, c, [first, second], more))
    for server in servers:
        server.end()
    for line in last["wrong"]:
        print(f"soak: {line}", file=sys.stderr)
    sys.exit(LEAK_MISSED if PLANTED and not found(last) else bool(last["wrong"]))


if __name__ == "__main__":
    main()
