# SPDX-License-Identifier: BSD-3-Clause
"""A part of its CPU for a process, by a control group of its own (version 1 or 2), and how much of a CPU was had.

The kernel enforces it at its clock ticks, so a process runs for a tick or some, then rests for the others; over a second
the part is right (`busy` shows it).
"""

import os
import pathlib

ROOT = pathlib.Path("/sys/fs/cgroup")
PERIOD_US = 10000


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
