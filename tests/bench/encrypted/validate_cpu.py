#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""T3: CPU of a validated miss beside unbound.

Real processes in namespaces of their own: tools/lab for weir, unbound on loopback, NSD with a signed zone (ECDSA P-256,
NSEC) behind both, which forward to it and have its key as their anchor. dnsperf asks, with DO, names that nobody has
asked before; the runs of the two take turns. Taken is user and system time of the process from /proc/PID/stat. The same
with validation off, before it, says what validation adds. Prints JSON lines as bench_path does.
Exit status 1: a run lost an answer, or an answer was not validated.
"""

import pathlib
import re
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1]))
import bench_rig  # noqa: E402
from bench_rig import CLIENT, SERVICE, cpu_s  # noqa: E402

tmp = pathlib.Path("/run/validate-cpu")
NSD_PORT, UNBOUND_PORT = 5301, 5303
GOAL, LOST_MOST = 1.1, 0.001
SIGN = """ldns-keygen -a ECDSAP256SHA256 miss.example >key.name && mv "$(cat key.name).key" anchor &&
ldns-signzone -A -o miss.example -f miss.example.zone plain "$(cat key.name)" """

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
        before = cpu_s(self.pid)
        names = (f"n{i}.miss.example" for i in numbers)
        _, done, good = bench_rig.dnsperf_figures(bench_rig.dnsperf(
            self.prefix, self.address, self.port, names, "-D", "-n", 1, "-Q", rate, "-q", 512, "-t", 3, file=tmp / "names"))
        self.us.append((cpu_s(self.pid) - before) * 1e6 / max(done, 1))
        print(f"{self.name}: {len(numbers)} sent, {good} answered, {self.us[-1]:.2f} us each", file=sys.stderr)
        return good >= len(numbers) * (1 - LOST_MOST) and is_valid == self.is_validated(numbers[-1])

    def is_validated(self, number):
        out = subprocess.run([*self.prefix, "kdig", f"@{self.address}", "-p", str(self.port), "+dnssec", "+timeout=3",
                              f"n{number}.miss.example"], stdout=subprocess.PIPE, text=True).stdout
        return re.search(r"Flags:[^;]* ad", out) is not None


def start_unbound(is_valid):
    lines = ('module-config: "validator iterator"', f'trust-anchor-file: "{tmp}/anchor"') if is_valid else ('module-config: "iterator"',)
    return bench_rig.start(tmp, bench_rig.unbound(tmp, "127.0.0.1", "127.0.0.0/8", *lines, port=UNBOUND_PORT, asks=NSD_PORT))


def weir_validates(build):
    with pathlib.Path("/run/weir/lab/weir.yaml").open("a") as out:
        out.write(f"dnssec: {{validate: true, anchors: {tmp}/anchor}}\n")
    bench_rig.weirctl_must(build, "config", "reload")


def emit(is_valid, servers, rate):
    case = f"{'validated' if is_valid else 'plain'} miss of a signed zone, {rate} q/s"
    weir, unbound = (statistics.median(server.us) for server in servers)
    part = GOAL if is_valid else 1
    asked = {"cpu": None, "cpu_to_unbound": round(unbound * part, 3)}
    bench_rig.say(*(bench_rig.row("T3", case, metric, weir, "us per miss", of, 3) for metric, of in asked.items()))


def main():
    parser = bench_rig.options(__doc__)
    parser.add_argument("--rate", type=int, default=2000, help="queries a second (2000)")
    parser.add_argument("--seconds", type=int, default=5, help="length of a run (5)")
    parser.add_argument("--runs", type=int, default=3, help="of each; the median counts (3)")
    args = bench_rig.parse(parser, runs=1, seconds=1, rate=200)
    bench_rig.enter(tmp)
    each = args.rate * args.seconds
    zone_make(2 * args.runs * each)
    bench_rig.nsd(tmp, f"127.0.0.1@{NSD_PORT}", {".": bench_rig.ROOT_ZONE, "miss.example.": None})
    bench_rig.lab_up(args.build, "--upstream", f"127.0.0.1:{NSD_PORT}")
    bench_rig.weirctl_must(args.build, "set", "query_log", "off")  # unbound keeps none either
    good, first = True, 0
    for is_valid in (False, True):
        if is_valid:
            weir_validates(args.build)
        process = start_unbound(is_valid)
        time.sleep(1)
        servers = [Server("weir", bench_rig.lab_pid(), SERVICE, 53, CLIENT), Server("unbound", process.pid, "127.0.0.1", UNBOUND_PORT)]
        for _ in range(args.runs):
            numbers, first = range(first, first + each), first + each
            good &= all([server.run(numbers, args.rate, is_valid) for server in servers])
        emit(is_valid, servers, args.rate)
        process.kill()
        process.wait()
    bench_rig.lab(args.build, "down")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
