#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""soak_judge: a clean soak, and each thing that a soak must not pass, one at a time."""
import copy
import sys
import unittest

sys.dont_write_bytecode = True
import soak_judge  # noqa: E402

MIB = 1 << 20


def process():
    return {"fds": 60, "fds_beyond": 40, "fds_names": ["/dev/null", "udp A B"],
            "threads": 9, "deleted_maps": 2, "maps": 300, "RssAnon": 50 * MIB, "VmData": 90 * MIB,
            "mapped": {"huge": 64 * MIB, "deleted": 4 * MIB}}


def point():
    return {"allocated": 100 * MIB, "rss": 150 * MIB, "unexplained": MIB, "explained": {"controlplane": 1.01, "dataplane": 1.0},
            "accounts": {"images": 20 * MIB, "redis": 10 * MIB}, "in_filling": {"images": 18 * MIB, "redis": 2 * MIB},
            "files": {"l1.c": 9 * MIB, "rules_job.c": MIB}, "raised": 0, "long_lived": [], "miscounted": [],
            "mbufs": {"in_use": 1000, "breaches": 0}, "controlplane": process(), "dataplane": process()}


def load(name):
    return {"part": name, "seconds": 300, "queries_sent": 1000.0, "queries_completed": 999.0, "errors": [],
            "clients": {"udp": 5, "tcp": 5, "tcp_refused": 0}, "churn": {"polls": 300, "reloads": 15}}


def samples(per_hour=0):
    wave = (0, 3000, 1000, 5000, 2000)
    return [{"s": 10.0 * i, "allocated": 100 * MIB + wave[i % 5] + i * per_hour // 360, "in_filling": {"images": 20 * MIB}}
            for i in range(30)]


class Judge(unittest.TestCase):
    def setUp(self):
        self.b, self.rows, self.samples, self.accused = point(), [load("load 1"), load("load 2")], samples(), []
        self.c = copy.deepcopy(self.b)

    def wrong(self):
        return soak_judge.verdict(self.b, self.c, self.rows, self.samples, self.accused, 1)["wrong"]

    def one(self, begins):
        found = self.wrong()
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(begins), found)

    def test_clean(self):
        self.assertEqual(self.wrong(), [])

    def test_tables_explain_what_they_hold(self):
        self.c["allocated"] += 8 * MIB
        self.c["accounts"]["redis"] += 8 * MIB
        self.c["in_filling"]["redis"] += 8 * MIB
        self.c["controlplane"]["fds"] += 50  # fds_beyond is less what tables hold
        self.assertEqual(self.wrong(), [])

    def test_memory_beyond_tables(self):
        self.c["allocated"] += MIB
        self.c["accounts"]["redis"] += MIB
        self.c["files"]["l1.c"] += MIB
        self.one(f"the control plane grew by {MIB} bytes that no table explains, by account {{'redis': {MIB}}}")

    def test_slope(self):
        self.samples = samples(4 * MIB)
        self.one("what it holds beyond its tables rises by at least")

    def test_thirty_mib_of_huge_pages(self):
        for name in soak_judge.PROCESSES:
            self.setUp()
            self.c[name]["mapped"]["huge"] += 30 * MIB
            self.one(f"{name}: bytes of huge mappings {64 * MIB}, then {94 * MIB}")

    def test_fifty_descriptors(self):
        for name in soak_judge.PROCESSES:
            self.setUp()
            self.c[name]["fds"] += 50
            self.c[name]["fds_beyond"] += 50
            self.one(f"{name}: 50 descriptors more than its tables explain (60, then 110); new are []")

    def test_one_descriptor(self):
        self.c["controlplane"]["fds"] += 1
        self.c["controlplane"]["fds_beyond"] += 1
        self.c["controlplane"]["fds_names"] = ["/dev/null", "tcp A B", "udp A B"]
        self.one("controlplane: 1 descriptors more than its tables explain (60, then 61); new are ['tcp A B']")

    def test_an_image_that_stays(self):
        self.c["controlplane"]["mapped"]["deleted"] += 2 * MIB
        self.one("controlplane: bytes of deleted mappings")

    def test_explained(self):
        for name in soak_judge.PROCESSES:
            for share, text in ((0.949, "94.9%"), (1.051, "105.1%")):
                self.setUp()
                self.c["explained"][name] = share
                self.one(f"{name}: accounts, slack, libraries and images explain {text} of its resident set")

    def test_the_rest(self):
        for change, begins in (
                (lambda t: t.c.update(unexplained=9 * MIB), "6.0% of its resident set is unexplained"),
                (lambda t: t.c.update(miscounted=["a: count 0 bytes"]), "tables that miscount: a: count 0 bytes"),
                (lambda t: t.c.update(long_lived=["f (x.c:1): 9 bytes"]), "long-lived memory of no table: f (x.c:1)"),
                (lambda t: t.c.update(raised=1), "weir raised 1 alarms"),
                (lambda t: t.accused.append("controlplane: account redis"), "alarms: ['controlplane: account redis']"),
                (lambda t: t.c["mbufs"].update(in_use=1001), "packet buffers in use"),
                (lambda t: t.c["dataplane"].update(RssAnon=51 * MIB), "dataplane: RssAnon"),
                (lambda t: t.c["controlplane"].update(threads=10), "controlplane: threads 9, then 10"),
                (lambda t: t.rows[0].update(queries_completed=900.0), "of 2000 queries 1899 were answered"),
                (lambda t: t.rows[1].update(errors=["late"]), "load 2: ['late']")):
            self.setUp()
            change(self)
            self.one(begins)

    def planted(self, name):
        return soak_judge.found(name, soak_judge.verdict(self.b, self.c, self.rows, self.samples, self.accused, 1))

    def test_planted(self):
        self.assertFalse(any(self.planted(name) for name in (*soak_judge.LEAKS, *soak_judge.KINDS)))
        self.c["controlplane"]["mapped"]["huge"] += 30 * MIB
        self.assertFalse(self.planted("huge"))  # in both processes
        self.c["dataplane"]["mapped"]["huge"] += 30 * MIB
        self.assertTrue(self.planted("huge"))
        self.assertFalse(self.planted("files"))
        self.c["allocated"] += MIB
        self.c["accounts"]["redis"] += MIB
        self.c["files"]["l1.c"] += MIB
        self.assertTrue(self.planted("keys"))
        self.assertFalse(self.planted("reload"))


if __name__ == "__main__":
    unittest.main()
