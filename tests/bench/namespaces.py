# SPDX-License-Identifier: BSD-3-Clause
"""Namespaces of a benchmark's own, so that it touches nothing of the machine and leaves nothing behind."""

import os
import pathlib
import subprocess
import sys

SPACE = "unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private --".split()
MOUNTS = "mount -t tmpfs -o mode=755 tmpfs /run && mount -t tmpfs -o mode=1777 tmpfs /dev/shm && ip link set lo up"


def enter(directory):
    """Runs this program again with an empty /run and /dev/shm and a network of its own, all of which goes when it ends,
    and makes `directory` there."""
    name = pathlib.Path(sys.argv[0]).stem
    if os.geteuid() != 0:
        sys.exit(f"{name}: needs root for namespaces")
    if os.environ.get("WEIR_BENCH_INSIDE") != name:
        os.environ["WEIR_BENCH_INSIDE"] = name
        os.execvp(SPACE[0], SPACE + [sys.executable, *sys.argv])
    subprocess.run(MOUNTS, shell=True, check=True)
    pathlib.Path(directory).mkdir()
