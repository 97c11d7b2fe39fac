#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What idling costs, and what it costs the first query after it: `tools/bench --goals power`.

The real binaries, each case with a client namespace of its own: on a TAP port with its exception port, whose queues
wake the worker, and on an af_packet port, which cannot, so that its sleeps end by time. Taken
are the CPU time of the worker (nanoseconds of the scheduler) without traffic, with 100 and 1,000 queries a second; the time
to the answer of single queries after a random silence, found in the cache, missed, and asked back to back; the same of
NSD on kernel sockets behind a veth, in turn with ours; and bursts after silences, of which nothing may be lost.
Prints JSON lines as bench_path does. Exit status 1: an answer was lost or wrong.
"""

import ctypes
import os
import pathlib
import random
import select
import shutil
import socket
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_rig  # noqa: E402
import memif_run  # noqa: E402

SERVICE, CLIENT, AUTHORITY, QUERIER = "198.18.0.53", "198.18.0.2", "198.18.1.53", "198.18.1.2"
IDLE_S, ASKS, MISSES, BURSTS, BURST = 5, 80, 40, 20, 256
tmp = pathlib.Path("/run/power")

# Case, port, most CPU in percent when idle, most us to the first answer.
CASES = [
    ("TAP, adaptive", "tap", 3, 200),
    ("af_packet, adaptive: by time", "af_packet", 5, 1500),
]

ZONE = """\
$ORIGIN lab.example.
@ 3600 IN SOA ns.lab.example. admin.lab.example. 1 3600 900 86400 60
@ 3600 IN NS ns.lab.example.
* 3600 IN A 198.18.255.80
"""


def run(command):
    subprocess.run(command, shell=True, check=True)


class Client:
    """A socket in the client namespace. It spins for its replies, so that its own sleep is not measured."""

    def __init__(self, server):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.connect((server, 53))
        self.lost = self.wrong = self.ident = 0

    def send(self, name):
        self.ident = (self.ident + 1) % 65536
        self.sock.send(bench_rig.query(name, ident=self.ident))
        return self.ident

    def ask(self, name, seconds=2):
        """Microseconds to the answer, or None."""
        began = time.perf_counter_ns()
        ident = self.send(name)
        while time.perf_counter_ns() - began < seconds * 10**9:
            try:
                reply = self.sock.recv(4096)
            except (BlockingIOError, ConnectionRefusedError):
                continue
            if int.from_bytes(reply[:2], "big") != ident:
                continue
            self.wrong += reply[3] & 15 != 0 or reply[7] != 1
            return (time.perf_counter_ns() - began) / 1000
        self.lost += 1
        return None

    def burst(self, count):
        """Queries one right after another, then all replies."""
        waiting = {self.send("www.lab.example") for _ in range(count)}
        while waiting and select.select([self.sock], [], [], 2)[0]:
            waiting.discard(int.from_bytes(self.sock.recv(4096)[:2], "big"))
        self.lost += len(waiting)


def in_client(function):
    """Calls it with a thread of this process in the client namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net", "rb") as here, open("/run/netns/client", "rb") as there:
        if libc.setns(there.fileno(), 0) != 0:
            raise bench_rig.Failed(os.strerror(ctypes.get_errno()))
        try:
            return function()
        finally:
            libc.setns(here.fileno(), 0)


def write_config(kind, cpus):
    device = {"tap": '{device: "net_tap0,iface=wt0", exception: weir0}',
              "af_packet": '{device: "net_af_packet0,iface=wt0"}'}[kind]
    shutil.rmtree(tmp / "state", ignore_errors=True)
    (tmp / "state").mkdir()
    (tmp / "weir.yaml").write_text(f"""\
runtime: {{directory: "{tmp}", state_directory: "{tmp}/state", hugepages: off}}
dataplane:
  main_lcore: {cpus[0]}
  worker_lcores: [{cpus[-1]}]
  ports: [{device}]
  service_addresses: [{SERVICE}/24]
  poll: adaptive
  rx_csum: compute
cache: {{l0_mb: 16}}
upstreams: {{servers: [{{address: "{AUTHORITY}:53"}}]}}
""")


