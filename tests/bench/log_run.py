#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every query on record, at a rate that a server cannot keep up with: `tools/bench --goals log`.

The real binaries on a memif port, one worker on the first CPU, all else on the second: the generator (paced, every
reply checked), the control plane, and Debian's ClickHouse 18.16, which is in a network namespace of its own with the
rest. First 200,000 queries a second for 60 s; then lower rates, 10 s each, until every query is a row of its own. After
each the sum of the weights in the server is compared with the queries that the worker counted. Last the worker's cycles
for a query at the first rate, with the log and without it by turns.
Prints JSON lines as bench_path does. Exit status 1: a sum was wrong, or a reply was.
"""

import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_rig  # noqa: E402
import memif_run  # noqa: E402

SERVER = "clickhouse-server"
HTTP = 8123
NAMES = 1000
QUERIES = ("hit hit_stale blocked blocked_answer local any_minimal identity drop_rule miss miss_duplicate servfail_ring_full "
           "servfail_fairness drop_ring_full notify drop_notify servfail_no_control servfail_no_policy servfail_no_rules cookie_only badcookie formerr notimp badvers "
           "refused refused_denied drop_denied drop_limited slip_limited").split()
LADDER = (150000, 120000, 100000, 80000, 60000, 50000, 40000, 30000, 20000, 10000)
SKIPPED, SETTLE_S, TURNS, TURN_S = 77, 180, 12, 2
tmp = pathlib.Path("/run/log-bench")

USERS = """<yandex><profiles><default/></profiles><quotas><default/></quotas><users><default><password></password>
<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default></users></yandex>"""


def server_config(folder):
    return f"""<yandex><logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/err</errorlog></logger>
