# SPDX-License-Identifier: BSD-3-Clause
"""The receiving end of an interface in a kernel thread of its own (threaded NAPI), on a CPU and at a priority of one's choice.

Without it a veth receives where the packet was sent from, at the sender's cost. The kernel makes these threads when NAPI
is switched on, and they are seen only outside of the PID namespace in which a benchmark runs (bench_rig.py), so a helper
that is forked before that one is entered does the pinning; it ends with the benchmark, when its socket is closed.
"""

import contextlib
import os
import pathlib
import socket
import subprocess
import time

SOCKET = "WEIR_BENCH_NAPI"  # in the environment: number of the benchmark's end
WAIT_S = 10
PRIORITY = 10  # of SCHED_FIFO: packets come before programs, as a softirq would


def threads_of(interface):
    """Ids of the kernel threads that poll for this interface."""
    found = []
    for comm in pathlib.Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):  # ended meanwhile
            if comm.read_text().startswith(f"napi/{interface}-"):
                found.append(int(comm.parent.name))
    return found


def pin(interface, cpu):
    """Why it could not be done, or ok."""
    end = time.monotonic() + WAIT_S
    while not (found := threads_of(interface)):
        if time.monotonic() > end:
            return f"no kernel thread for {interface}"
        time.sleep(0.01)
    try:
        for tid in found:
            os.sched_setaffinity(tid, {cpu})
            os.sched_setscheduler(tid, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError as why:
        return f"kernel thread of {interface}: {why}"
    return "ok"


def serve(end):
    """In the helper: "INTERFACE CPU" in, one line out."""
    with end.makefile("rw") as lines:
        for line in lines:
            interface, cpu = line.split()
            lines.write(pin(interface, int(cpu)) + "\n")
            lines.flush()


def before_namespaces():
    """Forks the helper; nothing in a program that has entered its namespaces."""
    if SOCKET in os.environ:
        return
    ours, helpers = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        serve(helpers)
        os._exit(0)
    helpers.close()
    os.set_inheritable(ours.fileno(), True)
    os.environ[SOCKET] = str(ours.detach())


def own_name(prefix):
    """A name for an interface that no other benchmark has, as the threads are found by it."""
    return f"{prefix}{os.stat('/proc/self/ns/net').st_ino % 1000000}"


def receive_on(interface, cpu, within=()):
    """The interface, reached by commands behind `within`, receives in a thread on this CPU; why it doesn't, or None.
    With GRO a veth has NAPI on at all times, so the thread stays the same when a program is attached to it or taken away;
    the /sys to write to is that of the interface's namespace."""
    switch = f"mount -t sysfs none /sys && echo 1 >/sys/class/net/{interface}/threaded"
    for command in (["ethtool", "-K", interface, "gro", "on"], ["unshare", "--mount", "sh", "-c", switch]):
        done = subprocess.run([*within, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            return f"{' '.join(command)}: {done.stdout.strip()}"
    with socket.socket(fileno=os.dup(int(os.environ[SOCKET]))) as helper, helper.makefile("rw") as lines:
        lines.write(f"{interface} {cpu}\n")
        lines.flush()
        reply = lines.readline().strip()
    return None if reply == "ok" else reply or "the helper has ended"
