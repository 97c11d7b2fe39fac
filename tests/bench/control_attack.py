#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a worker loses while the control API is attacked: `tools/bench --goals attack`.

The real control plane and bench_dataplane, whose worker answers 1,000 names from L0 and reflects in slices of 5 ms in turn
(G1), on a net_pcap port that begins again at the end of its file, so it never waits. It has the first CPU; the control
plane, the adversary (control_adversary.py, in a namespace of its own) and this program share the second one. By turns
nobody is at `control.listen`, and one kind of adversary is, or all of them. Of each turn two figures are taken: G1, the
frames answered to those reflected, which holds for whatever speed the CPU has at the moment; and the frames of both kinds
for each second of the worker's CPU time, which would also show what slows both. Of each pair of turns the ratios are
taken; the figures are the medians of these.
Prints JSON lines as bench_path does. Exit status 1: an adversary did not reach weir or ended, a
query was no hit, or G1 was lower than REFERENCE of that of the quiet turns by more than twice its standard error.
"""

import argparse
import io
import json
import math
import os
import pathlib
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import memif_run  # noqa: E402
import namespaces  # noqa: E402

NAMES, FRAMES, REFERENCE = 1000, 4096, 0.99
SERVICE, CLIENT, OURS, THEIRS, PORT = "198.18.0.53", "198.18.0.2", "10.65.0.1", "10.65.0.2", 9953
PORT_MAC, CLIENT_MAC = b"\2pcap\0", b"\2\0\0\0\0\2"
SPACE, SETTLE_S, MASK = "adversary", 0.1, (1 << 64) - 1
KINDS = ["handshakes", "tokens", "slow", "connections"]
ADVERSARY = str(pathlib.Path(__file__).resolve().with_name("control_adversary.py"))
run = pathlib.Path("/run/attack")


def mix(x):
    """As corpus_mix does (tools/loadgen/corpus.c)."""
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def letters(bits, count):
    return bytes(ord("a") + (bits >> 4 * i & 15) for i in range(count))


def cached_name(ident):
    """As corpus_cached does, on the wire."""
    bits = mix(ident)
    labels = letters(ident, 8) + letters(bits, 2), letters(bits >> 8, 5), b"test"
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def frame(serial):
    dns = struct.pack("!6H", serial, 0x0100, 1, 0, 0, 0) + cached_name(mix(serial) % NAMES) + b"\0\1\0\1"
    udp = struct.pack("!4H", 1024 + serial, 53, 8 + len(dns), 0) + dns
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton(CLIENT),
                       socket.inet_aton(SERVICE))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:]
    return PORT_MAC + CLIENT_MAC + b"\x08\0" + head + udp


def write_pcap(path):
    out = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    for made in map(frame, range(FRAMES)):
        out += struct.pack("<4I", 0, 0, len(made), len(made)) + made
    path.write_bytes(out)


def write_files(cpus):
    write_pcap(run / "queries.pcap")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
                    "2", "-subj", "/CN=box", "-keyout", run / "box.key", "-out", run / "box.pem"], check=True,
                   stderr=subprocess.DEVNULL)
    (run / "state").mkdir()
    (run / "weir.yaml").write_text(f"""\
runtime: {{directory: "{run}", state_directory: "{run}/state", hugepages: auto}}
dataplane:
  main_lcore: {cpus[1]}
  worker_lcores: [{cpus[0]}]
  mbufs: 16383
  ports: [{{device: "net_pcap0,rx_pcap={run}/queries.pcap,infinite_rx=1"}}]
  service_addresses: [{SERVICE}/15]
  poll: busy
access: {{allow: [any], unlimited: [any]}}
cache: {{l0_mb: 64}}
query_log: {{enabled: false}}
local: {{test_names: true}}
upstreams: {{servers: [{{address: "127.0.0.1:9"}}]}}
control:
  listen: ["{OURS}:{PORT}"]
  allow: [10.0.0.0/8]
  connections: 192
  source_connections: 192
  certificates: [{{cert: {run}/box.pem, key: {run}/box.key}}]
