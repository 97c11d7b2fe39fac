#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Restarts of the data plane on a NIC by vfio, under a query each 10 ms: the longest time without a reply, and as a scale how
much longer programs take in this machine than on its host."""
import re
import statistics
import subprocess
import time

import vmtest
from probe import Probe

RESTARTS = 5
ASKED_MS = 300  # on a machine that is not emulated
TIMES = 5


def host_ms(box):
    """Milliseconds that the data plane's program takes on this host to say its version; the median."""
    tree = box.folder / "tree"
    subprocess.run(["dpkg-deb", "-x", box.deb, tree], check=True)

    def once():
        start = time.monotonic()
        subprocess.run([tree / "usr/sbin/weir-dataplane", "--version"], check=True, capture_output=True)
        return 1000 * (time.monotonic() - start)
    return statistics.median(once() for _ in range(TIMES))


def guest_ms(box, command):
    """The same of a command in the guest."""
    out = box.do(f"for n in $(seq {TIMES}); do a=$(date +%s%N); {command} >/dev/null 2>&1; echo $((($(date +%s%N) - a) / 1000)); done")
    return statistics.median(int(line) / 1000 for line in out.split())


def restart(t, box):
    """Milliseconds without a reply."""
    probe = Probe(0.01)
    time.sleep(2)
    mark = box.do("date +%s")
    box.do("systemctl restart weir-dataplane", 180)
    t.check("weir serves after a restart", box.serves() is not None)
    time.sleep(2)
    gap = 1000 * probe.end()
    t.check("there were replies before and after", probe.replies > 20, probe.replies)
    log = box.do(f"journalctl -u weir-dataplane -o cat --no-pager --since @{mark}")
    started = re.findall(r"started in .*", log)
    t.say(f"no reply for {gap:.0f} ms; {started[-1] if started else log}")
    return gap


def main(t):
    box = t.box()
    t.say(f"runner ready {box.boot(box.installed()):.0f} s after power on")
    t.check("weir serves", box.serves() is not None)
    time.sleep(10)  # the boot is over
    gaps = [restart(t, box) for _ in range(RESTARTS)]
    here, there = host_ms(box), guest_ms(box, "weir-dataplane --version")
    t.say(f"weir-dataplane --version: {here:.0f} ms on the host, {there:.0f} ms in the machine; "
          f"weirctl status: {guest_ms(box, 'weirctl status'):.0f} ms")
    scale = there / here
    median = statistics.median(gaps)
    t.say(f"no reply for {median:.0f} ms (median of {RESTARTS}), in a machine that is {scale:.0f} times slower: {median / scale:.0f} ms")
    t.check(f"that is under {ASKED_MS} ms on the machine's own scale", median / scale < ASKED_MS, gaps)
    t.same("both units are active and none has failed", "", box.active())


vmtest.run(main, 900)
