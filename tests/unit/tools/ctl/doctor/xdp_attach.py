#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs COMMAND while an XDP program without a name, which passes all frames, is on INTERFACE.

usage: xdp_attach.py INTERFACE COMMAND... (root). The program goes with this process. Exit status: the command's; 77: the
kernel refuses the program.
"""

import ctypes
import platform
import socket
import struct
import subprocess
import sys

PROG_LOAD, LINK_CREATE, TYPE_XDP, ATTACH_XDP, SKB_MODE = 5, 28, 6, 37, 2
PASS = bytes.fromhex("b700000002000000" "9500000000000000")  # r0 = XDP_PASS; exit


def bpf(command, attributes):
    number = {"x86_64": 321, "aarch64": 280}[platform.machine()]
    fd = ctypes.CDLL(None, use_errno=True).syscall(number, command, ctypes.c_char_p(attributes), len(attributes))
    if fd < 0:
        print("skipped: bpf:", ctypes.get_errno())
        sys.exit(77)
    return fd


code, license_name = ctypes.create_string_buffer(PASS), ctypes.create_string_buffer(b"BSD")
program = bpf(PROG_LOAD, struct.pack("<IIQQ", TYPE_XDP, 2, ctypes.addressof(code), ctypes.addressof(license_name)))
bpf(LINK_CREATE, struct.pack("<IIII", program, socket.if_nametoindex(sys.argv[1]), ATTACH_XDP, SKB_MODE))
sys.exit(subprocess.run(sys.argv[2:], check=False).returncode)
