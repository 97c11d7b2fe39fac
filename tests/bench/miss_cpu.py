#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""G12 and M1: CPU per miss of weir-controlplane beside dnsdist and unbound, and lag of its loop while a list is published.

Real processes in namespaces of their own (as the smoke tests): tools/lab for weir, a local upstream that answers everything
(bench_upstream), dnsperf with names that nobody has asked before, at a rate that is not the limit. Taken is user and system
time of the process from /proc/PID/stat over a run; the runs of the three take turns, and with them a program that only sends
and receives as many messages (bench_exchange): what the machine's sockets cost, whatever one does. For G12 a list of a
million domains is then compiled and published over and over while misses go on, and the loop's own histogram tells how late
it was (ringings every 20 ms). The loop's thread has real-time priority then, so that waiting for a CPU which other programs
use is no part of it. Prints JSON lines as bench_path does.
Exit status 1: a run lost more than a hundredth of its queries, or something other than misses was measured; with --quick
only when nothing was answered.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_rig  # noqa: E402
from bench_rig import CLIENT, CLIENT_ADDRESS, SERVICE, cpu_s, weirctl  # noqa: E402

tmp = pathlib.Path("/run/miss-cpu")
UPSTREAM_PORT, DNSDIST_PORT, UNBOUND_PORT = 5301, 5302, 5303
GOAL_US = {"G12": {"sockets": 10.0}, "M1": {"sockets": 18.0, "port": 6.0}}
LISTED = 1000000
LAG_RATE, LAG_SECONDS, GOAL_LAG_MS = 2000, 15, 1.0
TARGETS = [*bench_rig.TARGETS, "tests/bench/bench_upstream", "tests/bench/bench_exchange"]
LOST_MOST, PATIENCE_S = 0.01, 60

DNSDIST = f"""setLocal('127.0.0.1:{DNSDIST_PORT}')
setACL({{'127.0.0.0/8'}})
newServer({{address='127.0.0.1:{UPSTREAM_PORT}', healthCheckMode='up'}})
"""


def start_unbound(*lines):
    return start(bench_rig.unbound(tmp, "127.0.0.1", "127.0.0.0/8", 'module-config: "iterator"', *lines, port=UNBOUND_PORT,
                                   asks=UPSTREAM_PORT))


def answered_upstream(counter):
    return int.from_bytes((tmp / counter).read_bytes(), sys.byteorder)


class Server:
    """One of the three: how it is reached and which process counts."""

    def __init__(self, name, pid, address, port, prefix=(), counter="counter"):
        self.name, self.pid, self.address, self.port, self.prefix = name, pid, address, port, list(prefix)
        self.us, self.counter = [], counter  # of its upstream

    def load(self, number, rate, seconds):
        """A running dnsperf with names of this run alone."""
        names = (f"{self.name}-{number}-{i}.miss.example" for i in range(rate * seconds))
        return bench_rig.dnsperf(self.prefix, self.address, self.port, names, "-n", 1, "-Q", rate, "-q", 512, "-t", 2,
                                 file=tmp / "names")

    def run(self, number, rate, seconds, is_quick):
        asked, before = answered_upstream(self.counter), cpu_s(self.pid)
        sent, completed, good = bench_rig.dnsperf_figures(self.load(number, rate, seconds))
        used, misses = cpu_s(self.pid) - before, answered_upstream(self.counter) - asked
        self.us.append(used * 1e6 / max(completed, 1))
        print(f"{self.name}: {sent} sent, {completed} answered, {misses} asked upstream, {self.us[-1]:.2f} us each",
              file=sys.stderr)
        if is_quick:
            return completed > 0 and good > 0
        return completed > sent * (1 - LOST_MOST) and good == completed and abs(misses - completed) < sent * 2 * LOST_MOST


class Sockets:
    """The same number of questions by a program that does nothing else."""

    def __init__(self, build):
        self.name, self.us, self.build = "sockets", [], build

    def run(self, _, rate, seconds, is_quick):
        done = subprocess.run([f"{self.build}/tests/bench/bench_exchange", str(UPSTREAM_PORT), str(rate), str(seconds)],
                              stdout=subprocess.PIPE, text=True)
        asked, answered, us = done.stdout.split()
        self.us.append(float(us))
        print(f"sockets: {asked} asked, {answered} answered, {us} us each", file=sys.stderr)
        return int(answered) > 0 if is_quick else int(answered) > int(asked) * (1 - LOST_MOST)


def start(command, **kw):
    return bench_rig.start(tmp, command, **kw)


def start_client(command):
    """A program in the client's namespace, such as an upstream behind weir's port: as soon as there is the namespace."""
    # Its file is there a moment before it can be entered.
    start(["sh", "-c", 'until nsenter --net=/run/netns/weir-client true; do sleep 0.1; done 2>/dev/null; exec "$@"', "sh", *CLIENT,
           *command])


def sent_by_port(build):
    return json.loads(weirctl(build, "--json", "stats", "--interval", "0"))["controlplane"]["resolver"]["upstream_port_sent"]


def wait_for_port(build):
    """Until weir asks its upstream through the port."""
    end = time.monotonic() + PATIENCE_S
    while '"via": "port"' not in (weirctl(build, "--json", "upstreams") or ""):
        if time.monotonic() > end:
            sys.exit("weir does not ask its upstream through the port")
        time.sleep(0.2)