<http_port>{HTTP}</http_port><tcp_port>9000</tcp_port><listen_host>127.0.0.1</listen_host>
<path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path><user_files_path>{folder}/files/</user_files_path>
<users_config>{folder}/users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><mark_cache_size>33554432</mark_cache_size></yandex>"""


def sql(statement):
    with urllib.request.urlopen(f"http://127.0.0.1:{HTTP}/", statement.encode(), timeout=60) as reply:
        return reply.read().decode().strip()


def put_on(cpu, niceness=0):
    """In the child: on that CPU, and how much before others."""
    def set_up():
        os.setsid()
        os.sched_setaffinity(0, {cpu})
        if niceness:
            os.setpriority(os.PRIO_PROCESS, 0, niceness)
            pathlib.Path("/proc/self/autogroup").write_text(str(niceness))
    return set_up


def server_start(disk, cpu, niceness):
    folder = disk / "clickhouse"
    for part in ("data", "tmp", "files"):
        (folder / part).mkdir(parents=True)
    (folder / "users.xml").write_text(USERS)
    (folder / "config.xml").write_text(server_config(folder))
    with open(folder / "out", "wb") as out:
        p = subprocess.Popen([SERVER, f"--config-file={folder}/config.xml"], stdout=out, stderr=out,
                             stdin=subprocess.DEVNULL, preexec_fn=put_on(cpu, niceness))
    end = time.monotonic() + 60
    while True:
        try:
            sql("SELECT 1")
            return p
        except OSError as why:
            if p.poll() is not None or time.monotonic() > end:
                raise bench_rig.Failed(f"{SERVER}: {why}")
            time.sleep(0.2)


class Rig(memif_run.Weir):
    """Both processes, each where it belongs."""

    def __init__(self, tree, run, cpus, niceness):
        super().__init__(tree, run)
        self.cpus, self.niceness = cpus, niceness

    def put(self, name, *args, **pipes):
        cpu = self.cpus[0] if name.endswith("dataplane") else self.cpus[1]
        with open(self.run / (name.rsplit("/", 1)[-1] + ".log"), "wb") as log:
            p = subprocess.Popen([self.program(name), *args], stderr=log,
                                 preexec_fn=put_on(cpu, self.niceness), **pipes)
        self.started.append(p)
        return p

    def counted(self):
        return self.ask("stats", "--interval", "0").get("dataplane", {})

    def received(self):
        verdicts = self.counted().get("verdicts", {})
        return sum(verdicts.get(v, 0) for v in QUERIES)

    def log(self):
        status = self.ask("log", "status")
        sinks = {s["name"]: s for s in status.get("sinks", [])}
        return status, sinks.get("clickhouse", {})

    def clickhouse(self):
        return self.ask("status").get("controlplane", {}).get("clickhouse", {})


def settle(rig):
    """Waits until the log owes nothing and the server has what it took."""
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        status, sink = rig.log()
        if status and status["weight"] == rig.received() and sink["owed_weight"] == 0 \
                and sink["weight"] + sink["dropped_weight"] == status["weight"] \
                and rig.clickhouse().get("rows") == sink["rows"]:
            return
        time.sleep(0.5)
    raise bench_rig.Failed(f"not all arrived in {SETTLE_S} s: received {rig.received()}, log {rig.log()}")


def traffic_starts(rig, rate, seconds):
    """The generator. It naps between bursts, and runs before what is measured: the rate is the load, not a share."""
    args = ["-d", f"net_memif0,role=client,socket-abstract=no,socket={rig.run}/memif.sock", "-s", "198.18.0.53,198.18.0.2"]
    args += ["-n", str(NAMES), "-w", "4096", "-l", str(rig.cpus[1]), "--corpus", "--rate", str(rate), "--nap", "100"]
    generator = rig.put("tools/loadgen/weir-loadgen", *args, "-t", str(seconds), "--stay", stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
    rig.wait("the first query", rig.received)
    os.sched_setscheduler(generator.pid, os.SCHED_FIFO, os.sched_param(1))  # not before: DPDK's start spins then
    return generator


def traffic_result(rig, generator):
    """The result that the generator prints at its end."""
    result = generator.stdout.readline()
    if not result:
        raise bench_rig.Failed("the generator failed: " + (rig.run / "weir-loadgen.log").read_text()[-800:])
    return json.loads(result)


def measure(rig, control, rate, seconds):
    """Rows; whether all was right; whether each query had a row of its own."""
    result = traffic_result(rig, traffic_starts(rig, rate, seconds))
    rss = bench_rig.memory_bytes(control.pid) // 1024
    settle(rig)
    status, sink = rig.log()
    rows, weight = map(int, sql("SELECT count(), sum(weight) FROM weir.queries").split())
    received, folded = rig.received(), sink["folded_weight"]
    name = f"{rate} queries a second for {seconds} s"
    out = [bench_rig.row("log", name, *figures) for figures in (
        ("received", received, "queries"), ("sum_of_weights", weight, "queries"), ("rows", rows, "rows"),
        ("received_per_s", round(received / seconds), "queries/s"), ("rows_per_s", round(rows / seconds), "rows/s"),
        ("ring_was_full", status["unlogged"], "queries"), ("sink_was_behind", folded, "queries"),
        ("dropped", sink["dropped_weight"], "queries"), ("answered", result["answered"], "replies"),
        ("wrong", result["bad"], "replies"), ("rss", rss, "KiB"))]
    right = weight == received >= result["answered"] > 0 and not sink["dropped_weight"] and not result["bad"]
    return out, right, right and rows == received


@contextlib.contextmanager
def running(args, run, more="", **settings):
    """The rig with both processes up, with these settings of memif_run.write_config, and the control plane's process."""
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir()
    cpus = bench_rig.two_cpus()
    access = "access: {allow: [198.18.0.0/15], unlimited: [198.18.0.0/15]}\n"
    memif_run.write_config(run, NAMES, None, (cpus[1], cpus[0]), more=access + more, **settings)
    rig, config = Rig(args.build, run, cpus, args.niceness), run / "weir.yaml"
    try:
        subprocess.run([rig.program("tests/bench/bench_fill"), "-c", config, "-n", str(NAMES)], check=True)
        out = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        control = rig.put("controlplane/weir-controlplane", "-c", config, **out)
        rig.put("dataplane/weir-dataplane", "-c", config, **out)
        rig.wait("the data plane", rig.activated)
        yield rig, control
    finally:
        rig.stop_all()


