# SPDX-License-Identifier: BSD-3-Clause
"""What of a phase of floods_load.py counts. A time that a hypervisor took from a CPU is the host's and not weir's, so where
it took more than a hundredth of a phase nothing is said about that phase: it is run again, and a run in which one could not
be checked at all ends with a status of its own, which is no success and no failure."""
import os
import time

GOOD, FAILED, NOT_CHECKED = 0, 1, 3
ROUNDS = 3
STOLEN_MAX = 0.01


class Stolen(Exception):
    """The times of this phase prove nothing."""


class Steal:
    """What a hypervisor took from the CPUs that we may run on, worker, generator and honest client among them."""

    def __init__(self, stat="/proc/stat"):
        self.stat, self.cpus = stat, os.sched_getaffinity(0)
        self.since, self.before = time.monotonic(), self.read()

    def read(self):
        """CPU -> seconds."""
        with open(self.stat) as f:
            lines = [line.split() for line in f if line.startswith("cpu") and line[3].isdigit()]
        return {int(words[0][3:]): int(words[8]) / os.sysconf("SC_CLK_TCK") for words in lines}

    def part(self):
        """The stolen part of the time since the start, of the CPU that lost most."""
        now, took = self.read(), max(time.monotonic() - self.since, 0.001)
        return round(max(now[cpu] - self.before[cpu] for cpu in self.cpus) / took, 4)


class Judge:
    """strict: times are checked, so what was stolen counts; else a phase is run again as it is, since a short one on a machine
    with other things to do can be held up through no fault of ours, and ours shows each time."""

    def __init__(self, strict):
        self.strict, self.failed, self.not_checked = strict, [], []

    def expect(self, what, good):
        if not good:
            self.failed.append(what)
            print(f"not as it must be: {what}", flush=True)

    def times_count(self, name, stolen):
        """To be called before the first expectation that a CPU which was taken away can break."""
        if self.strict and stolen > STOLEN_MAX:
            raise Stolen(f"{name}: {stolen:.1%} of a CPU was stolen")

    def rounds(self, name, body):
        """body(turn) runs the phase and expects; True when its times could be checked."""
        for turn in range(ROUNDS):
            mark = len(self.failed)
            try:
                body(turn)
            except Stolen as why:
                print(f"not checked: {why}", flush=True)
                if len(self.failed) > mark:
                    return True
                continue
            if self.strict or turn == ROUNDS - 1 or len(self.failed) == mark:
                return True
            print("once more", flush=True)
            del self.failed[mark:]
        self.not_checked.append(name)
        return False

    def status(self):
        if self.not_checked:
            print(f"not checked, as too much CPU was stolen in each of {ROUNDS} rounds: {', '.join(self.not_checked)}", flush=True)
        return FAILED if self.failed else NOT_CHECKED if self.not_checked else GOOD
