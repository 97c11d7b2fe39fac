# SPDX-License-Identifier: BSD-3-Clause
"""The real binaries on a memif port, measured against their own reflector; tools/bench imports it.

One run is one case: bench_fill puts the corpus into L0, weir-controlplane reuses it and compiles the list,
bench_dataplane --bench alternate answers and reflects in slices of 5 ms, weir-loadgen keeps 512 queries in flight and
checks every reply, then asks at even distances at 25, 50 and 75 % of what that reached, and at last one at a time, for
the latency. Worker and generator come before other programs (nice -20), where that is allowed. The data plane is
stopped first, because DPDK 22.11 takes a memif server's rings away with its client. Nothing leaves the machine: one
memory directory, one unix socket.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import time

import bench_tables
import latency_rows
from bench_rig import Failed, remove, row, stop, tasks, two_cpus

LISTED = 1000000
WAIT_S = 60
SYSCALL_S = 2.0
ROUNDS = 5  # at 25, 50 and 75 % of the capacity, in turns

# Goal, case, names, share of listed names (None: no list), references of near and far, of the p50 over the reflector's.
CASES = [
    ("G1", "memif, hits, 1k names", 1000, None, 0.35, 0.50, 0.2),
    ("G2", "memif, hits, 1M names", 1000000, None, 0.30, None, None),
    ("G3", "memif, hits, 1M names, 1M listed", 1000000, 0, 0.25, 0.42, 0.5),
    ("G4", "memif, blocked, 1M listed", 1000, 100, 0.30, None, None),
]
BENCHED = "tests/bench/dataplane/bench_dataplane"
TARGETS = [
    BENCHED,
    "controlplane/weir-controlplane",
    "tools/ctl/weirctl",
    "tools/loadgen/weir-loadgen",
    "tests/bench/bench_fill",
    "tests/bench/bench_syscalls",
]

FIRST = ("dataplane/weir-dataplane", BENCHED, "tools/loadgen/weir-loadgen")


def come_first():
    """In the child: before all other programs, as far as that is allowed. Where the kernel groups processes by session
    it is the group's niceness that counts among them."""
    with contextlib.suppress(OSError):
        os.setsid()
        os.setpriority(os.PRIO_PROCESS, 0, -20)
        pathlib.Path("/proc/self/autogroup").write_text("-20")


def write_config(run, names, list_path, cpus, port=None, more="", log="{enabled: false}"):
    """`port`: another one than memif. `more`: lines behind those of `dataplane`."""
    (run / "state").mkdir()
    lists = f'[{{name: bench, path: "{list_path}"}}]' if list_path else "[]"
    port = port or f"net_memif0,role=server,socket-abstract=no,socket={run}/memif.sock"
    (run / "weir.yaml").write_text(f"""\
runtime: {{directory: "{run}", state_directory: "{run}/state", hugepages: auto}}
dataplane:
  main_lcore: {cpus[0]}
  worker_lcores: [{cpus[1]}]
  ports: [{{device: "{port}"}}]
  service_addresses: [198.18.0.53/15]
  poll: busy
{more}cache: {{l0_mb: {256 if names > 100000 else 64}}}
query_log: {log}
blocking: {{mode: "null", lists: {lists}}}
local: {{test_names: true}}
upstreams: {{servers: [{{address: "127.0.0.1:9"}}]}}
""")


