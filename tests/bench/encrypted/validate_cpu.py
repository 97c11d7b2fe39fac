#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""T3: CPU of a validated miss beside unbound.

Real processes in namespaces of their own: tools/lab for weir, unbound on loopback, NSD with a signed zone (ECDSA P-256,
NSEC) behind both, which forward to it and have its key as their anchor. dnsperf asks, with DO, names that nobody has
asked before; the runs of the two take turns. Taken is user and system time of the process from /proc/PID/stat. The same
with validation off, before it, says what validation adds. Prints JSON lines as bench_path does.
Exit status 1: a run lost an answer, or an answer was not validated.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1]))
import namespaces  # noqa: E402
import nsd_run  # noqa: E402
from miss_cpu import CLIENT, UNBOUND_PORT, cpu_s, row, service, weirctl  # noqa: E402

root = pathlib.Path(__file__).resolve().parents[3]
tmp = pathlib.Path("/run/validate-cpu")
TARGETS = ["controlplane/weir-controlplane", "dataplane/weir-dataplane", "tools/ctl/weirctl"]
GOAL, LOST_MOST = 1.1, 0.001
SIGN = """ldns-keygen -a ECDSAP256SHA256 miss.example >key.name && mv "$(cat key.name).key" anchor &&
ldns-signzone -A -o miss.example -f miss.example.zone plain "$(cat key.name)" """
UNBOUND = """server:
  interface: 127.0.0.1
  port: {port}
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
  module-config: "{modules}"
  {anchor}
  so-rcvbuf: 4m
  access-control: 127.0.0.0/8 allow
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{upstream}
"""


def zone_make(names):
    head = "$TTL 3600\n$ORIGIN miss.example.\n@ SOA ns root 1 3600 600 86400 3600\n@ NS ns\nns A 198.18.200.1\n"
    (tmp / "plain").write_text(head + "".join(f"n{i} A 198.18.200.1\n" for i in range(names)))
    subprocess.run(["sh", "-ec", SIGN], cwd=tmp, check=True)


class Server:
    def __init__(self, name, pid, address, port, prefix=()):
        self.name, self.pid, self.address, self.port, self.prefix = name, pid, address, port, list(prefix)
        self.us = []

    def run(self, numbers, rate, is_valid):
        """True if all answers came, validated ones only if they should be."""
        (tmp / "names").write_text("".join(f"n{i}.miss.example A\n" for i in numbers))
        before = cpu_s(self.pid)
        out = subprocess.run([*self.prefix, "dnsperf", "-D", "-s", self.address, "-p", str(self.port), "-d", str(tmp / "names"),
                              "-n", "1", "-Q", str(rate), "-q", "512", "-t", "3"], stdout=subprocess.PIPE, text=True).stdout
        done = int(re.search(r"Queries completed:\s+(\d+)", out)[1])
        good = int((re.search(r"NOERROR (\d+)", out) or [0, 0])[1])
        self.us.append((cpu_s(self.pid) - before) * 1e6 / max(done, 1))
        print(f"{self.name}: {len(numbers)} sent, {good} answered, {self.us[-1]:.2f} us each", file=sys.stderr)
        return good >= len(numbers) * (1 - LOST_MOST) and is_valid == self.is_validated(numbers[-1])

    def is_validated(self, number):
        out = subprocess.run([*self.prefix, "kdig", f"@{self.address}", "-p", str(self.port), "+dnssec", "+timeout=3",
                              f"n{number}.miss.example"], stdout=subprocess.PIPE, text=True).stdout
        return re.search(r"Flags:[^;]* ad", out) is not None


def start_unbound(is_valid):
    anchor = f'trust-anchor-file: "{tmp}/anchor"' if is_valid else ""
    (tmp / "unbound.conf").write_text(UNBOUND.format(
        port=UNBOUND_PORT, tmp=tmp, anchor=anchor, upstream=nsd_run.PORT, modules="validator iterator" if is_valid else "iterator"))
    return subprocess.Popen(["unbound", "-d", "-c", str(tmp / "unbound.conf")], stdout=subprocess.DEVNULL,
                            stderr=(tmp / "log").open("a"))


def start_weir(build):
    own = {"WEIR_BUILD": build, "build_targets": " ".join(TARGETS)}
    up = subprocess.run([f"{root}/tools/lab", "up", "--upstream", f"127.0.0.1:{nsd_run.PORT}"],
                        env=dict(os.environ, **own), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if up.returncode != 0:
        sys.exit(up.stdout)
    pid = int(pathlib.Path("/run/weir/lab/controlplane.pid").read_text().split()[0])
    return Server("weir", pid, service, 53, CLIENT)


def weir_validates(build):
    with pathlib.Path("/run/weir/lab/weir.yaml").open("a") as out:
        out.write(f"dnssec: {{validate: true, anchors: {tmp}/anchor}}\n")
    if weirctl(build, "config", "reload") is None:
        sys.exit("weir does not take the configuration")


def emit(is_valid, servers, rate):
    case = f"{'validated' if is_valid else 'plain'} miss of a signed zone, {rate} q/s"
    weir, unbound = (statistics.median(server.us) for server in servers)
    part = GOAL if is_valid else 1
    print(json.dumps(row("T3", case, "cpu", weir, "us per miss", None)))
    print(json.dumps(row("T3", case, "cpu_to_unbound", weir, "us per miss", round(unbound * part, 3))), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(root / "build-bench"))
    parser.add_argument("--rate", type=int, default=2000, help="queries a second (2000)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run (5)")
    parser.add_argument("--runs", type=int, default=3, help="of each; the median counts (3)")
    parser.add_argument("--quick", action="store_true", help="a second of each: whether it works, not how fast")
    args = parser.parse_args()
    if args.quick:
        args.runs, args.seconds, args.rate = 1, 1, 200
    namespaces.enter(tmp)
    each = args.rate * args.seconds
    zone_make(2 * args.runs * each)
    nsd_run.start(tmp, ["miss.example."])
    weir, good, first = start_weir(args.build), True, 0
    if weirctl(args.build, "set", "query_log", "off") is None:  # unbound keeps none either
        sys.exit("weirctl set query_log failed")
    for is_valid in (False, True):
        if is_valid:
            weir_validates(args.build)
        process = start_unbound(is_valid)
        time.sleep(1)
        servers = [Server("weir", weir.pid, service, 53, CLIENT), Server("unbound", process.pid, "127.0.0.1", UNBOUND_PORT)]
        for _ in range(args.runs):
            numbers, first = range(first, first + each), first + each
            good &= all([server.run(numbers, args.rate, is_valid) for server in servers])
        emit(is_valid, servers, args.rate)
        process.kill()
        process.wait()
    subprocess.run([f"{root}/tools/lab", "down"], stdout=subprocess.DEVNULL)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
