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

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import namespaces  # noqa: E402

root = pathlib.Path(__file__).resolve().parents[2]
tmp = pathlib.Path("/run/miss-cpu")
service = "198.18.0.53"
UPSTREAM_PORT, DNSDIST_PORT, UNBOUND_PORT = 5301, 5302, 5303
CLIENT, CLIENT_ADDRESS = ["nsenter", "--net=/run/netns/weir-client", "--"], "198.18.0.2"
GOAL_US = {"G12": {"sockets": 10.0}, "M1": {"sockets": 18.0, "port": 6.0}}
LISTED = 1000000
LAG_RATE, LAG_SECONDS, GOAL_LAG_MS = 2000, 15, 1.0
TARGETS = ["controlplane/weir-controlplane", "dataplane/weir-dataplane", "tools/ctl/weirctl", "tests/bench/bench_upstream",
           "tests/bench/bench_exchange"]
LOST_MOST, PATIENCE_S = 0.01, 60

DNSDIST = f"""setLocal('127.0.0.1:{DNSDIST_PORT}')
setACL({{'127.0.0.0/8'}})
newServer({{address='127.0.0.1:{UPSTREAM_PORT}', healthCheckMode='up'}})
"""
UNBOUND = f"""server:
  interface: 127.0.0.1
  port: {UNBOUND_PORT}
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{tmp}"
  pidfile: ""
  use-syslog: no
  verbosity: 0
  do-ip6: no
  do-not-query-localhost: no
  module-config: "iterator"
  so-rcvbuf: 4m
  access-control: 127.0.0.0/8 allow
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{UPSTREAM_PORT}
"""


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answered_upstream(counter):
    return int.from_bytes((tmp / counter).read_bytes(), sys.byteorder)


class Server:
    """One of the three: how it is reached and which process counts."""

    def __init__(self, name, pid, address, port, prefix=(), counter="counter"):
        self.name, self.pid, self.address, self.port, self.prefix = name, pid, address, port, list(prefix)
        self.us, self.counter = [], counter  # of its upstream

    def load(self, number, rate, seconds):
        """A running dnsperf with names of this run alone."""
        names = tmp / "names"
        with names.open("w") as out:
            out.writelines(f"{self.name}-{number}-{i}.miss.example A\n" for i in range(rate * seconds))
        command = ["dnsperf", "-s", self.address, "-p", str(self.port), "-d", str(names), "-n", "1", "-Q", str(rate)]
        return subprocess.Popen(self.prefix + command + ["-q", "512", "-t", "2"], stdout=subprocess.PIPE, text=True)

    def run(self, number, rate, seconds, is_quick):
        asked, before = answered_upstream(self.counter), cpu_s(self.pid)
        done = self.load(number, rate, seconds).communicate()[0]
        used, misses = cpu_s(self.pid) - before, answered_upstream(self.counter) - asked
        completed = int(re.search(r"Queries completed:\s+(\d+)", done).group(1))
        sent = int(re.search(r"Queries sent:\s+(\d+)", done).group(1))
        good = re.search(r"NOERROR (\d+)", done)
        self.us.append(used * 1e6 / max(completed, 1))
        print(f"{self.name}: {sent} sent, {completed} answered, {misses} asked upstream, {self.us[-1]:.2f} us each",
              file=sys.stderr)
        if is_quick:
            return completed > 0 and good
        return completed > sent * (1 - LOST_MOST) and good and int(good.group(1)) == completed \
            and abs(misses - completed) < sent * 2 * LOST_MOST


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
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=(tmp / "log").open("a"), **kw)


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
        (tmp / "dnsdist.conf").write_text(DNSDIST)
        p = start(["dnsdist", "--supervised", "--disable-syslog", "-C", str(tmp / "dnsdist.conf")])
        servers.append(Server("dnsdist", p.pid, "127.0.0.1", DNSDIST_PORT))
    if "unbound" in which:
        (tmp / "unbound.conf").write_text(UNBOUND)
        p = start(["unbound", "-d", "-c", str(tmp / "unbound.conf")])
        servers.append(Server("unbound", p.pid, "127.0.0.1", UNBOUND_PORT))
    own = {"WEIR_BUILD": build, "build_targets": " ".join(TARGETS)}
    if by_port:
        (tmp / "counter.client").write_bytes(bytes(8))
        start_client([f"{build}/tests/bench/bench_upstream", str(UPSTREAM_PORT), str(tmp / "counter.client"), "0.0.0.0"])
    upstream = f"{CLIENT_ADDRESS if by_port else '127.0.0.1'}:{UPSTREAM_PORT}"
    up = subprocess.run([f"{root}/tools/lab", "up", "--upstream", upstream, "--list", str(tmp / "list")],
                        env=dict(os.environ, **own), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if up.returncode != 0:
        sys.exit(up.stdout)
    if weirctl(build, "set", "query_log", "off") is None:  # the others keep none either
        sys.exit("weirctl set query_log failed")
    pid = int(pathlib.Path("/run/weir/lab/controlplane.pid").read_text().split()[0])
    servers.insert(0, Server("weir", pid, service, 53, CLIENT, "counter.client" if by_port else "counter"))
    if by_port:
        wait_for_port(build)
    time.sleep(1)
    return servers


def row(goal, case, metric, value, unit, reference):
    return {"goal": goal, "case": case, "metric": metric, "value": round(value, 3), "unit": unit,
            "reference": reference, "ratio": round(value / reference, 3) if reference else None}


def weirctl(build, *words):
    done = subprocess.run([f"{build}/tools/ctl/weirctl", "-c", "/run/weir/lab/weir.yaml", *words], stdout=subprocess.PIPE,
                          text=True)
    return done.stdout if done.returncode == 0 else None


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
    print(json.dumps(row("G12", case, "late_over_1ms", late / max(samples, 1), "of ringings", 0.01)))
    return published > 0 and misses > LAG_RATE * LAG_SECONDS * (1 - 2 * LOST_MOST)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(root / "build-bench"))
    parser.add_argument("--rate", type=int, default=10000, help="queries a second (10000)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run (5)")
    parser.add_argument("--runs", type=int, default=3, help="of each; the median counts (3)")
    parser.add_argument("--goal", choices=GOAL_US, default="G12", help="M1: without the lag (G12)")
    parser.add_argument("--via", choices=("sockets", "port"), default="sockets", help="how weir asks (sockets)")
    parser.add_argument("--only", default="weir,sockets,dnsdist,unbound,lag", help="which of these; weir always")
    parser.add_argument("--quick", action="store_true", help="a second of each: whether it works, not how fast")
    args = parser.parse_args()
    if args.quick:
        args.runs, args.seconds, args.rate = 1, 1, 500
    if args.via not in GOAL_US[args.goal]:
        parser.error("--via port goes with --goal M1")
    namespaces.enter(tmp)
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
    print(json.dumps(row(args.goal, case, "cpu", us["weir"], "us per miss", GOAL_US[args.goal][args.via])))
    for name in us.keys() - {"weir"}:
        print(json.dumps(row(args.goal, case, f"cpu_to_{name}", us["weir"], "us per miss", round(us[name], 3))))
    good &= "lag" not in which or lag_while_publishing(args.build, servers[0])
    subprocess.run([f"{root}/tools/lab", "down"], stdout=subprocess.DEVNULL)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
