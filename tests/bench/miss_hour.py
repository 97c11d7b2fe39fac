#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""M4b: answered queries a CPU second of a realistic hour, beside dnsdist and unbound with the same list.

Servers and namespaces are those of miss_cpu.py; the upstream is zipf_upstream. bench_hour asks each of them as fast as it
answers: names by Zipf(1.0) of a million with TTLs of 20 to 3,600 s, 5 % that nobody asked before, 2 % of the list, 5 % over
TCP. The servers take turns of a minute, each with the same names, so their caches age by the clock. The figure is answers to
user and system time of a server's processes (both of weir's), the median over the turns; ratios are of one turn. Prints JSON
lines as bench_path does.
Exit status 1: an answer was wrong, or a turn lost more than a hundredth; with --quick only when none was right.
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import socketserver
import statistics
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import miss_cpu  # noqa: E402
import namespaces  # noqa: E402

tmp, root = miss_cpu.tmp, miss_cpu.root
TTL_S, DELAY_MS = (20, 3600), 10
TURN_S, PATIENCE_S = 60, 120
L0_MB = 256
TIMES, LOST_MOST = 3.0, 0.01  # asked of each peer's
TARGETS = [*miss_cpu.TARGETS, "tests/zipf/zipf_upstream", "tests/bench/bench_hour"]

DNSDIST = miss_cpu.DNSDIST + f"""getPool(''):setCache(newPacketCache(2000000, {{maxTTL={TTL_S[1]}}}))
local listed = newSuffixMatchNode()
for line in io.lines('{tmp}/list') do listed:add(newDNSName(line)) end
addAction(SuffixMatchNodeRule(listed, true), RCodeAction(DNSRCode.NXDOMAIN))
"""
UNBOUND = miss_cpu.UNBOUND.replace("server:\n", f"""server:
  msg-cache-size: 256m
  rrset-cache-size: 512m
  outgoing-range: 4096
  num-queries-per-thread: 4096
  incoming-num-tcp: 64
  include: "{tmp}/unbound.list"
""", 1)