""")


def make_space():
    """The adversary's namespace, all of 10.66.0.0/16 its own."""
    for step in (f"netns add {SPACE}", f"link add wc0 type veth peer name wc1 netns {SPACE}", f"addr add {OURS}/24 dev wc0",
                 "link set wc0 up", f"route add 10.66.0.0/16 via {THEIRS}", f"-n {SPACE} addr add {THEIRS}/24 dev wc1",
                 f"-n {SPACE} link set wc1 up", f"-n {SPACE} link set lo up", f"-n {SPACE} route add local 10.66.0.0/16 dev lo"):
        subprocess.run(["ip", *step.split()], check=True)


class Rig(memif_run.Weir):
    def up(self):
        subprocess.run([self.program("tests/bench/bench_fill"), "-c", str(run / "weir.yaml"), "-n", str(NAMES)], check=True)
        self.start("controlplane/weir-controlplane")
        self.dataplane = self.start(memif_run.BENCHED, "--bench", "alternate")
        self.wait("the data plane", self.activated)
        self.wait("the API", lambda: self.counts()["listening"])
        self.sampler = self.spawn("tests/bench/bench_answers", str(run), str(self.dataplane.pid), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE)
        self.sampler.stdin, self.sampler.stdout = (io.TextIOWrapper(self.sampler.stdin), io.TextIOWrapper(self.sampler.stdout))

    def counts(self):
        """What reached the API."""
        access = {}
        self.wait("the control plane", lambda: access.update(
            self.ask("stats", "--interval", "0").get("controlplane", {}).get("access", {})) or access)
        return {"listening": any(one["listening"] for one in access["listen"]), "accepted": access["connections_made"],
                "closed": access["connections_refused"] + access["connections_shut_out"],
                "refused": sum(access["refused"].values())}

    def sample(self):
        """Hits, reflected frames, all verdicts, and the CPU time of the data plane's process in ns, at one moment."""
        self.sampler.stdin.write("\n")
        self.sampler.stdin.flush()
        return [int(word) for word in self.sampler.stdout.readline().split()]

    def others(self):
        """CPU time of its threads but the worker, in ns."""
        total = 0
        for task in pathlib.Path(f"/proc/{self.dataplane.pid}/task").iterdir():
            if not (task / "comm").read_text().startswith(("rte-worker", "lcore-worker")):
                total += int((task / "schedstat").read_text().split()[0])
        return total

    def turn(self, seconds):
        """G1, and frames for each second of CPU."""
        time.sleep(SETTLE_S)
        began, idle = self.sample(), self.others()
        time.sleep(seconds)
        ended, idle = self.sample(), self.others() - idle
        hits, reflected, verdicts, cpu = (b - a for a, b in zip(began, ended))
        if hits + reflected != verdicts:
            raise memif_run.Failed(f"{verdicts - hits - reflected} of {verdicts} queries were no hits")
        return hits / reflected, verdicts * 1e9 / (cpu - idle)

    def adversaries(self, kinds):
        for kind in kinds:
            (run / kind).write_bytes(bytes(8))
        started = [subprocess.Popen(["ip", "netns", "exec", SPACE, sys.executable, ADVERSARY, kind, OURS, str(PORT), run / kind],
                                    start_new_session=True) for kind in kinds]
        self.started += started
        return started


def send(processes, number):
    for p in processes:
        os.killpg(p.pid, number)


def reached_of(kinds):
    return {kind: int.from_bytes((run / kind).read_bytes(), sys.byteorder) for kind in kinds}


