#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which phases of tools/chaos floods are checked, run again or named as not checked."""
import contextlib
import io
import os
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from floods_judge import FAILED, GOOD, NOT_CHECKED, Judge, Steal  # noqa: E402


class Rounds(unittest.TestCase):
    def play(self, judge, stolen, good=(True, True, True), sound=True):
        """A phase of which this was stolen, round by round; the rounds that were run."""
        ran = []

        def body(turn):
            ran.append(turn)
            judge.expect("sound", sound)
            judge.times_count("phase", stolen[turn])
            judge.expect("quick", good[turn])

        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.checked = judge.rounds("phase", body)
            self.status = judge.status()
        self.said = said.getvalue()
        return len(ran)

    def test_little_stolen_is_judged_at_once(self):
        self.assertEqual(1, self.play(Judge(True), (0.01, 0, 0)))
        self.assertEqual((True, GOOD), (self.checked, self.status))
        self.assertEqual(1, self.play(Judge(True), (0.01, 0, 0), (False, True, True)))
        self.assertEqual((True, FAILED), (self.checked, self.status))

    def test_stolen_is_run_again(self):
        self.assertEqual(3, self.play(Judge(True), (0.5, 0.011, 0), (False, False, True)))
        self.assertEqual((True, GOOD), (self.checked, self.status))
        self.assertEqual(2, self.play(Judge(True), (0.5, 0, 0), (True, False, True)))
        self.assertEqual((True, FAILED), (self.checked, self.status))

    def test_stolen_each_time_is_no_success_and_no_failure(self):
        self.assertEqual(3, self.play(Judge(True), (0.02, 0.02, 0.02), (False, False, False)))
        self.assertEqual((False, NOT_CHECKED), (self.checked, self.status))
        self.assertIn("not checked, as too much CPU was stolen in each of 3 rounds: phase", self.said)

    def test_what_no_host_does_is_a_failure(self):
        self.assertEqual(1, self.play(Judge(True), (0.02, 0.02, 0.02), sound=False))
        self.assertEqual((True, FAILED), (self.checked, self.status))

    def test_a_failure_before_it_stays_one(self):
        judge = Judge(True)
        self.play(judge, (0, 0, 0), (False, True, True))
        self.play(judge, (0.02, 0.02, 0.02))
        self.assertEqual(FAILED, self.status)

    def test_short_form_does_not_look_at_it(self):
        self.assertEqual(1, self.play(Judge(False), (0.5, 0.5, 0.5)))
        self.assertEqual(GOOD, self.status)
        self.assertEqual(2, self.play(Judge(False), (0, 0, 0), (False, True, True)))
        self.assertEqual(GOOD, self.status)
        self.assertEqual(3, self.play(Judge(False), (0, 0, 0), (False, False, False)))
        self.assertEqual(FAILED, self.status)


class Stat(unittest.TestCase):
    def test_of_the_cpu_that_lost_most(self):
        cpu, ticks = min(os.sched_getaffinity(0)), os.sysconf("SC_CLK_TCK")
        with tempfile.NamedTemporaryFile("w") as f:
            def write(stolen):
                f.seek(0)
                f.write("cpu 1 2 3 4 5 6 7 999999999 0 0\n")
                f.writelines(f"cpu{c} 1 2 3 4 5 6 7 {stolen if c == cpu else 0} 0 0\n" for c in range(max(os.sched_getaffinity(0)) + 1))
                f.write("intr 1\n")
                f.truncate()
                f.flush()

            write(5 * ticks)
            steal = Steal(f.name)
            self.assertEqual(0, steal.part())
            write(6 * ticks)
            steal.since -= 100  # a second of a hundred and a little
            self.assertGreater(steal.part(), 0.005)
            self.assertLessEqual(steal.part(), 0.01)


if __name__ == "__main__":
    unittest.main()