class Stream(socketserver.StreamRequestHandler):
    """A connection to the upstream, whose questions go on over UDP: dnsdist asks over TCP what it is asked over TCP."""

    def handle(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
            to.settimeout(PATIENCE_S)
            to.connect(self.server.server_address)
            while len(head := self.rfile.read(2)) == 2:
                to.send(self.rfile.read(int.from_bytes(head, "big")))
                reply = to.recv(4096)
                self.wfile.write(len(reply).to_bytes(2, "big") + reply)


class Streams(socketserver.ThreadingTCPServer):
    allow_reuse_address, daemon_threads, request_queue_size = True, True, 256

    def handle_error(self, request, client_address):
        """The client has gone."""


class Server:
    """One that takes its turns: how it is reached, and whose CPU time counts."""

    def __init__(self, name, pids, address, port, prefix=()):
        self.name, self.pids, self.address, self.port, self.prefix = name, pids, address, port, list(prefix)
        self.per_cpu_s = []

    def wait(self, name):
        """Until it blocks the name."""
        end = time.monotonic() + PATIENCE_S
        ask = [*self.prefix, "kdig", f"@{self.address}", "-p", str(self.port), "+timeout=1", "+retry=0", name, "A"]
        while "NXDOMAIN" not in subprocess.run(ask, stdout=subprocess.PIPE, text=True).stdout:
            if time.monotonic() > end:
                sys.exit(f"{self.name}: {name} is not blocked")
            time.sleep(0.05)

    def turn(self, args, seconds, seed):
        before = sum(map(miss_cpu.cpu_s, self.pids))
        command = [f"{args.build}/tests/bench/bench_hour", self.address, self.port, seconds, args.names, args.listed, seed]
        done = subprocess.run([*self.prefix, *map(str, command)], stdout=subprocess.PIPE, text=True, check=True)
        used = sum(map(miss_cpu.cpu_s, self.pids)) - before
        answered, tcp, blocked, wrong, lost = map(int, done.stdout.split())
        print(f"{self.name}: {answered} answered, {tcp} over TCP, {blocked} blocked, {wrong} wrong, {lost} lost, "
              f"{used:.2f} s of CPU", file=sys.stderr)
        self.per_cpu_s.append(answered / max(used, 0.01))
        if args.quick:
            return answered > wrong and tcp > 0 and blocked > 0
        return wrong == 0 and lost <= answered * LOST_MOST


def write_lists(count):
    names = [f"d{i}.of{i % 1000}.example" for i in range(count)]
    (tmp / "list").write_text("".join(f"{name}\n" for name in names))
    (tmp / "unbound.list").write_text("".join(f'local-zone: "{name}" always_nxdomain\n' for name in names))
    return names[-1]


def start_weir(build):
    own = {"WEIR_BUILD": build, "build_targets": " ".join(TARGETS)}
    lab = lambda *words: subprocess.run([f"{root}/tools/lab", *words], env=dict(os.environ, **own), text=True,  # noqa: E731
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    up = lab("up", "--upstream", f"127.0.0.1:{miss_cpu.UPSTREAM_PORT}", "--list", str(tmp / "list"))
    config = pathlib.Path("/run/weir/lab/weir.yaml")
    if up.returncode != 0:
        sys.exit(up.stdout)
    config.write_text(config.read_text().replace("l0_mb: 64\n", f"l0_mb: {L0_MB}\n"))
    if lab("stop", "controlplane").returncode or lab("start", "controlplane").returncode \
            or miss_cpu.weirctl(build, "set", "query_log", "off") is None:
        sys.exit("weir does not start again with a larger cache")
    pids = [int(pathlib.Path(f"/run/weir/lab/{p}.pid").read_text().split()[0]) for p in ("controlplane", "dataplane")]
    return Server("weir", pids, miss_cpu.service, 53, ["nsenter", "--net=/run/netns/weir-client", "--"])


def start_servers(args):
    last = write_lists(args.listed)
    miss_cpu.start([f"{args.build}/tests/zipf/zipf_upstream", str(miss_cpu.UPSTREAM_PORT), str(tmp / "counter"),
                    *map(str, TTL_S), str(DELAY_MS)])
    threading.Thread(target=Streams(("127.0.0.1", miss_cpu.UPSTREAM_PORT), Stream).serve_forever, daemon=True).start()
    servers = [start_weir(args.build)]
    commands = {"dnsdist": (miss_cpu.DNSDIST_PORT, DNSDIST, ["dnsdist", "--supervised", "--disable-syslog", "-C"]),
                "unbound": (miss_cpu.UNBOUND_PORT, UNBOUND, ["unbound", "-d", "-c"])}
    for name, (port, config, command) in commands.items():
        if name in args.only.split(",") and shutil.which(name):
            path = tmp / f"{name}.conf"
            path.write_text(config)
            servers.append(Server(name, [miss_cpu.start([*command, str(path)]).pid], "127.0.0.1", port))
    for server in servers:
        server.wait(last)
    return servers


def row(case, metric, value, unit, reference=None):
    return {"goal": "M4b", "case": case, "metric": metric, "value": round(value, 3), "unit": unit, "reference": reference,
            "ratio": round(value / reference, 3) if reference else None}


def rows(case, servers):
    out = [row(case, f"per_cpu_s_{s.name}", statistics.median(s.per_cpu_s), "answers/CPU s") for s in servers]
    for peer in servers[1:]:
        ratios = [w / p for w, p in zip(servers[0].per_cpu_s, peer.per_cpu_s)]
        out.append(row(case, f"to_{peer.name}", statistics.median(ratios), "times its answers/CPU s", TIMES))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(root / "build-bench"))
    parser.add_argument("--seconds", type=int, default=3600, help="load of each server (3600)")
    parser.add_argument("--names", type=int, default=1000000, help="that Zipf draws from (1000000)")
    parser.add_argument("--listed", type=int, default=1000000, help="names of the list (1000000)")
    parser.add_argument("--only", default="weir,dnsdist,unbound", help="which of these; weir always")
    parser.add_argument("--quick", action="store_true", help="a second of each: whether it works, not how fast")
    args = parser.parse_args()
    if args.quick:
        args.seconds, args.names, args.listed = 2, 10000, 1000
    namespaces.enter(tmp)
    servers = start_servers(args)
    turns = max(args.seconds // TURN_S, 2)
    good = all([s.turn(args, args.seconds / turns, n + 1) for n in range(turns) for s in servers])
    case = f"Zipf(1.0) of {args.names} names, {args.listed} listed, {args.seconds} s"
    print("\n".join(json.dumps(made) for made in rows(case, servers)))
    subprocess.run([f"{root}/tools/lab", "down"], stdout=subprocess.DEVNULL)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
