#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""soak_sites.py names a planted table and a leak in memory that is of one request, and accuses nothing of a clean soak."""
import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from soak_sites import ROOT, memory, rows_for, wrong  # noqa: E402

ROWS = list(memory.rows_of("""
room/queue.c:queue_new queue
room/ask.c:ask_begin = of one request
room/app.c:app_open = one for life
dataplane/core/config/config* = one for the configuration
library:libevent = one for each event
library:jansson = of one request
"""))


def site(name, blocks, made=None, size=100):
    return {"name": name, "bytes": blocks * size, "blocks": blocks, "made": blocks if made is None else made}


def soak(*sites, seconds=1800, step=20, pid=1):
    """Samples of sites, each a function of the second."""
    return [{"unix_s": s, "process": {"pid": pid}, "sites": [of(s) for of in sites]} for s in range(0, seconds + 1, step)]


def named(*sites, **how):
    return wrong(soak(*sites, **how), ROWS)


class Sites(unittest.TestCase):
    def accused(self, what, lines):
        self.assertEqual(1, len(lines), lines)
        self.assertTrue(lines[0].startswith(what), lines)

    def test_a_planted_table_of_a_new_function(self):
        self.accused("planted (ask.c:9): 100 bytes through 600 s", named(lambda s: site("planted (ask.c:9)", 1)))

    def test_a_planted_table_of_a_new_file(self):
        self.accused("keep (hoard.c:3)", named(lambda s: site("keep (hoard.c:3)", s // 20 + 1)))

    def test_what_is_of_one_request_and_stays(self):
        self.accused("ask_begin (ask.c:5): 3 blocks outlive 600 s", named(lambda s: site("ask_begin (ask.c:5)", 3)))

    def test_one_in_many_stays(self):  # among so many requests that no block can be shown to be old
        self.accused("ask_begin (ask.c:5): grew", named(lambda s: site("ask_begin (ask.c:5)", 4 + s // 60, 9 + s * 50)))

    def test_what_is_one_for_life_and_grows(self):
        self.accused("app_open (app.c:7): grew", named(lambda s: site("app_open (app.c:7)", 1 + s // 300)))

    def test_what_leaves_the_list_is_not_held(self):  # the data plane shows the sites with the most bytes
        listed = {"unix_s": 0, "process": {"pid": 1}, "sites": [],
                  "dataplane": {"pid": 2, "sites": [site("planted (ask.c:9)", 1), site("app_open (app.c:7)", 1)]}}
        away = {"pid": 2, "sites": listed["dataplane"]["sites"][1:]}
        samples = [dict(listed, unix_s=s, **({} if s in (0, 600) else {"dataplane": away})) for s in range(0, 601, 20)]
        self.assertEqual([], wrong(samples, ROWS))
        self.accused("planted (ask.c:9)", wrong([dict(listed, unix_s=s) for s in range(0, 601, 20)], ROWS))

    def test_a_library(self):
        self.accused("jansson < ask_begin: 8 blocks", named(lambda s: site("jansson < ask_begin", 8)))

    def test_a_clean_soak(self):
        self.assertEqual([], named(
            lambda s: site("queue_new (queue.c:4)", s),  # a table may fill
            lambda s: site("ask_begin (ask.c:5)", 1 + s // 20 % 3, 9 + s),  # always some in flight
            lambda s: site("app_open (app.c:7)", 1), lambda s: site("libevent", 40 + s // 9),
            lambda s: site("config_take (config_lists.c:70)", 12), lambda s: site("once (start.c:2)", int(s < 500))))

    def test_the_sampler_itself_is_no_table(self):
        self.assertEqual([], named(lambda s: site("jansson", 1800, 1800 * (1 + s // 20))))

    def test_each_life_stands_alone(self):
        short = [soak(lambda s: site("keep (hoard.c:3)", 5), seconds=500, pid=pid) for pid in (1, 2, 3)]
        self.assertIsNone(wrong([s for life in short for s in life], ROWS))
        self.accused("keep", wrong([*short[0], *soak(lambda s: site("keep (hoard.c:3)", 5), pid=9)], ROWS))

    def test_a_planted_table_of_the_data_plane(self):
        samples = soak(lambda s: site("queue_new (queue.c:4)", s))
        for s in samples:
            s["dataplane"] = {"pid": 7, "sites": [{"name": "planted (activate.c:45)", "bytes": 200, "blocks": 2}]}
        self.accused("planted (activate.c:45): 200 bytes", wrong(samples, ROWS))

    def test_the_products_own_book(self):
        rows = memory.read(ROOT)
        self.assertEqual({"inflight", "waiters"}, {t for r in rows_for(rows, "inflight_new (inflight.c:43)") for t in r.tables})
        self.assertEqual([], rows_for(rows, "planted (inflight.c:43)"))
        self.assertTrue(rows_for(rows, "l0_heat_init (l0_heat.c:15)"))
        self.assertTrue(rows_for(rows, "libevent"))


if __name__ == "__main__":
    unittest.main()
