#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds one thread of a process still, wherever it is, while the others run: as a hypervisor does that takes its core.

usage: hold_thread.py TID FILE      until FILE is gone, which this makes once the thread stands still

By ptrace, which stops a thread, where signals stop a process.
"""
import ctypes
import os
import pathlib
import sys
import time

SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, tid):
    if libc.ptrace(request, tid, None, None) != 0:
        sys.exit(f"hold_thread.py: ptrace {request:#x}: {os.strerror(ctypes.get_errno())}")


def main():
    tid, file = int(sys.argv[1]), pathlib.Path(sys.argv[2])
    ptrace(SEIZE, tid)
    ptrace(INTERRUPT, tid)
    os.waitpid(tid, WALL)
    file.touch()
    while file.exists():
        time.sleep(0.02)
    ptrace(DETACH, tid)


main()