@contextlib.contextmanager
def logging(args, disk, rate):
    """The same, with every query on its way to ClickHouse."""
    sql("DROP DATABASE IF EXISTS weir")
    log = f"""{{store: {{enabled: false}}, clickhouse: {{url: 'http://127.0.0.1:{HTTP}', spool_directory: "{disk}/spool"}}}}"""
    with running(args, tmp / f"run-{rate}", log=log) as (rig, control):
        rig.wait("ClickHouse", lambda: rig.clickhouse().get("state") == "up")
        yield rig, control


def turn(rig, control, seconds):
    """The worker's cycles for a query, and the control plane's percent of a core."""
    time.sleep(seconds / 4)
    before, used, began = rig.counted(), bench_rig.cpu_s(control.pid), time.monotonic()
    time.sleep(seconds)
    used, took, after = bench_rig.cpu_s(control.pid) - used, time.monotonic() - began, rig.counted()
    queries = sum(after["verdicts"][v] - before["verdicts"][v] for v in QUERIES)
    if not queries:
        raise bench_rig.Failed("the generator ended before the turns did")
    return (after["counters"]["busy_cycles"] - before["counters"]["busy_cycles"]) / queries, 100 * used / took


def cycles(args, disk):
    """With its record and without by turns: the first quartile of each, as others disturb a turn upward only."""
    spent = {True: [], False: []}
    with logging(args, disk, args.rate) as (rig, control):
        generator = traffic_starts(rig, args.rate, int(2 * TURNS * (TURN_S * 1.25 + 1)))
        for i in range(2 * TURNS):
            if rig.ask("set", "query_log", "off" if i % 2 else "on") == {}:
                raise bench_rig.Failed("weirctl set query_log failed")
            spent[i % 2 == 0].append(turn(rig, control, TURN_S)[0])
        if traffic_result(rig, generator)["bad"]:
            raise bench_rig.Failed("a reply was wrong")
    on, off = (statistics.quantiles(spent[logged], n=4)[0] for logged in (True, False))
    return [bench_rig.row("log", f"{args.rate} queries a second, worker", *figures) for figures in (
        ("cycles_logged", round(on), "cycles/query"), ("cycles_unlogged", round(off), "cycles/query"),
        ("cycles_more", round(100 * (on / off - 1), 1), "%"))]


def run_all(args, disk):
    server, ok = server_start(disk, bench_rig.two_cpus()[1], args.niceness), True
    try:
        for rate, seconds in [(args.rate, args.seconds)] + [(r, 10) for r in LADDER if args.ladder and r < args.rate]:
            with logging(args, disk, rate) as (rig, control):
                rows, right, own = measure(rig, control, rate, seconds)
            bench_rig.say(*rows)
            ok &= right
            if own:
                break
        bench_rig.say(*cycles(args, disk))
        return ok
    finally:
        server.kill()
        server.wait()


def main():
    parser = bench_rig.options(__doc__)
    parser.add_argument("--rate", type=int, default=200000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--no-ladder", dest="ladder", action="store_false", help="that rate alone")
    parser.add_argument("--niceness", type=int, default=0, help="of all that runs, below 0: before other programs")
    parser.add_argument("--disk", help="an empty folder for the server's data and the spool (one in /var/tmp)")
    args = parser.parse_args()
    if not shutil.which(SERVER):
        sys.exit(SKIPPED)
    bench_rig.enter(tmp)
    disk = pathlib.Path(args.disk or tempfile.mkdtemp(prefix="weir-log-bench-", dir="/var/tmp"))
    disk.mkdir(exist_ok=True)
    try:
        return 0 if run_all(args, disk) else 1
    except bench_rig.Failed as why:
        print(why, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(disk, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
