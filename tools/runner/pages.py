#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run tests with regions of the other kind: on huge pages, or without on a machine that has a hugetlbfs mounted.

Pages: reserves pages of 2 MiB of the machine until `close`. `prefix` is what a test's command gets, `label` says what that changes;
without a prefix `missing` says why. Each test has a mount of its own, on which it must leave nothing.
"""
import pathlib
import subprocess

RESERVED = pathlib.Path("/proc/sys/vm/nr_hugepages")
FREE = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
WITH = """mount -t hugetlbfs -o pagesize=2M none /mnt || exit 1
"$@"
status=$?
left=$(ls -A /mnt)
[ -z "$left" ] || { echo "not ok - left on hugetlbfs: $left"; exit 1; }
exit $status"""
WITHOUT = """while read -r _ at kind _; do [ "$kind" != hugetlbfs ] || umount -l "$at"; done </proc/self/mounts
exec "$@\""""


def within(script):
    return ["unshare", "--mount", "--propagation", "private", "bash", "-c", script, "x"]


class Pages:
    def __init__(self, wanted, least):
        self.had, self.prefix, self.missing = None, [], ""
        self.mounted = " hugetlbfs " in pathlib.Path("/proc/self/mounts").read_text()
        self.label = "without huge pages" if self.mounted else "on huge pages"
        if self.mounted:
            self.prefix = within(WITHOUT)
        elif subprocess.run(within(":"), capture_output=True).returncode:
            self.missing = "needs root, and mounts of its own"
        else:
            self.had = RESERVED.read_text()
            RESERVED.write_text(str(int(self.had) + wanted))
            free = int(FREE.read_text())
            if free < least:
                self.close()
                self.missing = f"the kernel gives {free} of {wanted}"
            else:
                self.prefix = within(WITH)

    def close(self):
        if self.had is not None:
            RESERVED.write_text(self.had)
            self.had = None