def measure(rig, kinds, pairs, seconds):
    """Pairs of turns, each without and with the adversary, what reached the API, and by which kind a second."""
    before, turns, attacked_s = rig.counts(), [], 0
    against = rig.adversaries(kinds)
    rig.wait("each kind of adversary", lambda: all(reached_of(kinds).values()))
    had = reached_of(kinds)
    for n in range(pairs):
        values = {}
        for attacked in (n % 2 == 0, n % 2 == 1):
            send(against, signal.SIGCONT if attacked else signal.SIGSTOP)
            began = time.monotonic()
            values[attacked] = rig.turn(seconds)
            attacked_s += attacked * (time.monotonic() - began)
        turns.append((values[False], values[True]))
        dead = [kind for kind, p in zip(kinds, against) if p.poll() is not None]
        if dead:
            raise memif_run.Failed(f"the adversary {dead[0]} has ended")
    rates = {kind: (count - had[kind]) / attacked_s for kind, count in reached_of(kinds).items()}
    send(against, signal.SIGKILL)
    for p in against:
        p.wait()
        rig.started.remove(p)
    after = rig.counts()
    return turns, {name: after[name] - before[name] for name in ("refused", "accepted", "closed")}, rates


def rows_of(kinds, turns, reached, rates):
    case = f"API attacked: {kinds[0] if len(kinds) == 1 else 'all at once'}"
    out = []
    for i, (metric, reference) in enumerate((("g1", REFERENCE), ("cpu", None))):
        ratios = [attacked[i] / quiet[i] for quiet, attacked in turns]
        low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        # Of a median, as for a normal distribution: 1.253 of the mean's, whose deviation is 0.741 of the quarters' distance.
        error = 0.93 * (high - low) / math.sqrt(len(ratios))
        for name, value in (("ratio", statistics.median(ratios)), ("error", error), ("low", low), ("high", high)):
            out.append(memif_run.row("attack", case, f"{metric}_{name}", round(value, 4), "of nobody there",
                                     reference if name == "ratio" else None))
    for metric, value, unit in (("g1", round(statistics.median(quiet[0] for quiet, _ in turns), 3), "of reflector"),
                                ("pairs", len(turns), "pairs of turns"), ("accepted", reached["accepted"], "connections"),
                                ("closed", reached["closed"], "connections"), ("refused", reached["refused"], "requests")):
        out.append(memif_run.row("attack", case, metric, value, unit))
    return out + [memif_run.row("attack", case, f"reached_{kind}", round(rate, 1), "a second") for kind, rate in rates.items()]


def is_lost(rows):
    """Is G1 below REFERENCE beyond chance?"""
    of = {row["metric"]: row["value"] for row in rows}
    return of["g1_ratio"] + 2 * of["g1_error"] < REFERENCE


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--pairs", type=int, default=40, help="of turns, for each kind (40)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn (0.5)")
    parser.add_argument("--kind", choices=[*KINDS, "all"], help="of adversary (each, then all at once)")
    parser.add_argument("--quick", action="store_true", help="whether it works, not how much it is")
    args = parser.parse_args()
    if args.quick:
        args.pairs, args.seconds, args.kind = 1, 0.2, "all"
    alone = [[kind] for kind in KINDS if args.kind in (None, kind)]
    args.kinds = alone + [KINDS] * (args.kind in (None, "all"))
    return args


def main():
    args = arguments()
    cpus = sorted(os.sched_getaffinity(0))
    namespaces.enter(run)
    if len(cpus) < 2:
        raise memif_run.Failed("two CPUs are needed: one for the worker, one for all others")
    os.sched_setaffinity(0, {cpus[1]})
    write_files(cpus)
    make_space()
    rig, lost = Rig(args.build, run), 0
    try:
        rig.up()
        for kinds in args.kinds:
            rows = rows_of(kinds, *measure(rig, kinds, args.pairs, args.seconds))
            print("\n".join(json.dumps(row) for row in rows), flush=True)
            lost += not args.quick and is_lost(rows)
    finally:
        rig.stop_all()
        namespaces.remove(run)
    if lost:
        raise memif_run.Failed(f"{lost} of {len(args.kinds)} attacks cost the packet path more than 1 %")


if __name__ == "__main__":
    try:
        main()
    except memif_run.Failed as why:
        sys.exit(f"control_attack: {why}")
