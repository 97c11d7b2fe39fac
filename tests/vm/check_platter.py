#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What platter.py leaves on a disk: every write before the last flush, and only whole sectors of later ones."""
import pathlib
import random
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools/machine"))
import platter  # noqa: E402

SECTOR = 512


def log_of(entries):
    """A log of (sector, flags, data)."""
    out = platter.SUPER.pack(platter.MAGIC, 1, len(entries), SECTOR).ljust(SECTOR, b"\0")
    for sector, flags, data in entries:
        out += platter.ENTRY.pack(sector, len(data) // SECTOR, flags, 0).ljust(SECTOR, b"\0") + data
    return out


class Platter(unittest.TestCase):
    def cut(self, entries, seed):
        with tempfile.TemporaryDirectory() as folder:
            log, disk = pathlib.Path(folder) / "log", pathlib.Path(folder) / "disk"
            log.write_bytes(log_of(entries))
            disk.write_bytes(b"-" * SECTOR * 8)
            count = platter.cut(log, disk, random.Random(seed))
            return count, disk.read_bytes()

    def test_flushed(self):
        entries = [(0, 0, b"a" * SECTOR), (1, 0, b"b" * SECTOR), (0, platter.FLUSH, b""), (2, 0, b"c" * SECTOR * 2)]
        fates = set()
        for seed in range(50):
            count, disk = self.cut(entries, seed)
            self.assertEqual(count["kept"], 2)
            self.assertEqual(disk[:SECTOR * 2], b"a" * SECTOR + b"b" * SECTOR)
            self.assertEqual(disk[SECTOR * 4:], b"-" * SECTOR * 4)
            fates.add(disk[SECTOR * 2:SECTOR * 4])
        self.assertEqual(fates, {b"c" * SECTOR * n + b"-" * SECTOR * (2 - n) for n in range(3)})

    def test_order(self):
        """A later write to the same place wins, and a discard changes nothing."""
        entries = [(0, 0, b"a" * SECTOR), (0, 0, b"b" * SECTOR), (0, platter.DISCARD, b""), (0, platter.FLUSH, b"")]
        self.assertEqual(self.cut(entries, 1)[1][:SECTOR], b"b" * SECTOR)

    def test_never_flushed(self):
        counts = [self.cut([(0, 0, b"a" * SECTOR)], seed)[0] for seed in range(30)]
        self.assertFalse(any(count["kept"] for count in counts))
        self.assertTrue(any(count["lost"] for count in counts))

    def test_no_log(self):
        with self.assertRaises(ValueError):
            list(platter.entries(bytes(SECTOR)))


unittest.main()