class Weir:
    """Both processes in a directory of their own, and the generator."""

    def __init__(self, tree, run):
        self.tree, self.run, self.started = pathlib.Path(tree), run, []

    def program(self, name):
        return str(self.tree / name)

    def spawn(self, name, *args, **pipes):
        log = open(self.run / (name.rsplit("/", 1)[-1] + ".log"), "wb")
        before = come_first if name in FIRST else None
        p = subprocess.Popen([self.program(name), *args], stderr=log, preexec_fn=before, **pipes)
        self.started.append(p)
        return p

    def start(self, name, *args):
        return self.spawn(name, "-c", str(self.run / "weir.yaml"), *args, stdin=subprocess.DEVNULL,
                          stdout=open(self.run / (name.rsplit("/", 1)[-1] + ".out"), "wb"))

    def ask(self, *args):
        done = subprocess.run([self.program("tools/ctl/weirctl"), "-c", str(self.run / "weir.yaml"), "--json", *args],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        with contextlib.suppress(ValueError):
            return json.loads(done.stdout)
        return {}

    def wait(self, what, holds):
        end = time.monotonic() + WAIT_S
        while not holds():
            dead = [p.args[0] for p in self.started if p.poll() is not None]
            if dead or time.monotonic() > end:
                logs = "".join(f.read_text(errors="replace")[-800:] for f in self.run.glob("*.log"))
                raise Failed(f"{what}: {'ended: ' + dead[0] if dead else 'not in time'}\n{logs}")
            time.sleep(0.05)

    def has_list(self):
        rules = self.ask("status").get("controlplane", {}).get("rules", {})
        return not rules.get("building", True) and rules.get("names", 0) > LISTED * 9 // 10

    def activated(self):
        status = self.ask("status")
        dp, made = status.get("dataplane", {}), status.get("controlplane", {}).get("generations", {})
        return dp.get("link_up") and all(
            dp.get(f"{part}_generation", 0) == made.get(part) for part in ("l0", "rule_image", "config"))

    def verdict(self, name):
        return self.ask("stats", "--interval", "0").get("dataplane", {}).get("verdicts", {}).get(name, 0)

    def stop_all(self):
        for p in self.started:  # the data plane before the generator
            stop(p)


def count_syscalls(weir, dataplane, verdicts):
    """System calls of the worker in SYSCALL_S, and what it answered meanwhile; the same of the main thread as a proof
    that they are seen."""
    tracer = weir.program("tests/bench/bench_syscalls")
    calls = {}
    for who, tid, seconds in (("main", str(dataplane.pid), 0.3), ("worker", tasks(dataplane.pid)[0].name, SYSCALL_S)):
        before = sum(weir.verdict(v) for v in verdicts)
        done = subprocess.run([tracer, tid, str(seconds)], stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            return None
        calls[who] = int(done.stdout)
        calls["answers"] = sum(weir.verdict(v) for v in verdicts) - before
    if calls["main"] == 0:
        raise Failed("the system calls of the main thread were not seen")
    return calls


def load(weir, names, share, seconds, alone_s, loads_s, cpu):
    args = ["-d", f"net_memif0,role=client,socket-abstract=no,socket={weir.run}/memif.sock", "-s", "198.18.0.53,198.18.0.2"]
    args += ["-n", str(names), "-w", "512", "-t", str(seconds), "-l", str(cpu), "--reflected", "--stay"]
    args += [f"--corpus={LISTED},{share}" if share else "--corpus", "--loads", f"{loads_s},{ROUNDS}", "--alone", str(alone_s)]
    return weir.spawn("tools/loadgen/weir-loadgen", *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def rows_of(case, worker, loads, calls):
    goal, name, _, _, near, far, p50 = case
    out = []
    for level, reference in (("near", near), ("far", far)):
        side = worker[level] or {}
        unit = "of reflector" if worker["near"] and worker["far"] else bench_tables.ONE_LEVEL
        out.append(row(goal, name, f"ratio_{level}", side.get("ratio"), unit, reference))
        for metric in ("answer_cycles", "reflect_cycles", "rx_cycles", "pairs", "batch"):
            unit = "cycles" if metric.endswith("cycles") else "slices" if metric == "pairs" else "frames"
            out.append(row(goal, name, f"{metric}_{level}", side.get(metric), unit))
    out.append(row(goal, name, "interrupted", worker["interrupted_turns"], "turns"))
    for metric in ("answered", "bad", "lost"):
        out.append(row(goal, name, metric, sum(line[metric] for line in loads), "queries"))
    if calls:
        out.append(row(goal, name, "counted", calls["answers"], "answers"))
        out.append(row(goal, name, "syscalls", calls["worker"], "calls"))
    out += latency_rows.loads_rows(row, name, loads)
    alone = loads[-1]
    if "answer_p50_ns" in alone and "reflect_p50_ns" in alone:
        answer, reflect = alone["answer_p50_ns"] / 1000, alone["reflect_p50_ns"] / 1000
        out.append(row("G7", name, "p50_over_reflector", round(answer - reflect, 3), "us", p50))
        out.append(row("G7", name, "p50", round(answer, 3), "us"))
        out.append(row("G7", name, "p50_reflector", round(reflect, 3), "us"))
    return out


def run_case(tree, case, list_path, seconds, alone_s, loads_s, cpus):
    _, _, names, share, *_ = case
    run = pathlib.Path(tempfile.mkdtemp(prefix="weir-bench-", dir="/dev/shm"))
    weir = Weir(tree, run)
    try:
        write_config(run, names, list_path if share is not None else None, cpus)
        subprocess.run([weir.program("tests/bench/bench_fill"), "-c", str(run / "weir.yaml"), "-n", str(names)],
                       check=True)
        weir.start("controlplane/weir-controlplane")
        if share is not None:
            weir.wait("the list", weir.has_list)
        dataplane = weir.start(BENCHED, "--bench", "alternate")
        weir.wait("the data plane", weir.activated)
        generator = load(weir, names, share, seconds, alone_s, loads_s if case[6] else 0, cpus[2 % len(cpus)])
        time.sleep(min(1.0, seconds / 4))
        calls = count_syscalls(weir, dataplane, ("hit", "blocked"))
        loads = [json.loads(generator.stdout.readline() or "{}") for _ in range(2 + 3 * ROUNDS if loads_s and case[6] else 2)]
        if not all(loads) or not stop(dataplane):
            raise Failed(f"{case[1]}: the generator or the data plane failed: " + "".join(
                f.read_text(errors="replace")[-800:] for f in run.glob("*.log")))
        generator.stdin.close()
        generator.wait(10)
        report = [line for line in (run / "bench_dataplane.out").read_text().splitlines() if line.startswith("{")]
        rows = rows_of(case, json.loads(report[-1])["workers"][0], loads, calls)
        wrong = sum(line["bad"] + line["lost"] for line in loads) + (calls["worker"] if calls else 0)
        return rows, wrong == 0
    finally:
        weir.stop_all()
        remove(run)


def cases_of(goals):
    return [c for c in CASES if not goals or c[0] in goals or ("G7" in goals and c[6])]


def run_all(tree, goals, seconds, alone_s=3, loads_s=2):
    """Rows of all cases of `goals` (a list, or None for all), and whether all was right."""
    cpus = two_cpus()
    rows, ok = [], True
    with tempfile.TemporaryDirectory(prefix="weir-bench-list-") as folder:
        list_path = f"{folder}/list"
        subprocess.run([f"{tree}/tests/bench/bench_fill", "-b", list_path, "-k", str(LISTED)], check=True)
        for case in cases_of(goals):
            these, right = run_case(tree, case, list_path, seconds, alone_s, loads_s, cpus)
            rows += these
            ok &= right
    return rows, ok
