#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""G8: what a new rule image costs the packet path while it is built, published and adopted.

The real binaries; the data plane on a net_pcap port that repeats queries for listed names without end, so its worker is
at full load on one core and the control plane has the other. For some seconds nothing changes, then the list of a
million names is loaded again and again with 1 % of them replaced, in turns. Taken are the queries answered a second and the turns
of the worker's loop that took over 1 ms (turns_late), with and without. A query lost would be one received without a
verdict. Prints JSON lines as bench_path does. Exit status 1: something was lost, or no image was swapped.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import struct
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import lists_corpus  # noqa: E402
import memif_run  # noqa: E402

FRAMES, PHASE_S, ROUNDS = 16384, 6, 3


def checksum(octets):
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(name, number):
    """A query for an A record, without UDP checksum."""
    wire = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    dns = struct.pack("!HHHHHH", number & 0xffff, 0x0100, 1, 0, 0, 0) + wire + struct.pack("!HH", 1, 1)
    udp = struct.pack("!HHHH", 1024 + number % 60000, 53, 8 + len(dns), 0) + dns
    ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes([198, 18, 0, 1]),
                               bytes([198, 18, 0, 53])))
    ip[10:12] = struct.pack("!H", checksum(bytes(ip)))
    return bytes.fromhex("02000000005302000000000108 00".replace(" ", "")) + bytes(ip) + udp


def write_pcap(path, names):
    rng = random.Random(3)
    with path.open("wb") as out:
        out.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i in range(FRAMES):
            octets = frame(rng.choice(names), i)
            out.write(struct.pack("=IIII", 0, 0, len(octets), len(octets)) + octets)


def write_config(run, cpus):
    (run / "state").mkdir()
    (run / "weir.yaml").write_text(f"""\
runtime: {{directory: "{run}", state_directory: "{run}/state", hugepages: auto}}
dataplane:
  main_lcore: {cpus[0]}
  worker_lcores: [{cpus[1]}]
  memory_mb: 512
  mbufs: 65536
  ports: [{{device: "net_pcap0,rx_pcap={run}/load.pcap,infinite_rx=1"}}]
  service_addresses: [198.18.0.53/15]
  poll: busy
cache: {{l0_mb: 64}}
blocking: {{mode: "null", lists: [{{name: bench, path: "{run}/list"}}]}}
local: {{test_names: true}}
upstreams: {{servers: [{{address: "127.0.0.1:9"}}]}}
""")


def counters(weir):
    """Received, sum of verdicts, late turns."""
    dp = weir.ask("stats", "--interval", "0")["dataplane"]
    return dp["counters"]["rx_frames"], sum(dp["verdicts"].values()), dp["counters"]["turns_late"]


def phase(weir, work):
    """Queries a second, late turns a second, and images swapped, while work() runs again and again."""
    before, began, swapped = counters(weir), time.monotonic(), 0
    while time.monotonic() < began + PHASE_S:
        swapped += work()
    after, took = counters(weir), time.monotonic() - began
    return (after[0] - before[0]) / took, (after[2] - before[2]) / took, swapped


def nothing():
    time.sleep(0.1)
    return 0


def swapper(weir, run, names):
    """Another hundredth of the list is replaced each time."""
    versions = [lists_corpus.changed(names, 0.01, seed) for seed in (4, 5)]
    count = 0

    def swap():
        nonlocal count
        part = run / "list.part"
        part.write_text("\n".join(versions[count % 2]) + "\n")
        part.rename(run / "list")
        count += 1
        done = weir.ask("blocklist", "reload")
        weir.wait("the new image", weir.adopted)
        return done.get("outcome") == "published"
    return swap


def measure(tree, names):
    cpus = sorted(os.sched_getaffinity(0))[:2]
    run = pathlib.Path(tempfile.mkdtemp(prefix="weir-swap-", dir="/dev/shm"))
    weir = memif_run.Weir(tree, run)
    try:
        write_config(run, cpus)
        (run / "list").write_text("\n".join(names) + "\n")
        write_pcap(run / "load.pcap", names[: len(names) // 2])
        control = weir.start("controlplane/weir-controlplane")
        os.sched_setaffinity(control.pid, {cpus[0]})
        weir.wait("the list", lambda: weir.ask("blocklist", "status").get("names", 0) > len(names) * 9 // 10)
        weir.start("dataplane/weir-dataplane")
        weir.wait("the data plane", weir.adopted)
        os.sched_setaffinity(0, {cpus[0]})
        swap = swapper(weir, run, names)
        time.sleep(1)
        rounds = [(phase(weir, nothing), phase(weir, swap)) for _ in range(ROUNDS)]
        received, settled, _ = counters(weir)
        return rounds, received - settled
    finally:
        weir.stop_all()
        shutil.rmtree(run)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=str(pathlib.Path(__file__).resolve().parents[2] / "build-bench"))
    parser.add_argument("--names", type=int, default=memif_run.LISTED)
    args = parser.parse_args()
    rounds, lost = measure(args.build, lists_corpus.names(args.names, 1))
    case = f"swaps of {args.names} names, worker at full load"

    def emit(metric, value, unit, reference=None):
        print(json.dumps(memif_run.row("G8", case, metric, round(value, 4), unit, reference)))
    calm, busy = [r[0] for r in rounds], [r[1] for r in rounds]
    swaps = sum(b[2] for b in busy)
    emit("swaps", swaps, "images")
    emit("rate_without", statistics.median(c[0] for c in calm), "queries/s")
    emit("rate_to_without", statistics.median(b[0] / c[0] for c, b in rounds), "", 0.95)
    emit("late_turns_without", statistics.median(c[1] for c in calm), "turns/s")
    emit("late_turns", statistics.median(b[1] for b in busy), "turns/s")
    emit("late_turns_by_swap", sum(b[1] - c[1] for c, b in rounds) * PHASE_S / max(swaps, 1), "turns")
    emit("without_verdict", lost, "queries")
    return 0 if swaps and lost < 64 else 1


if __name__ == "__main__":
    sys.exit(main())
