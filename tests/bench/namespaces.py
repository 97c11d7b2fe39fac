# SPDX-License-Identifier: BSD-3-Clause
"""Namespaces of a benchmark's own, so that it touches nothing of the machine and leaves nothing behind."""

import glob
import os
import pathlib
import shutil
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


def remove(run):
    """Removes the runtime directory of a weir, and its folder on huge pages, which is named after its identity."""
    instance = pathlib.Path(run) / "instance"
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        huge = [line.split()[1] for line in mounts if line.split()[2] == "hugetlbfs"]
    if instance.exists():
        identity = instance.read_text(encoding="ascii").split()[0]
        for folder in (found for mount in huge for found in glob.glob(f"{mount}/*.{identity}")):
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(run, ignore_errors=True)
