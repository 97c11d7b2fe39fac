#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""M4: the time that a miss adds to the upstream's own, beside dnsdist and unbound.

Servers and namespaces are those of miss_cpu.py. bench_latency asks each of them, and in the same turn the upstream itself,
for names that nobody asked before. The added time of a turn is the server's p50 (p99) less the upstream's p50 (p99);
the figure is the median over the turns. All of these programs have real-time priority, so that waiting for a CPU which other
programs use is no part of it; a worker that polls without a pause has the best ordinary one, since the kernel takes 5 % of
each second from programs with real-time priority. Prints JSON lines as bench_path does.
Exit status 1: an answer was wrong, or a run lost more than a hundredth of its queries; with --quick only when none was right.
"""

import contextlib
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_rig  # noqa: E402
import miss_cpu  # noqa: E402

QUANTILES = {"p50": 60.0, "p99": 300.0}  # with what M4 asks for by the port, in us
LOST_MOST = 0.01


class Ask:
    """One of the servers as bench_latency asks it."""

    def __init__(self, build, server):
        self.name, self.turns, self.answered = server.name, [], 0
        self.command = [*server.prefix, f"{build}/tests/bench/bench_latency", server.address, str(server.port)]

    def turn(self, number, rate, seconds, is_quick):
        done = subprocess.run([*self.command, str(rate), str(seconds), f"{number}-{self.name}"], stdout=subprocess.PIPE,
                              text=True, check=True)
        print(f"{self.name}: {done.stdout.strip()}", file=sys.stderr)
        sent, answered, wrong, p50, p99, _ = done.stdout.split()
        self.answered += int(answered)
        self.turns.append({"p50": float(p50), "p99": float(p99)})
        if is_quick:
            return int(answered) > int(wrong)
        return int(wrong) == 0 and int(answered) >= int(sent) * (1 - LOST_MOST)


def rows(case, upstream, servers):
    """What each server adds to the upstream's times of the same turn, and the upstream's own."""
    out = [row(case, f"upstream_{q}", statistics.median(t[q] for t in upstream.turns)) for q in QUANTILES]
    for server in servers:
        for q, asked in QUANTILES.items():
            added = statistics.median(t[q] - u[q] for t, u in zip(server.turns, upstream.turns))
            has_goal = server.name == "weir" and "port" in case
            out.append(row(case, f"added_{q}_{server.name}", added, asked if has_goal else None))
    return out


def row(case, metric, value, reference=None):
    return bench_rig.row("M4", case, metric, round(value, 1), "us", reference)


def come_first():
    """This program and all that it starts from here on."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def come_next(pid):
    """A process and its threads, behind those with real-time priority."""
    for tid in map(int, os.listdir(f"/proc/{pid}/task")):
        os.sched_setscheduler(tid, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, tid, -20)
    with contextlib.suppress(OSError):  # a kernel without groups of sessions
        pathlib.Path(f"/proc/{pid}/autogroup").write_text("-20")


def main():
    parser = bench_rig.options(__doc__)
    parser.add_argument("--rate", type=int, default=1000, help="queries a second (1000)")
    parser.add_argument("--seconds", type=float, default=5, help="length of a turn (5)")
    parser.add_argument("--runs", type=int, default=5, help="turns of each (5)")
    parser.add_argument("--via", choices=("sockets", "port"), default="sockets",
                        help="how weir asks; the upstream of the port is asked by no other server (sockets)")
    parser.add_argument("--poll", choices=("adaptive", "busy"), default="adaptive", help="what weir's idle worker does")
    parser.add_argument("--only", default="weir,dnsdist,unbound", help="which of these; weir always")
    args = bench_rig.parse(parser, runs=1, seconds=1, rate=200)
    bench_rig.enter(miss_cpu.tmp)
    come_first()
    os.environ["WEIR_POLL"] = args.poll
    which = [name for name in args.only.split(",") if name == "weir" or (args.via == "sockets" and shutil.which(name))]
    servers = [Ask(args.build, s) for s in miss_cpu.start_servers(args.build, which, args.via)]
    if args.poll == "busy":
        come_next(bench_rig.lab_pid("dataplane"))
    where = (bench_rig.CLIENT_ADDRESS, bench_rig.CLIENT) if args.via == "port" else ("127.0.0.1", ())
    upstream = Ask(args.build, miss_cpu.Server("upstream", 0, where[0], miss_cpu.UPSTREAM_PORT, where[1]))
    before = miss_cpu.sent_by_port(args.build)
    good = all([s.turn(n, args.rate, args.seconds, args.quick) for n in range(args.runs) for s in [upstream, *servers]])
    if args.via == "port" and miss_cpu.sent_by_port(args.build) - before < servers[0].answered * (0 if args.quick else 0.5):
        print("most queries did not go through the port", file=sys.stderr)
        good = False
    polls = ", worker polls" if args.poll == "busy" else ""
    bench_rig.say(*rows(f"miss by {args.via}{polls}, {args.rate} q/s", upstream, servers))
    bench_rig.lab(args.build, "down")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
