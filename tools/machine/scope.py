# SPDX-License-Identifier: BSD-3-Clause
"""Namespaces, and a folder for disks, that end with this process, however it ends.

`enter` runs the program again in mount, network and process namespaces of its own: when its first process there ends,
the kernel kills the others, QEMU among them, and with the network namespace go its TAPs. The folder is on a disk, as
disks of machines are large; `folder` removes those that a killed process left, which hold no lock any more.
"""
import atexit
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

INSIDE = "WEIR_VM_INSIDE"
SKIPPED = 77


def cache():
    """The folder of images: outside the tree, for all checkouts."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME") or "/root", ".cache")
    path = pathlib.Path(base) / "weir" / "vm"
    path.mkdir(parents=True, exist_ok=True)
    return path


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def outside():
    return not os.environ.get(INSIDE)


def enter(seconds):
    """Returns in the namespaces; `seconds` later everything in them is killed."""
    if not outside():
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"], check=True)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    if os.geteuid() != 0:
        skip("needs root for namespaces")
    if not os.path.exists("/dev/net/tun"):
        skip("no /dev/net/tun")
    spaces = ["unshare", "--mount", "--net", "--pid", "--propagation", "private"]
    if subprocess.run([*spaces, "--", "true"], capture_output=True).returncode:
        skip("no namespaces (in a chroot?)")
    os.environ[INSIDE] = "1"
    argv = ["timeout", "-k", "10", str(seconds), *spaces, "--fork", "--kill-child", "--mount-proc", "--",
            sys.executable, *sys.argv]
    os.execvp(argv[0], argv)


def sweep(base):
    """Removes the folders of processes that are gone."""
    for path in base.glob("run-*"):
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)


def folder():
    """A folder for disks, removed at exit."""
    base = cache()
    sweep(base)
    path = pathlib.Path(tempfile.mkdtemp(prefix="run-", dir=base))
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)  # held until this process ends
    fcntl.flock(lock, fcntl.LOCK_EX)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path
