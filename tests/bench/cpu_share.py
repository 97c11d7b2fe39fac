# SPDX-License-Identifier: BSD-3-Clause
"""A part of its CPU for a server, and how much of it was had.

A program of higher priority has the CPU for the rest of each 2 ms, and all other programs there share what is left. A server
stops for no longer than that, so its rings hold the frames that arrive meanwhile, and it works in the same way as with more or
less of the core. The figure is the work done by the CPU time used (Meter), which the scheduler counts; the time in which the
CPU was not idle would include all other programs.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import threading
import time

SAMPLE_S, WINDOW = 0.1, 5  # half a second
SLICE_S = 0.002
LEAST, MOST = 6, 94  # % in slices: the kernel lets such a program have 95 % of a CPU


def threads_on(pid, cpu):
    """The threads of a process that may run on this CPU only."""
    found = []
    for tid in map(int, os.listdir(f"/proc/{pid}/task")):
        with contextlib.suppress(ProcessLookupError):  # ended meanwhile
            if os.sched_getaffinity(tid) == {cpu}:
                found.append(tid)
    return found


def take_rest(cpu, percent):
    """All of this CPU but so many % of each slice, until killed; an empty line tells that it has begun."""
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    start = time.monotonic()
    print(flush=True)
    while True:
        end = start + SLICE_S * (100 - percent) / 100
        while time.monotonic() < end:
            pass
        start += SLICE_S
        late = time.monotonic() - start
        if late < 0:
            time.sleep(-late)
        else:
            start += late


class Slices:
    """So many % of a CPU for all that runs there, until closed."""

    def __init__(self, percent, cpu):
        self.taker = subprocess.Popen([sys.executable, __file__, str(cpu), str(percent)], stdout=subprocess.PIPE)
        if not self.taker.stdout.readline():
            raise OSError("no program may come before all others here (SCHED_FIFO)")

    def close(self):
        self.taker.kill()
        self.taker.wait()
        self.taker.stdout.close()


def busy(cpu, before=None):
    """How long this CPU was not idle and how long it was idle, in s, since ever or since `before`."""
    line = next(x for x in pathlib.Path("/proc/stat").read_text().splitlines() if x.startswith(f"cpu{cpu} "))
    user, niced, system, idle, iowait, irq, softirq = (int(x) / os.sysconf("SC_CLK_TCK") for x in line.split()[1:8])
    now = user + niced + system + irq + softirq, idle + iowait
    return (now[0] - before[0], now[1] - before[1]) if before else now


def ran(threads):
    """CPU time of these threads since they began, in s; of one that has ended, none."""
    total = 0
    for tid in threads:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int(pathlib.Path(f"/proc/{tid}/schedstat").read_text().split()[0])
    return total / 1e9


class Meter:
    """Of these threads, while it is entered: the part of a CPU that they had in their busiest half second."""

    def __init__(self, threads):
        self.threads, self.samples, self.over = threads, [], threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while True:
            self.samples.append((time.monotonic(), ran(self.threads)))
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
    """Of samples (when, CPU time since ever): the most of it in a window of theirs, to its length; 1 if they are too few."""
    parts = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(samples, samples[WINDOW:])]
    return min(1.0, max(parts, default=1.0))


if __name__ == "__main__":
    take_rest(int(sys.argv[1]), int(sys.argv[2]))
