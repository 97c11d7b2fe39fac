# SPDX-License-Identifier: BSD-3-Clause
"""What a disk with a volatile write cache holds after a power cut.

QEMU writes each write and each flush of the guest into a log, in the format of dm-log-writes (Linux,
Documentation/admin-guide/device-mapper/log-writes.rst; QEMU, block/blklogwrites.c). A disk promises that what was written
before a flush ended is there. `cut` applies exactly that to a raw image, and of the later writes each one whole, up to
some sector, or not at all, at random. So a write that weir relies on without fsync is lost here as it would be.
"""
import os
import struct

MAGIC = 0x6A736677736872
SUPER = struct.Struct("<QQQI")
ENTRY = struct.Struct("<QQQQ")
FLUSH, DISCARD = 1, 4


def entries(data):
    """(offset, flags, bytes) of each entry of a log. (The fourth number is of marks, which QEMU does not write.)"""
    magic, version, count, sector = SUPER.unpack_from(data)
    if magic != MAGIC or version != 1:
        raise ValueError("no log of dm-log-writes")
    at = sector
    for _ in range(count):
        start, sectors, flags, _ = ENTRY.unpack_from(data, at)
        at += sector
        size = 0 if flags & DISCARD else sectors * sector
        yield start * sector, flags, data[at:at + size]
        at += size


def cut(log, disk, random):
    """Applies a log to a raw image. Numbers: {kept, whole, torn, lost} of writes, kept being those before the last flush."""
    writes = list(entries(log.read_bytes()))
    last = max((n for n, (_, flags, _) in enumerate(writes) if flags & FLUSH), default=-1)
    count = {"kept": 0, "whole": 0, "torn": 0, "lost": 0}
    file = os.open(disk, os.O_WRONLY)
    for number, (offset, _, data) in enumerate(writes):
        if not data:
            continue
        fate = "kept" if number < last else random.choice(("whole", "whole", "torn", "lost", "lost"))
        count[fate] += 1
        if fate == "torn":
            data = data[:random.randrange(len(data) // 512 + 1) * 512]
        if fate != "lost":
            os.pwrite(file, data, offset)
    os.close(file)
    return count
