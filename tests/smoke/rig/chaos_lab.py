# SPDX-License-Identifier: BSD-3-Clause
"""What the campaigns of tools/chaos do with the lab, from the client's namespace."""
import os
import subprocess
import time

KEPT = 0.999  # the bound: of what the cache holds when a process is killed


class Lab:
    """The lab's commands go back to the namespace of process 1."""
    RUN = "/run/weir"
    CONFIG = f"{RUN}/lab/weir.yaml"

    def __init__(self, script):
        self.script = script

    def run(self, verb, what):
        done = subprocess.run(["nsenter", "--net=/proc/1/ns/net", "--", self.script, verb, what],
                              capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"lab {verb} {what}: {done.stdout}{done.stderr}")

    def record(self, what):
        with open(f"{self.RUN}/lab/{what}.pid") as record:
            return [int(word) for word in record.read().split()]

    def pid_of(self, what):
        return self.record(what)[0]

    def started_s(self, what):
        """When the process was forked, on the monotonic clock: the kernel keeps it in ticks since boot."""
        behind = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
        return self.record(what)[1] / os.sysconf("SC_CLK_TCK") - behind