def start_servers(build, which, via="sockets"):
    servers = []
    by_port = via == "port"
    (tmp / "counter").write_bytes(bytes(8))
    (tmp / "list").write_text("listed.example\n")
    start([f"{build}/tests/bench/bench_upstream", str(UPSTREAM_PORT), str(tmp / "counter")])
    if "dnsdist" in which:
        servers.append(Server("dnsdist", start(bench_rig.dnsdist(tmp, DNSDIST)).pid, "127.0.0.1", DNSDIST_PORT))
    if "unbound" in which:
        servers.append(Server("unbound", start_unbound().pid, "127.0.0.1", UNBOUND_PORT))
    if by_port:
        (tmp / "counter.client").write_bytes(bytes(8))
        start_client([f"{build}/tests/bench/bench_upstream", str(UPSTREAM_PORT), str(tmp / "counter.client"), "0.0.0.0"])
    upstream = f"{CLIENT_ADDRESS if by_port else '127.0.0.1'}:{UPSTREAM_PORT}"
    bench_rig.lab_up(build, "--upstream", upstream, "--list", str(tmp / "list"), targets=TARGETS)
    bench_rig.weirctl_must(build, "set", "query_log", "off")  # the others keep none either
    servers.insert(0, Server("weir", bench_rig.lab_pid(), SERVICE, 53, CLIENT, "counter.client" if by_port else "counter"))
    if by_port:
        wait_for_port(build)
    time.sleep(1)
    return servers


def cpu_first(pid):
    """The thread that did the misses gets a CPU before all others."""
    def used(tid):
        fields = pathlib.Path(f"/proc/{pid}/task/{tid}/stat").read_text().rsplit(") ", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    os.sched_setscheduler(max(map(int, os.listdir(f"/proc/{pid}/task")), key=used), os.SCHED_RR, os.sched_param(1))


def lag_while_publishing(build, server):
    """With default settings, then with the resolver's thread first on the CPU: delays are then its own."""
    (tmp / "list").write_text("".join(f"d{i}.of{i % 1000}.example\n" for i in range(LISTED)))
    good = lag_run(build, server, "with default settings")
    cpu_first(server.pid)
    return lag_run(build, server, "with the CPU first") and good


def lag_run(build, server, how):
    """Publishes a million domains as often as it can while 2,000 misses/s go on."""
    def resolver():
        return json.loads(weirctl(build, "--json", "stats", "--interval", "0"))["controlplane"]["resolver"]
    before, published = resolver(), 0
    load = server.load(how.replace(" ", "-"), LAG_RATE, LAG_SECONDS)
    while load.poll() is None:
        with (tmp / "list").open("a") as out:
            out.write(f"{how.replace(' ', '-')}-{published}.example\n")
        published += weirctl(build, "blocklist", "reload") is not None
    after = resolver()
    samples, late, misses = (after[key] - before[key] for key in ("loop_lag_samples", "loop_lag_over_1ms", "misses"))
    print(f"lag {how}: {published} publications, {misses} misses, {late} of {samples} ringings over 1 ms late; last minute: "
          f"p50 {after['loop_lag_p50_us']} us, p99 {after['loop_lag_p99_us']} us, most {after['loop_lag_max_us']} us",
          file=sys.stderr)
    case = f"publishing {LISTED} domains, {LAG_RATE} misses/s, {how}"
    bench_rig.say(bench_rig.row("G12", case, "late_over_1ms", late / max(samples, 1), "of ringings", 0.01, digits=3))
    return published > 0 and misses > LAG_RATE * LAG_SECONDS * (1 - 2 * LOST_MOST)


def main():
    parser = bench_rig.options(__doc__)
    parser.add_argument("--rate", type=int, default=10000, help="queries a second (10000)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run (5)")
    parser.add_argument("--runs", type=int, default=3, help="of each; the median counts (3)")
    parser.add_argument("--goal", choices=GOAL_US, default="G12", help="M1: without the lag (G12)")
    parser.add_argument("--via", choices=("sockets", "port"), default="sockets", help="how weir asks (sockets)")
    parser.add_argument("--only", default="weir,sockets,dnsdist,unbound,lag", help="which of these; weir always")
    args = bench_rig.parse(parser, runs=1, seconds=1, rate=500)
    if args.via not in GOAL_US[args.goal]:
        parser.error("--via port goes with --goal M1")
    bench_rig.enter(tmp)
    which = [name for name in args.only.split(",") if name in ("weir", "sockets", "lag") or shutil.which(name)]
    if args.goal == "M1":
        which = [name for name in which if name != "lag"]
    servers = start_servers(args.build, which, args.via)
    servers += [Sockets(args.build)] if "sockets" in which else []
    before = sent_by_port(args.build)
    good = all([server.run(n, args.rate, args.seconds, args.quick) for n in range(args.runs) for server in servers])
    least = 1 if args.quick else args.rate * args.seconds * args.runs / 2
    if args.via == "port" and sent_by_port(args.build) - before < least:
        print("most queries did not go through the port", file=sys.stderr)
        good = False
    case = f"miss, {args.rate} q/s" if args.goal == "G12" else f"miss by {args.via}, {args.rate} q/s"
    us = {server.name: statistics.median(server.us) for server in servers}
    asked = {"cpu": GOAL_US[args.goal][args.via], **{f"cpu_to_{name}": round(us[name], 3) for name in us.keys() - {"weir"}}}
    bench_rig.say(*(bench_rig.row(args.goal, case, metric, us["weir"], "us per miss", of, 3) for metric, of in asked.items()))
    good &= "lag" not in which or lag_while_publishing(args.build, servers[0])
    bench_rig.lab(args.build, "down")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
