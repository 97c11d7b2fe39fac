#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""M4b: answered queries a CPU second of a realistic hour, beside dnsdist and unbound with the same list.

Servers and namespaces are those of miss_cpu.py; the upstream is zipf_upstream. bench_hour asks each of them as fast as it
answers: names by Zipf(1.0) of a million with TTLs of 20 to 3,600 s, 5 % that nobody asked before, 2 % of the list, 5 % over
TCP. The servers take turns of a minute, each with the same names, so their caches age by the clock. The figure is answers to
user and system time of a server's processes (both of weir's), the median over the turns; ratios are of one turn.

With --port tap weir has one TAP port, whose frames are system calls of its worker, and asks its upstream by sockets. With
--port memif its ports cost what those of a NIC do: the UDP queries come by one, from bench_hour_port. By a second one and a
bridge go TCP, ARP, and weir's queries to its upstream, which is then a program in the client namespace. Prints JSON lines as
bench_path does.
Exit status 1: an answer was wrong, or a turn lost more than a hundredth; with --quick only when none was right.
"""

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
import bench_rig  # noqa: E402
import miss_cpu  # noqa: E402

tmp = miss_cpu.tmp
TTL_S, DELAY_MS = (20, 3600), 10
TURN_S, PATIENCE_S = 60, 120
L0_MB = 256
WINDOW = {"tap": 256, "memif": 1024}  # queries in flight at each server: a TAP's queue holds no more
TIMES, LOST_MOST = 3.0, 0.01  # asked of each peer's
TARGETS = [*miss_cpu.TARGETS, "tests/zipf/zipf_upstream", "tests/bench/bench_hour", "tests/bench/bench_hour_port",
           "tools/loadgen/weir-bridge"]
PROCESSES = ("controlplane", "dataplane")
LOAD_SOCKET, LOAD_CLIENT = "/run/weir/lab/load.sock", "198.18.0.3"

DNSDIST = miss_cpu.DNSDIST + f"""setUDPSocketBufferSizes({4 << 20}, {4 << 20})
getPool(''):setCache(newPacketCache(2000000, {{maxTTL={TTL_S[1]}}}))
local listed = newSuffixMatchNode()
for line in io.lines('{tmp}/list') do listed:add(newDNSName(line)) end
addAction(SuffixMatchNodeRule(listed, true), RCodeAction(DNSRCode.NXDOMAIN))
"""
UNBOUND = ("msg-cache-size: 256m", "rrset-cache-size: 512m", "outgoing-range: 4096", "num-queries-per-thread: 4096",
           "incoming-num-tcp: 64", f'include: "{tmp}/unbound.list"')


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

    def __init__(self, name, pids, address, port, prefix=(), load=("bench_hour",)):
        self.name, self.pids, self.address, self.port, self.prefix = name, pids, address, port, list(prefix)
        self.per_cpu_s, self.us_each, self.program, self.load = [], [], list(load), None

    def wait(self, name):
        """Until it blocks the name."""
        end = time.monotonic() + PATIENCE_S
        ask = [*self.prefix, "kdig", f"@{self.address}", "-p", str(self.port), "+timeout=1", "+retry=0", name, "A"]
        while "NXDOMAIN" not in subprocess.run(ask, stdout=subprocess.PIPE, text=True).stdout:
            if time.monotonic() > end:
                sys.exit(f"{self.name}: {name} is not blocked")
            time.sleep(0.05)

    def start_load(self, args):
        """One for all turns: a memif client that leaves takes the server's rings along (DPDK 22.11)."""
        program, *more = self.program
        command = [f"{args.build}/tests/bench/{program}", *more, self.address, self.port, WINDOW[args.port], args.names, args.listed]
        self.load = subprocess.Popen([*self.prefix, *map(str, command)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def turn(self, args, seconds, seed):
        if not self.load:
            self.start_load(args)
        before = list(map(bench_rig.cpu_s, self.pids))
        print(seconds, seed, file=self.load.stdin, flush=True)
        answered, tcp, blocked, wrong, lost = map(int, self.load.stdout.readline().split())
        each = [bench_rig.cpu_s(pid) - was for pid, was in zip(self.pids, before)]
        used = sum(each)
        self.us_each.append([cpu_s * 1e6 / max(answered, 1) for cpu_s in each])
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


def upstream(build, address):
    return [f"{build}/tests/zipf/zipf_upstream", str(miss_cpu.UPSTREAM_PORT), str(tmp / f"counter.{address}"), *map(str, TTL_S),
            str(DELAY_MS), address]


def start_weir(build, port):
    address, more = ("127.0.0.1", []) if port == "tap" else (bench_rig.CLIENT_ADDRESS, ["--memif"])
    if port == "memif":
        miss_cpu.start_client(upstream(build, "0.0.0.0"))
    bench_rig.lab_up(build, "--upstream", f"{address}:{miss_cpu.UPSTREAM_PORT}", "--list", str(tmp / "list"), *more, targets=TARGETS)
    config = pathlib.Path("/run/weir/lab/weir.yaml")
    text = config.read_text().replace("l0_mb: 64\n", f"l0_mb: {L0_MB}\n")
    load = ["bench_hour"]
    if port == "memif":
        device = f"net_memif1,role=%s,socket-abstract=no,socket={LOAD_SOCKET}"
        text = text.replace("  ports:\n", f"  ports:\n    - device: {device % 'server'}\n")
        load = ["bench_hour_port", device % "client", min(os.sched_getaffinity(0)), LOAD_CLIENT]
    config.write_text(text)
    if any(bench_rig.lab(build, word, process, targets=TARGETS).returncode for word in ("stop", "start") for process in PROCESSES):
        sys.exit("weir does not start again with a larger cache")
    bench_rig.weirctl_must(build, "set", "query_log", "off")
    if port == "memif":
        miss_cpu.wait_for_port(build)
    return Server("weir", list(map(bench_rig.lab_pid, PROCESSES)), bench_rig.SERVICE, 53, bench_rig.CLIENT, load)


def start_servers(args):
    last = write_lists(args.listed)
    miss_cpu.start(upstream(args.build, "127.0.0.1"))
    threading.Thread(target=Streams(("127.0.0.1", miss_cpu.UPSTREAM_PORT), Stream).serve_forever, daemon=True).start()
    servers = [start_weir(args.build, args.port)]
    starts = {"dnsdist": (miss_cpu.DNSDIST_PORT, lambda: miss_cpu.start(bench_rig.dnsdist(tmp, DNSDIST))),
              "unbound": (miss_cpu.UNBOUND_PORT, lambda: miss_cpu.start_unbound(*UNBOUND))}
    for name, (port, start) in starts.items():
        if name in args.only.split(",") and shutil.which(name):
            servers.append(Server(name, [start().pid], "127.0.0.1", port))
    for server in servers:
        server.wait(last)
    return servers


def row(case, metric, value, unit, reference=None):
    return bench_rig.row("M4b", case, metric, value, unit, reference, digits=3)


def rows(case, servers):
    out = [row(case, f"per_cpu_s_{s.name}", statistics.median(s.per_cpu_s), "answers/CPU s") for s in servers]
    for process, us in zip(PROCESSES, zip(*servers[0].us_each)):
        out.append(row(case, f"cpu_{process}", statistics.median(us), "us/answer"))
    for peer in servers[1:]:
        ratios = [w / p for w, p in zip(servers[0].per_cpu_s, peer.per_cpu_s)]
        out.append(row(case, f"to_{peer.name}", statistics.median(ratios), "times its answers/CPU s", TIMES))
    return out


def main():
    parser = bench_rig.options(__doc__)
    parser.add_argument("--seconds", type=int, default=3600, help="load of each server (3600)")
    parser.add_argument("--turn", type=int, default=TURN_S, help=f"length of a turn ({TURN_S})")
    parser.add_argument("--names", type=int, default=1000000, help="that Zipf draws from (1000000)")
    parser.add_argument("--listed", type=int, default=1000000, help="names of the list (1000000)")
    parser.add_argument("--only", default="weir,dnsdist,unbound", help="which of these; weir always")
    parser.add_argument("--port", choices=("tap", "memif"), default="tap", help="weir's port (tap)")
    args = bench_rig.parse(parser, seconds=2, names=10000, listed=1000)
    bench_rig.enter(tmp)
    servers = start_servers(args)
    turns = max(args.seconds // args.turn, 2)
    good = all([s.turn(args, args.seconds / turns, n + 1) for n in range(turns) for s in servers])
    case = f"{args.port}: Zipf(1.0) of {args.names} names, {args.listed} listed, {args.seconds} s"
    bench_rig.say(*rows(case, servers))
    bench_rig.lab(args.build, "down")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
