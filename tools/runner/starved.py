#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Measure whether the machine starved a test, which is the only reason to run it a second time.

Sampler: a thread on each CPU sleeps SLEEP_S at a time. A sleep that takes STALL_S longer is a stall of that CPU. Beside it once a
second: steal of /proc/stat, `some` of /proc/pressure/cpu, and how many tasks could run (/proc/loadavg).

measured(begin, end) -> Window of that time, in seconds of time.monotonic(). Window.reason() -> text, or None. A reason is a sum of
stalls of one CPU over STALLED_S, steal over STEAL_SHARE, or over CROWDED runnable tasks a CPU, which the runner's own tests and builds
do not make. Pressure is written down and is no reason: they do make that.

Why 100 ms: on 2 CPUs, in 10 s, stalls of a CPU were (over 20 ms; over 100 ms)
  nothing else, or a build of two jobs        0 s; 0 s
  three labs and a busy loop on each CPU      1.0 to 2.1 s; 0 to 0.4 s
  three labs and four busy loops on each CPU  0.6 to 3.4 s; 0 to 1.4 s
Short ones are how a scheduler shares a CPU; tests live with them. A thread that sleeps is woken at once even among 15 tasks that
compute, which get a fifteenth of a CPU each: that shows in the tasks alone. N + 2 tests and a build of N + 2 jobs are some 4 a CPU.
"""
import dataclasses
import os
import threading
import time

SLEEP_S, STALL_S, STALLED_S, STEAL_SHARE, CROWDED = 0.005, 0.1, 0.25, 0.05, 8
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Window:
    seconds: float
    stalls_s: float = 0  # of the CPU that stalled most
    steal: float = 0     # shares of the CPUs' time
    pressure: float = 0
    tasks: float = 0     # that could run, a CPU

    def reason(self):
        if self.stalls_s > STALLED_S:
            return f"stalls {self.stalls_s:.1f} of {self.seconds:.0f} s"
        if self.steal > STEAL_SHARE:
            return f"steal {100 * self.steal:.0f} % of {self.seconds:.0f} s"
        if self.tasks > CROWDED:
            return f"{self.tasks:.0f} tasks a CPU for {self.seconds:.0f} s"
        return None

    def __str__(self):
        return (f"stalls {self.stalls_s:.2f} s, steal {100 * self.steal:.0f} %, pressure {100 * self.pressure:.0f} %, "
                f"{self.tasks:.1f} tasks a CPU in {self.seconds:.0f} s")


def stolen_s():
    """Seconds that the hypervisor took from all CPUs so far."""
    with open("/proc/stat", encoding="ascii") as stat:
        return int(stat.readline().split()[8]) * TICK_S


def pressed_s():
    """Seconds so far in which a task waited for a CPU; 0 without such a file."""
    try:
        with open("/proc/pressure/cpu", encoding="ascii") as pressure:
            return int(pressure.readline().rsplit("total=", 1)[1]) / 1e6
    except OSError:
        return 0.0


def runnable():
    """Tasks that run or could."""
    with open("/proc/loadavg", encoding="ascii") as load:
        return int(load.read().split()[3].split("/")[0])


class Sampler:
    """One for a process; its threads end with it."""

    def __init__(self):
        self.cpus = sorted(os.sched_getaffinity(0))
        self.stalls = []                 # (end, CPU, seconds)
        self.looks = []                  # (time, stolen, pressed, tasks), once a second
        self.look()
        for cpu in self.cpus:
            threading.Thread(target=self.sleep_on, args=(cpu,), daemon=True).start()
        threading.Thread(target=self.look_on, daemon=True).start()

    def sleep_on(self, cpu):
        os.sched_setaffinity(threading.get_native_id(), {cpu})
        before = time.monotonic()
        while True:
            time.sleep(SLEEP_S)
            now = time.monotonic()
            if now - before > SLEEP_S + STALL_S:
                self.stalls.append((now, cpu, now - before - SLEEP_S))
            before = now

    def look(self):
        self.looks.append((time.monotonic(), stolen_s(), pressed_s(), runnable()))

    def look_on(self):
        while True:
            time.sleep(1)
            self.look()

    def measured(self, begin, end):
        self.look()
        return window_of(begin, end, self.stalls[:], self.looks[:], len(self.cpus))


def window_of(begin, end, stalls, looks, cpus):
    """The Window of stalls (end, CPU, seconds) and looks (time, stolen, pressed, tasks), both ascending."""
    by_cpu = {}
    for at, cpu, seconds in stalls:
        inside = min(at, end) - max(at - seconds, begin)
        if inside > 0:
            by_cpu[cpu] = by_cpu.get(cpu, 0) + inside
    window = Window(end - begin, max(by_cpu.values(), default=0))
    first = max((look for look in looks if look[0] <= begin), default=looks[0])
    last = min((look for look in looks if look[0] >= end), default=looks[-1])
    if last[0] > first[0]:
        window.steal = (last[1] - first[1]) / (last[0] - first[0]) / cpus
        window.pressure = min(1, (last[2] - first[2]) / (last[0] - first[0]))
    tasks = [look[3] for look in looks if first[0] <= look[0] <= last[0]]
    window.tasks = sum(tasks) / len(tasks) / cpus
    return window
