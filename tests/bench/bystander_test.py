#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What bystanders count as waiting, and which waits bystander_run.py judges as too long."""

import pathlib
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parent / "bystander")]
import attackers  # noqa: E402
import bystander  # noqa: E402
import bystander_run  # noqa: E402

STALL_S = 0.3


class Stalls:
    """A server that answers at once but for one question."""
    asked = 0

    def ask(self):
        Stalls.asked += 1
        if Stalls.asked == 3:
            time.sleep(STALL_S)
        return bytes(7) + b"\1"  # a message with one answer

    def close(self):
        pass


class Waits(unittest.TestCase):
    def test_a_stall_counts_for_all_that_it_keeps_waiting(self):
        me = bystander.Bystander("hit")
        me.make = Stalls
        took = me.run(1)
        late = [us for us in took if us > 1e6 * STALL_S / 10]
        # 45 are due meanwhile; without that, one would be late.
        self.assertGreater(len(late), 20)
        self.assertGreaterEqual(max(late), 1e6 * STALL_S)

    def rows(self, quiet, sink, attacked):
        """Three rounds of these 99th percentiles, in us."""
        turns = [{attackers.QUIET: {kind: [q] * 9 for kind in bystander.ASKS}, attackers.SINK: {kind: [s] * 9 for kind in bystander.ASKS},
                  attackers.WEIR: {kind: [a] * 9 for kind in bystander.ASKS}} for q, s, a in zip(quiet, sink, attacked)]
        return bystander_run.rows_of(bystander_run.ATTACKS[0], turns, [])

    def test_the_median_of_the_ratios_decides(self):
        self.assertEqual([], bystander_run.too_slow(self.rows((100, 100, 50), (100, 100, 50), (200, 190, 5000))))
        self.assertEqual(len(bystander.ASKS), len(bystander_run.too_slow(self.rows((100, 100, 50), (100, 100, 50), (210, 230, 50)))))

    def test_what_the_attacker_costs_the_machine_is_not_weirs(self):
        self.assertEqual([], bystander_run.too_slow(self.rows((100, 100, 100), (150, 150, 150), (290, 290, 290))))
        self.assertTrue(bystander_run.too_slow(self.rows((100, 100, 100), (150, 150, 150), (310, 310, 310))))


if __name__ == "__main__":
    unittest.main()