def start(tree, kind, cpus):
    """A weir that answers, and its data plane's process."""
    run("ip netns add client && ip -n client link set lo up")
    run(f"ip link add nsd0 type veth peer name nsd1 && ip link set nsd1 netns client && ip addr add {AUTHORITY}/24 dev nsd0"
        f" && ip link set nsd0 up && ip -n client addr add {QUERIER}/24 dev nsd1 && ip -n client link set nsd1 up")
    if kind == "af_packet":
        run("ip link add wt0 type veth peer name wt1 && ip link set wt0 up && ip link set wt1 netns client")
    write_config(kind, cpus)
    weir = memif_run.Weir(tree, tmp)
    weir.nsd = bench_rig.nsd(tmp, AUTHORITY, {"lab.example.": ZONE})
    weir.start("controlplane/weir-controlplane")
    dataplane = weir.start("dataplane/weir-dataplane")
    weir.wait("the data plane", weir.activated)
    interface = "wt1" if kind == "af_packet" else "wt0"
    if kind == "tap":
        run("ip link set wt0 netns client")
    run(f"ip -n client addr add {CLIENT}/24 dev {interface} && ip -n client link set {interface} up")
    return weir, dataplane


def stop(weir):
    weir.stop_all()
    bench_rig.stop(weir.nsd)
    run("ip netns del client")
    for interface in ("wt0", "weir0", "nsd0"):
        subprocess.run(["ip", "link", "del", interface], stderr=subprocess.DEVNULL)
    time.sleep(0.2)


def cpu_s(dataplane):
    """CPU seconds of the worker's thread."""
    worker, = bench_rig.tasks(dataplane.pid)
    return bench_rig.ran_ns(worker) / 1e9


def busy_percent(dataplane, seconds, rate, client):
    before, began = cpu_s(dataplane), time.monotonic()
    sent = 0
    while (now := time.monotonic()) < began + seconds:
        while rate and sent < (now - began) * rate:
            client.send("www.lab.example")
            sent += 1
        time.sleep(1 / rate if rate else 0.1)
    percent = 100 * (cpu_s(dataplane) - before) / (time.monotonic() - began)
    got = 0
    while rate and select.select([client.sock], [], [], 1)[0]:
        client.sock.recv(4096)
        got += 1
    client.lost += sent - got
    return percent


def quantiles(values):
    ordered = sorted(values)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, len(ordered) * 9 // 10)]


def latencies(ours, nsd):
    """Medians and ninth deciles in us, of weir's and NSD's answers after silences, of misses, and back to back."""
    rng, first, theirs, missed, close = random.Random(6), [], [], [], []
    for client in (ours, nsd):
        client.ask("www.lab.example", 5)
    for _ in range(ASKS):
        for client, out in ((ours, first), (nsd, theirs)):
            time.sleep(rng.uniform(0.03, 0.09))
            out.append(client.ask("www.lab.example"))
    for i in range(MISSES):
        time.sleep(rng.uniform(0.03, 0.09))
        missed.append(ours.ask(f"m{i}.lab.example"))
    close = [ours.ask("www.lab.example") for _ in range(2000)]
    return [quantiles([v for v in values if v is not None]) for values in (first, theirs, missed, close)]


def measure(tree, case, cpus):
    name, kind, most_percent, most_us = case
    weir, dataplane = start(tree, kind, cpus)
    os.sched_setaffinity(0, cpus[:1])  # on the worker's core the client, which spins, is what the worker waits for
    try:
        ours, nsd = in_client(lambda: (Client(SERVICE), Client(AUTHORITY)))
        first, theirs, missed, close = latencies(ours, nsd)
        time.sleep(0.3)
        idle = busy_percent(dataplane, IDLE_S, 0, ours)
        loaded = [(rate, busy_percent(dataplane, 3, rate, ours)) for rate in (100, 1000)]
        for _ in range(BURSTS):
            time.sleep(0.1)
            ours.burst(BURST)
        rows = [("idle", idle, "% of a core", most_percent), ("first_p50", first[0], "us", most_us),
                ("first_p90", first[1], "us", None), ("first_miss_p50", missed[0], "us", None),
                ("first_miss_p90", missed[1], "us", None), ("back_to_back_p50", close[0], "us", None),
                ("nsd_first_p50", theirs[0], "us", None), ("nsd_first_p90", theirs[1], "us", None)]
        rows += [(f"at_{rate}", percent, "% of a core", None) for rate, percent in loaded]
        rows += [("lost", ours.lost, "queries", None), ("wrong", ours.wrong, "queries", None)]
        for metric, value, unit, reference in rows:
            bench_rig.say(bench_rig.row("power", name, metric, value, unit, reference, digits=2))
        return ours.lost == 0 and ours.wrong == 0
    finally:
        os.sched_setaffinity(0, cpus)
        stop(weir)


def main():
    args = bench_rig.options(__doc__).parse_args()
    bench_rig.enter(tmp)
    cpus, good = sorted(os.sched_getaffinity(0))[:2], True
    for case in CASES:
        try:
            good &= measure(args.build, case, cpus)
        except (bench_rig.Failed, subprocess.CalledProcessError) as why:
            print(f"{case[0]}: {why}", file=sys.stderr)
            good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
