#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""soak_tables.py names a table that counts less or more than its sites hold, and accepts what the allocator adds."""
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from soak_tables import SLACK, memory, wrong  # noqa: E402

ROWS = list(memory.rows_of("""
room/queue.c:queue_new queue
room/both.c:both_new left right
room/app.c:app_open = one for life
dataplane/state/ring.c:ring_new dp_ring
"""))
MIB = 1 << 20


def table(name, size, **more):
    return {"name": name, "bytes": size, "shared": 0, **more}


def site(name, size, blocks=1):
    return {"name": name, "bytes": size, "blocks": blocks}


def checked(tables, sites, other=()):
    return wrong([{"tables": list(tables), "sites": list(sites), "dataplane": {"sites": list(other)}}] * 3, ROWS)


class Tables(unittest.TestCase):
    def accused(self, what, lines):
        self.assertEqual(1, len(lines), lines)
        self.assertTrue(lines[0].startswith(what), lines)

    def test_what_a_size_class_adds_is_fine(self):
        self.assertEqual([], checked([table("queue", MIB)], [site("queue_new (queue.c:3)", MIB * 5 // 4)]))
        self.assertEqual([], checked([table("queue", 1000 * 33)], [site("queue_new (queue.c:3)", 1000 * 64, 1000)]))

    def test_a_table_that_counts_less(self):
        self.accused(f"queue: count {MIB} bytes", checked([table("queue", MIB)], [site("queue_new (queue.c:3)", 2 * MIB)]))

    def test_a_table_that_counts_nothing(self):
        self.accused("queue: count 0 bytes", checked([table("queue", 0)], [site("queue_new (queue.c:3)", 2 * SLACK)]))

    def test_a_table_that_counts_more_hides_a_leak(self):
        self.accused("queue: count", checked([table("queue", MIB)], [site("queue_new (queue.c:3)", MIB // 2)]))

    def test_a_table_that_nobody_registers(self):
        self.accused("queue: count 0 bytes", checked([], [site("queue_new (queue.c:3)", MIB)]))

    def test_tables_of_one_site_are_one(self):
        tables = [table("left", MIB), table("right", MIB)]
        self.assertEqual([], checked(tables, [site("both_new (both.c:3)", 2 * MIB)]))
        self.accused("left right: count", checked(tables, [site("both_new (both.c:3)", 3 * MIB)]))

    def test_address_space_may_be_untouched(self):
        self.assertEqual([], checked([table("queue", 10, reserved=True)], [site("queue_new (queue.c:3)", MIB)]))

    def test_a_region_is_no_block(self):
        self.assertEqual([], checked([table("queue", MIB, **{"shared": MIB})], []))

    def test_the_data_plane(self):
        self.accused("dp_ring: count", checked([table("dp_ring", MIB)], [], [site("ring_new (ring.c:3)", 2 * MIB)]))

    def test_a_moment_is_no_verdict(self):
        one = {"tables": [table("queue", 0)], "sites": [site("queue_new (queue.c:3)", MIB)]}
        none = {"tables": [table("queue", MIB)], "sites": [site("queue_new (queue.c:3)", MIB)]}
        self.assertEqual([], wrong([none, one, none], ROWS))


if __name__ == "__main__":
    unittest.main()
