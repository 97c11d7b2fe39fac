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

import io
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_rig  # noqa: E402
import memif_run  # noqa: E402

NAMES, FRAMES, REFERENCE = 1000, 4096, 0.99
OURS, THEIRS, PORT = "10.65.0.1", "10.65.0.2", 9953
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


def write_files(cpus):
    bench_rig.write_pcap(run / "queries.pcap", [cached_name(mix(serial) % NAMES) for serial in range(FRAMES)])
    bench_rig.certificate(run)
    memif_run.write_config(run, NAMES, None, (cpus[1], cpus[0]), f"net_pcap0,rx_pcap={run}/queries.pcap,infinite_rx=1", f"""\
  mbufs: 16383
access: {{allow: [any], unlimited: [any]}}
control:
  listen: ["{OURS}:{PORT}"]
  allow: [10.0.0.0/8]
  connections: 192
  source_connections: 192
  certificates: [{{cert: {run}/cert.pem, key: {run}/key.pem}}]
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
        return sum(map(bench_rig.ran_ns, bench_rig.tasks(self.dataplane.pid, of_worker=False)))

    def turn(self, seconds):
        """G1, and frames for each second of CPU."""
        time.sleep(SETTLE_S)
        began, idle = self.sample(), self.others()
        time.sleep(seconds)
        ended, idle = self.sample(), self.others() - idle
        hits, reflected, verdicts, cpu = (b - a for a, b in zip(began, ended))
        if hits + reflected != verdicts:
            raise bench_rig.Failed(f"{verdicts - hits - reflected} of {verdicts} queries were no hits")
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
            raise bench_rig.Failed(f"the adversary {dead[0]} has ended")
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
            out.append(bench_rig.row("attack", case, f"{metric}_{name}", round(value, 4), "of nobody there",
                                     reference if name == "ratio" else None))
    for metric, value, unit in (("g1", round(statistics.median(quiet[0] for quiet, _ in turns), 3), "of reflector"),
                                ("pairs", len(turns), "pairs of turns"), ("accepted", reached["accepted"], "connections"),
                                ("closed", reached["closed"], "connections"), ("refused", reached["refused"], "requests")):
        out.append(bench_rig.row("attack", case, metric, value, unit))
    return out + [bench_rig.row("attack", case, f"reached_{kind}", round(rate, 1), "a second") for kind, rate in rates.items()]


def is_lost(rows):
    """Is G1 below REFERENCE beyond chance?"""
    of = {row["metric"]: row["value"] for row in rows}
    return of["g1_ratio"] + 2 * of["g1_error"] < REFERENCE


def arguments():
    parser = bench_rig.options(__doc__)
    parser.add_argument("--pairs", type=int, default=40, help="of turns, for each kind (40)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn (0.5)")
    parser.add_argument("--kind", choices=[*KINDS, "all"], help="of adversary (each, then all at once)")
    args = bench_rig.parse(parser, pairs=1, seconds=0.2, kind="all")
    alone = [[kind] for kind in KINDS if args.kind in (None, kind)]
    args.kinds = alone + [KINDS] * (args.kind in (None, "all"))
    return args


def main():
    args = arguments()
    cpus = bench_rig.two_cpus()
    bench_rig.enter(run)
    os.sched_setaffinity(0, {cpus[1]})
    write_files(cpus)
    make_space()
    rig, lost = Rig(args.build, run), 0
    try:
        rig.up()
        for kinds in args.kinds:
            rows = rows_of(kinds, *measure(rig, kinds, args.pairs, args.seconds))
            bench_rig.say(*rows)
            lost += not args.quick and is_lost(rows)
    finally:
        rig.stop_all()
        bench_rig.remove(run)
    if lost:
        raise bench_rig.Failed(f"{lost} of {len(args.kinds)} attacks cost the packet path more than 1 %")


if __name__ == "__main__":
    try:
        main()
    except bench_rig.Failed as why:
        sys.exit(f"control_attack: {why}")
