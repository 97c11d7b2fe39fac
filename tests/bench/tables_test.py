#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What tools/bench calls worse, what it keeps as the baseline, and that each row stands in some table."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_against  # noqa: E402
import bench_tables  # noqa: E402


def row(metric, value, unit="of reflector", goal="G1", case="hits", reference=None):
    return dict(goal=goal, case=case, metric=metric, value=value, unit=unit, reference=reference, ratio=None)


def path_rows(ratio=0.5):
    stages = [row(f"stage_{s}", 10.0, "cycles") for s in bench_tables.STAGES]
    calls = [row(name, 0, "calls") for name in ("allocations", "locks", "syscalls", "unaccounted")]
    return [row("dns", 200.0, "cycles", reference=105.0), row("ratio", ratio), row("rate", 6.5, "Mq/s"), *stages, *calls]


class Worse(unittest.TestCase):
    baseline = {"G1: hits: ratio": 0.50, "G1: hits: dns": 200.0, "G6: hits: index": 8.5, "G9: hits: ratio": 1.0,
                "G10: hits: to_knot": 1.3, "G12: hits: cpu_to_dnsdist": 0.7, "power: hits: first_p50": 200.0}

    def check(self, expected, *args, **more):
        self.assertEqual(expected, bench_tables.is_worse(row(*args, **more), self.baseline))

    def test_ratio_falls_by_more_than_a_tenth(self):
        self.check(True, "ratio", 0.44)
        self.check(False, "ratio", 0.46)
        self.check(False, "ratio", 0.90)

    def test_bytes_grow_by_more_than_a_twentieth(self):
        self.check(True, "index", 9.0, "bytes an entry", "G6")
        self.check(False, "index", 8.8, "bytes an entry", "G6")
        self.check(False, "index", 4.0, "bytes an entry", "G6")

    def test_times_grow_by_more_than_a_tenth(self):
        baseline = {"G2: 1M names to 1k names: times_hot": 1.2}
        for value, expected in ((1.31, False), (0.9, False), (1.35, True)):
            rows = bench_tables.cold_times([row("dns", 100.0, "cycles", case="hits, 1k names"),
                                            row("dns", 100 * value, "cycles", "G2", "hits, 1M names")])
            self.assertEqual([value], [r["value"] for r in rows])
            self.assertEqual(expected, bench_tables.is_worse(rows[0], baseline))
            shown = bench_tables.tables(rows, baseline)
            self.assertRegex(shown, rf"times_hot +{value} .*asked 1.5: {round(value / 1.5, 3)}")
            self.assertEqual(expected, "SLOWER" in shown)

    def test_no_times_of_what_was_not_measured(self):
        self.assertEqual([], bench_tables.cold_times([row("dns", 100.0, "cycles", "G2", "hits, 1M names")]))

    def test_cycles_are_another_machine_s(self):
        self.check(False, "dns", 900.0, "cycles")

    def test_what_other_programs_measure(self):
        self.check(True, "to_knot", 0.6, "of its replies/s", "G10")
        self.check(False, "to_knot", 0.9, "of its replies/s", "G10")
        self.check(True, "first_p50", 320.0, "us", "power")
        self.check(False, "first_p50", 250.0, "us", "power")

    def test_cpu_beside_a_peer_s(self):
        rows = [dict(row("cpu_to_dnsdist", us, "us per miss", "G12", reference=30.0), ratio=us / 30) for us in (30.0, 24.0)]
        self.assertEqual([True, False], [bench_tables.is_worse(r, self.baseline) for r in rows])

    def test_what_chance_decides(self):
        self.check(False, "ratio", 0.5, goal="G9")
        self.check(False, "ratio", 0.1, unit=bench_tables.ONE_LEVEL)

    def test_nothing_to_compare_with(self):
        self.check(False, "ratio", 0.1, case="new")
        self.check(False, "ratio", None)


class Baseline(unittest.TestCase):
    def test_keeps_what_was_not_measured(self):
        with tempfile.TemporaryDirectory() as folder:
            bench_tables.baseline_path = pathlib.Path(folder) / "baseline.json"
            self.assertEqual({}, bench_tables.baseline_read())
            rows = [*path_rows(0.6), row("ratio_far", None), row("index", 8.0, "bytes an entry", "G6")]
            bench_tables.baseline_store({"G1: other: ratio": 0.3}, rows)
            kept = json.loads(bench_tables.baseline_path.read_text())
        self.assertEqual({"G1: other: ratio": 0.3, "G1: hits: ratio": 0.6, "G6: hits: index": 8.0}, kept)


class Tables(unittest.TestCase):
    def test_slower_is_named(self):
        self.assertIn("0.40 SLOWER", bench_tables.tables(path_rows(0.4), Worse.baseline))
        self.assertNotIn("SLOWER", bench_tables.tables(path_rows(0.5), Worse.baseline))

    def test_beside(self):
        rows = path_rows() + [row("ratio_groups", 0.93, reference=0.9), row("over_plain", 21.4, "cycles", reference=20)]
        self.assertRegex(bench_tables.tables(rows, {}), r"no groups +0.93 +0.90 +- +21 +20")

    def test_hits_beside_misses(self):
        rows = path_rows() + [row("ratio_misses", 0.96, reference=0.95), row("over_plain", 7.4, "cycles")]
        self.assertRegex(bench_tables.tables(rows, {}), r"no misses +0.96 +0.95 +- +7 +-")

    def test_a_row_without_a_table_has_a_line(self):
        rows = path_rows() + [row("lost", 3, "queries", "G9", "checked")]
        self.assertRegex(bench_tables.tables(rows, {}), r"G9 +checked +lost +3 +queries")
        self.assertRegex(bench_tables.tables([row("images", 8000.0, "images", "G8")], {}), r"images +8000 +images")


class Against(unittest.TestCase):
    def test_least_of_interleaved_runs(self):
        order, values = [], {"here": [210.0, 400.0, 205.0], "other": [300.0, 200.0, 190.0]}

        def side(name):
            def run(goal):
                order.append(name)
                return [row("dns", values[name].pop(0), "cycles", goal), row("rate", 1.0, "Mq/s", goal)], True
            return run
        rows, ok = bench_against.measure(["G1"], 3, side("here"), side("other"))
        self.assertTrue(ok)
        self.assertEqual(["here", "other", "other", "here", "here", "other"], order)
        self.assertEqual({"dns_here": 205.0, "dns_other": 190.0, "dns_speed": 0.927}, {r["metric"]: r["value"] for r in rows})
        self.assertEqual([r["metric"] for r in rows if bench_against.is_slower(r)], ["dns_speed"])
        self.assertIn("0.93 SLOWER", bench_against.lines(rows)[1])

    def test_a_failed_run_is_told(self):
        rows, ok = bench_against.measure(["G1"], 1, lambda goal: ([row("dns", 1.0)], True), lambda goal: ([], False))
        self.assertEqual(([], False), (rows, ok))


if __name__ == "__main__":
    unittest.main()
