# SPDX-License-Identifier: BSD-3-Clause
"""A part of its CPU for a process, by a control group of its own (version 1 or 2), and how much of a CPU was had.

The kernel enforces it at its clock ticks, so a process runs for a tick or some, then rests for some, and may get more
than its part: so what is judged is the work done to the CPU time that was had (Meter).
"""

import os
import pathlib
import threading
import time

ROOT = pathlib.Path("/sys/fs/cgroup")
PERIOD_US = 10000
SAMPLE_S, WINDOW = 0.1, 5  # half a second


def folder_and_limit(percent):
    """Where a group goes, and what is written to which of its files."""
    quota = PERIOD_US * percent // 100
    controllers = ROOT / "cgroup.controllers"
    if controllers.exists() and "cpu" in controllers.read_text().split():
        (ROOT / "cgroup.subtree_control").write_text("+cpu")
        return ROOT, {"cpu.max": f"{quota} {PERIOD_US}"}
    return ROOT / "cpu", {"cpu.cfs_period_us": str(PERIOD_US), "cpu.cfs_quota_us": str(quota)}


class Share:
    """Holds one process, with all its threads, until it ends."""

    def __init__(self, percent, pid):
        parent, limits = folder_and_limit(percent)
        self.folder = parent / f"weir-bench-{os.getpid()}-{pid}"
        self.folder.mkdir()
        try:
            for name, value in limits.items():
                (self.folder / name).write_text(value)
            (self.folder / "cgroup.procs").write_text(str(pid))
        except OSError:
            self.folder.rmdir()
            raise

    def close(self):
        """Its process is gone."""
        self.folder.rmdir()


def busy(cpu, before=None):
    """How long this CPU was not idle and how long it was idle, in s, since ever or since `before`."""
    line = next(x for x in pathlib.Path("/proc/stat").read_text().splitlines() if x.startswith(f"cpu{cpu} "))
    user, niced, system, idle, iowait, irq, softirq = (int(x) / os.sysconf("SC_CLK_TCK") for x in line.split()[1:8])
    now = user + niced + system + irq + softirq, idle + iowait
    return (now[0] - before[0], now[1] - before[1]) if before else now


class Meter:
    """Of one CPU, while it is entered: the part of its busiest half second in which it was not idle."""

    def __init__(self, cpu):
        self.cpu, self.samples, self.over = cpu, [], threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while True:
            self.samples.append((time.monotonic(), busy(self.cpu)[1]))
            if self.over.wait(SAMPLE_S):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def most(self):
        return most_busy(self.samples)


def most_busy(samples):
    """Of samples (when, idle since ever): 1 less the least idle part of a window of theirs; 1 if they are too few."""
    parts = [1 - (b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(samples, samples[WINDOW:])]
    return min(1.0, max(parts, default=1.0))
