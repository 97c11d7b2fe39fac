# SPDX-License-Identifier: BSD-3-Clause
"""The file in which a process of the copy finds what to leave out, and counts what it left out (struct stranger_plan)."""
import mmap
import os
import struct

SITES, LOST, TEXT = 2048, 64, 128
HEAD, COUNT, ENTRY = 16, 32, 16 + TEXT
SIZE = HEAD + SITES * COUNT + LOST * ENTRY
PROCESSES = ("controlplane", "dataplane")


class Plan:
    """Of one process; `base` is $WEIR_STRANGERS."""

    def __init__(self, base, process):
        path = f"{base}.weir-{process}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(fd, SIZE)
        self.map = mmap.mmap(fd, SIZE)
        os.close(fd)

    def plant(self, site, every):
        """From now on one in `every` of what the site gives back is kept; 0: nothing."""
        struct.pack_into("<II", self.map, 0, site if every else 0, every)

    def count(self, site):
        """(reached, with how much, left out, how much of it)"""
        return struct.unpack_from("<4Q", self.map, HEAD + site * COUNT)

    def lost(self, site):
        """(address or descriptor, size, allocation site) of the newest that were left out."""
        rows = []
        for i in range(min(self.count(site)[2], LOST)):
            at = HEAD + SITES * COUNT + i * ENTRY
            a, b = struct.unpack_from("<2Q", self.map, at)
            text = self.map[at + 16:at + ENTRY].split(b"\0", 1)[0].decode("utf-8", "replace")
            rows.append((a, b, text))
        return rows
