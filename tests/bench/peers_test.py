#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How lines of weir-loadgen and kxdpgun become rows of G7 and G10."""

import os
import pathlib
import sys
import threading
import time
import types
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import bench_rig  # noqa: E402
import cpu_share  # noqa: E402
import latency_rows  # noqa: E402
import xdp_peers  # noqa: E402


def line(percent, answer, reflect, again=0):
    out = {"percent": percent, "rate": 1000, "qps": 990, "asked": 2000, "asked_again": again}
    for q in latency_rows.QUANTILES:
        out |= {f"answer_{q}_ns": answer, f"reflect_{q}_ns": reflect}
    return out


def by_metric(lines):
    return {r["metric"]: r for r in latency_rows.loads_rows(bench_rig.row, "memif, hits", lines)}


class Loads(unittest.TestCase):
    def test_medians_of_rounds(self):
        # The ratio is that of one round, not of two medians: 1.5, 4 and 0.5.
        rows = by_metric([{"qps": 5}, line(50, 3000, 2000), line(50, 8000, 2000, 4), line(50, 1000, 2000, 2)])
        self.assertEqual(3.0, rows["load50_p999"]["value"])
        self.assertEqual(2.0, rows["load50_p999_reflector"]["value"])
        self.assertEqual(1.5, rows["load50_p999_to_reflector"]["value"])
        self.assertEqual(2.0, rows["load50_p999_to_reflector"]["reference"])
        self.assertEqual(0.001, rows["load50_again"]["value"])
        self.assertNotIn("load25_rate", rows)

    def test_only_half_load_has_a_goal(self):
        rows = by_metric([line(25, 1000, 1000), line(75, 1000, 1000)])
        self.assertIsNone(rows["load25_p999_to_reflector"]["reference"])
        self.assertIsNone(rows["load75_p999_to_reflector"]["reference"])

    def test_nothing_timed(self):
        rows = by_metric([{"percent": 50, "rate": 1000, "qps": 0, "asked": 0, "asked_again": 0}])
        self.assertNotIn("load50_p50", rows)
        self.assertNotIn("load50_p999_to_reflector", rows)
        table = latency_rows.loads_lines({("G7", "memif, hits"): rows})
        self.assertEqual(["50 %", "hits", "0"], table[1][:3])
        self.assertEqual(len(table[0]), len(table[1]))


class Peers(unittest.TestCase):
    def test_kxdpgun(self):
        printed = ("using interface vc, XDP threads 1, UDP, native mode\nthread#00: sent 400, received 300\n"
                "total queries:     400 (200 pps)\ntotal replies:     300 (150 pps) (75%)\nresponded NOERROR:   290\n"
                "responded SERVFAIL:   10\nduration: 2 s\n")
        self.assertEqual((400, 300, 290, 150), xdp_peers.kxdpgun_figures(printed))
        self.assertEqual((0, 0, 0, 0), xdp_peers.kxdpgun_figures("error"))

    def test_ratios_are_of_rounds(self):
        servers = [types.SimpleNamespace(name="weir", best=[100, 400, 300], share=25, had=[0.2, 0.25, 0.4]),
                   types.SimpleNamespace(name="knot", best=[100, 100, 200], share=25, had=[0.2, 0.25, 0.2])]
        rows = {r["metric"]: r for r in xdp_peers.rows(servers, "case")}
        self.assertEqual(300, rows["replies_weir"]["value"])
        self.assertEqual(1.5, rows["to_knot"]["value"])
        self.assertEqual(1.0, rows["to_knot"]["ratio"])
        self.assertNotIn("to_unbound", rows)
        self.assertEqual(0.25, rows["core_had_weir"]["value"])
        # In the three rounds 1, 4 and 1.5 times its replies/s, with 1, 1 and 2 times its CPU time.
        self.assertEqual(1.0, rows["to_knot_by_cpu"]["value"])
        without_goal = {r["metric"]: r for r in xdp_peers.rows(servers, "case", has_goal=False)}
        self.assertEqual(1.5, without_goal["to_knot"]["value"])
        self.assertIsNone(without_goal["to_knot"]["reference"])
        self.assertIsNone(without_goal["to_knot"]["ratio"])

    def test_busiest_window(self):
        # Half a second at rest, then half a second with four fifths of a CPU.
        samples = [(i / 10, 0.0) for i in range(6)] + [(0.5 + i / 10, 0.08 * i) for i in range(1, 6)]
        self.assertAlmostEqual(0.8, cpu_share.most_busy(samples))
        self.assertEqual(1.0, cpu_share.most_busy(samples[:5]))

    def test_threads_of_one_cpu(self):
        allowed = os.sched_getaffinity(0)
        cpu, seen, over = min(allowed), threading.Event(), threading.Event()
        ids = []

        def bound():
            os.sched_setaffinity(0, {cpu})
            ids.append(threading.get_native_id())
            while time.thread_time() < 0.05:  # /proc tells of it a tick late
                pass
            seen.set()
            over.wait()

        t = threading.Thread(target=bound)
        t.start()
        seen.wait()
        try:
            found = cpu_share.threads_on(os.getpid(), cpu)
            self.assertIn(ids[0], found)
            self.assertEqual(allowed == {cpu}, threading.get_native_id() in found)
            self.assertGreaterEqual(cpu_share.ran(ids), 0.01)
        finally:
            over.set()
            t.join()


if __name__ == "__main__":
    unittest.main()
