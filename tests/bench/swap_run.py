#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""G8: what a new rule image costs the packet path while it is built, published and activated.

The real binaries; the data plane on a net_pcap port that repeats queries for listed names without end, so its worker is
at full load on one CPU and all else has the other. Measured are seconds, in turns, each beside one in which nothing is done:

    swap      a list of a million names, 1 % of them replaced, is loaded: parsed, built, stored, published, activated
    swap only the image before comes back (`blocklist rollback`): published and activated, but not built
    spin      this script computes, in its caches, as long as the other CPU was busy in the last `swap`
    sweep     this script reads memory that fits in no cache, again and again, as long

The last two are yardsticks: what the worker loses to any program on the other CPU, be that the other hyperthread of its
core (spin) or one that shares its last cache and memory (sweep). Then images follow each other without a pause. A
reload is throttled, so a million names are built in more than a second: the whole build counts as its second. There is no
query log, as in all of these goals. A query lost would be one received without a verdict.
Prints JSON lines as bench_path does. Exit status 1: something was lost, or an image was not swapped.
"""

import os
import pathlib
import random
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_rig  # noqa: E402
import cpu_share  # noqa: E402
import lists_corpus  # noqa: E402
import memif_run  # noqa: E402

FRAMES, SWEPT = 16384, 64 << 20
SECOND_S, ROUNDS = 1, 7
ROW_S, ROWS = 3, 2  # images one after the other


def counters(weir):
    """Received, sum of verdicts, late turns; when, as near as the two ends of the call tell."""
    asked = time.monotonic()
    dp = weir.ask("stats", "--interval", "0")["dataplane"]
    when = (asked + time.monotonic()) / 2
    return dp["counters"]["rx_frames"], sum(dp["verdicts"].values()), dp["counters"]["turns_late"], when


class Rig:
    """Both processes, the worker on the second CPU, this script and all else on the first."""

    def __init__(self, tree, run, names):
        self.cpus = sorted(os.sched_getaffinity(0))[:2]
        self.run, self.weir = run, memif_run.Weir(tree, run)
        self.swept = bytearray(SWEPT)
        self.versions, self.swaps, self.spent = [], 0, 0.0
        for seed in (4, 5):
            self.versions.append(run / f"list.{seed}")
            self.versions[-1].write_text("\n".join(lists_corpus.changed(names, 0.01, seed)) + "\n")
        (run / "list").write_text("\n".join(names) + "\n")
        memif_run.write_config(run, 1, run / "list", self.cpus, f"net_pcap0,rx_pcap={run}/load.pcap,infinite_rx=1",
                               "  memory_mb: 512\n  mbufs: 65536\n")
        bench_rig.write_pcap(run / "load.pcap", random.Random(3).choices(names[: len(names) // 2], k=FRAMES))

    def start(self, names):
        control = self.weir.start("controlplane/weir-controlplane")
        os.sched_setaffinity(control.pid, {self.cpus[0]})
        self.weir.wait("the list", lambda: self.weir.ask("blocklist", "status").get("names", 0) > names * 9 // 10)
        self.dataplane = self.weir.start("dataplane/weir-dataplane")
        self.weir.wait("the data plane", self.weir.activated)
        os.sched_setaffinity(0, {self.cpus[0]})
        self.worker, = bench_rig.tasks(self.dataplane.pid)
        time.sleep(1)

    def faults(self):
        """Page faults of the worker's thread, since ever."""
        fields = (self.worker / "stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[7]) + int(fields[9])

    def shootdowns(self):
        """Interrupts at the worker's CPU by which others took translations away, since ever."""
        line = next(x for x in pathlib.Path("/proc/interrupts").read_text().splitlines() if x.lstrip().startswith("TLB:"))
        return int(line.split()[1 + self.cpus[1]])

    def activated(self, *command):
        outcome = self.weir.ask("blocklist", *command).get("outcome")
        if outcome != "published":
            sys.exit(f"blocklist {command[0]}: {outcome}: what would be measured is no swap")
        self.swaps += 1
        self.weir.wait("the new image", self.weir.activated)

    def nothing(self):
        pass

    def swap(self):
        """Another hundredth of the list is replaced each time."""
        self.versions.reverse()
        part = self.run / "list.part"
        os.link(self.versions[0], part)
        part.rename(self.run / "list")
        before = cpu_share.busy(self.cpus[0])
        self.activated("reload")
        self.spent = cpu_share.busy(self.cpus[0], before)[0]

    def swap_only(self):
        self.activated("rollback")

    def spin(self):
        end, x = time.thread_time() + self.spent, 0
        while time.thread_time() < end:
            for i in range(2000):
                x += i

    def sweep(self):
        end = time.thread_time() + self.spent
        while time.thread_time() < end:
            self.swept.find(b"x")

    def pair(self, n, *work):
        """A second with and one without, which of them first by turns."""
        calm = None if n % 2 else self.second(self.nothing, *work[1:2])
        busy = self.second(*work)
        return busy, calm or self.second(self.nothing, *work[1:2])

    def second(self, work, seconds=SECOND_S, again=False):
        """Work at the beginning of a second, or again and again: what the worker did in it."""
        faults, shot, before = self.faults(), self.shootdowns(), counters(self.weir)
        began = time.monotonic()
        work()
        while again and time.monotonic() < began + seconds:
            work()
        time.sleep(max(0.0, began + seconds - time.monotonic()))
        after = counters(self.weir)
        took = after[3] - before[3]
        return dict(rate=(after[0] - before[0]) / took, late=(after[2] - before[2]) / took,
                    faults=self.faults() - faults, shootdowns=self.shootdowns() - shot)


def measure(tree, names, rounds):
    """Of each kind the pairs of a second with and one without, and what was received without a verdict."""
    run = pathlib.Path(tempfile.mkdtemp(prefix="weir-swap-", dir="/dev/shm"))
    rig = Rig(tree, run, names)
    kinds = {"swap": rig.swap, "swap_only": rig.swap_only, "spin": rig.spin, "sweep": rig.sweep}
    pairs = {kind: [] for kind in [*kinds, "row"]}
    spent = []
    try:
        rig.start(len(names))
        for n in range(rounds):
            for kind, work in kinds.items():
                pairs[kind].append(rig.pair(n, work))
            spent.append(rig.spent)
        for n in range(ROWS):
            pairs["row"].append(rig.pair(n, rig.swap, ROW_S, True))
        looks = [counters(rig.weir) for _ in range(5)]  # each with some batches under way
        if rig.weir.verdict("blocked") < looks[0][0] * 0.9:
            sys.exit("queries for listed names were not blocked: what would be measured is something else")
        return pairs, statistics.median(spent), rig.swaps, min(received - settled for received, settled, _, _ in looks)
    finally:
        rig.weir.stop_all()
        bench_rig.remove(run)


def rows(pairs, spent, swaps, lost, case):
    def row(metric, value, unit, reference=None):
        return bench_rig.row("G8", case, metric, value, unit, reference, digits=4)

    def middle(kind, metric, side=0):
        return statistics.median(pair[side][metric] for pair in pairs[kind])
    calm = [pair[1] for kind in pairs for pair in pairs[kind]]
    out = [row("swaps", swaps, "images"), row("swap_busy", spent, "s of the other CPU"),
           row("rate_without", statistics.median(c["rate"] for c in calm), "queries/s")]
    for kind, these in pairs.items():
        out.append(row(f"rate_{kind}", statistics.median(a["rate"] / b["rate"] for a, b in these), "of that without",
                       0.95 if kind == "swap" else None))
    ours = [a["rate"] / b["rate"] for a, b in pairs["swap"]]
    for yardstick in ("spin", "sweep"):
        theirs = [a["rate"] / b["rate"] for a, b in pairs[yardstick]]
        out.append(row(f"swap_to_{yardstick}", statistics.median(x / y for x, y in zip(ours, theirs)), "of its rate"))
    for kind in ("swap", "swap_only"):
        for metric in ("late", "faults", "shootdowns"):
            out.append(row(f"{metric}_{kind}", middle(kind, metric), "in the second"))
    for metric in ("late", "faults", "shootdowns"):
        out.append(row(f"{metric}_without", statistics.median(pair[1][metric] for pair in pairs["swap"]), "in the second"))
    return out + [row("without_verdict", lost, "queries")]


def main():
    parser = bench_rig.options(__doc__)
    parser.add_argument("--names", type=int, default=memif_run.LISTED)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of eight seconds ({ROUNDS})")
    args = parser.parse_args()
    pairs, spent, swaps, lost = measure(args.build, lists_corpus.names(args.names, 1), args.rounds)
    case = f"swaps of {args.names} names, worker at full load"
    bench_rig.say(*rows(pairs, spent, swaps, lost, case))
    return 0 if swaps and lost < 64 else 1


if __name__ == "__main__":
    sys.exit(main())
