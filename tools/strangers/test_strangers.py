#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tools/strangers: which statements are sites, what a guard makes of them, how soon a leak must show, who may be blamed."""
import pathlib
import random
import subprocess
import tempfile
import unittest

import judge
import sites
import main as main

SOURCE = """// SPDX
#include <stdlib.h>

static void one(char *p, int fd)
{
	// heap_free(p);
	if (p)
		heap_free(p);
	else
		close(fd);
	char *text = "heap_free(p);";
	munmap(p,
		strlen(text));
}

#define DROP(p) \\
	heap_free(p);

static int two(struct table *t, char **list)
{
	heap_free(*list++);
	age_remove(&t->ages, list);
	entry_give(t, list);
	return free_all(t);
}

static void three(struct table *t)
{
	FREE_AND_NULL(t->list);
}
"""


class Sites(unittest.TestCase):
    def setUp(self):
        self.found = sites.file_sites("a/b.c", SOURCE, 7)

    def test_found(self):
        self.assertEqual([(s.id, s.line, s.kind, s.call, s.function) for s in self.found],
                         [(7, 8, "heap", "heap_free", "one"), (8, 10, "descriptor", "close", "one"), (9, 12, "map", "munmap", "one"),
                          (10, 23, "table", "entry_give", "two"), (11, 29, "heap", "FREE_AND_NULL", "three")])

    def test_guard_keeps_lines_and_branches(self):
        out = sites.guarded(SOURCE, self.found, "x.h")
        self.assertEqual(out.count("\n"), SOURCE.count("\n"))
        self.assertIn("{ if (!stranger_block(7, p)) heap_free(p); }\n\telse\n\t\t{ if (!stranger_fd(8, fd)) close(fd); }", out)
        self.assertIn("stranger_map(9, p, strlen(text))", out)
        self.assertIn("{ if (!stranger_block(11, t->list)) FREE_AND_NULL(t->list); else t->list = NULL; }", out)

    def test_the_product_has_sites_of_each_kind(self):
        root = pathlib.Path(__file__).resolve().parent.parent.parent
        kinds = set()
        for path in sorted(root.glob("*plane/**/*.c")):
            kinds |= {s.kind for s in sites.file_sites(str(path), path.read_text(), 1)}
        self.assertEqual(kinds, {"heap", "rte", "map", "descriptor", "buffer", "table"})


class Header(unittest.TestCase):
    """The guards themselves: one in N is left out, and only of the planted site."""

    def test_one_in_three(self):
        import plan
        root = pathlib.Path(__file__).resolve().parent
        program = '#include "%s"\n#include <string.h>\n' % (root / "stranger.h") + """
size_t heap_size(void *p) { return malloc_usable_size(p) - 8; }
const char *heap_site_name(const struct heap_site *s, char out[HEAP_SITE_NAME]) { (void)s; return out; }
int main(void)
{
	for (int i = 0; i < 30; i++) {
		char *p = strdup("some text");
		if (!stranger_block(5, p)) free(p);
		if (stranger_fd(6, 9)) return 1;
	}
	return stranger_block(5, NULL);
}
"""
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "weir-dataplane.c"
            source.write_text(program)
            binary = source.with_suffix("")
            subprocess.run(["gcc", "-std=gnu2x", "-D_GNU_SOURCE", "-I", root.parent.parent / "include", "-o", binary, source],
                           check=True)
            here = plan.Plan(f"{folder}/plan", "dataplane")
            here.plant(5, 3)
            subprocess.run([binary], check=True, env={"WEIR_STRANGERS": f"{folder}/plan"})
            reached, whole, skipped, lost = here.count(5)
            self.assertEqual((reached, skipped, whole), (30, 10, lost * 3))
            self.assertGreater(lost, 10 * 10)
            self.assertEqual(here.count(6)[:3], (30, 30, 0))


SITE = {"kind": "heap", "process": "controlplane", "path": "controlplane/l1/l1.c", "line": 5, "function": "l1_put", "call": "heap_free"}
STATE = {"files": [{"name": "l1.c", "account": "redis"}, {"name": "value.c", "account": "redis"},
                   {"name": "http_server.c", "account": "http"}], "tables": [{"name": "redis_calls", "owner": "redis"}]}
SEEN = {"rate": 200 << 20, "where": ["value_new (value.c:9)"], "state": STATE, "alarms": []}


def alarm(**more):
    return {"process": "controlplane", "kind": "account", "name": "redis", "by": "", "after_s": 50, **more}


class Judge(unittest.TestCase):
    def test_limits(self):
        for per_hour, seconds in ((2 << 30, 60), (1 << 30, 60), (100 << 20, 180), (10 << 20, 900), (1 << 20, 3600)):
            self.assertAlmostEqual(judge.limit_s("heap", per_hour), seconds)
        self.assertTrue(180 < judge.limit_s("map", 30 << 20) < 900)
        self.assertEqual(judge.limit_s("heap", 1000), float("inf"))
        self.assertEqual(judge.limit_s("buffer", 1800), 60)

    def verdict(self, *alarms, site=None, **seen):
        return judge.verdict({**SITE, **(site or {})}, {**SEEN, **seen, "alarms": list(alarms)})

    def test_allocating_or_freeing_function_is_right(self):
        for by in ("value_new (value.c:9)", "l1_put (l1.c:5)"):
            v = self.verdict(alarm(by=by))
            self.assertTrue(v["noticed"] and v["named"] and not v["wrong"], by)

    def test_account_alone_is_no_name(self):
        v = self.verdict(alarm())
        self.assertTrue(v["noticed"] and not v["named"] and not v["wrong"])

    def test_another_place_is_wrong(self):
        for other in (alarm(by="http_reply (http_server.c:3)"), alarm(name="http"), alarm(process="dataplane"),
                      alarm(kind="descriptors", name="socket"), alarm(by="value_new_2 (http_server.c:3)")):
            v = self.verdict(other)
            self.assertTrue(v["wrong"] and not v["noticed"], other)

    def test_a_library_is_named_by_its_callers(self):
        where = ["jansson", "jansson < json_out_finish < serve_top"]
        v = self.verdict(alarm(name="libraries", by="jansson < json_out_finish < serve_status"), where=where)
        self.assertTrue(v["noticed"] and v["named"] and not v["wrong"])
        v = self.verdict(alarm(name="libraries"), where=where)
        self.assertTrue(v["noticed"] and not v["named"] and not v["wrong"])
        v = self.verdict(alarm(name="libraries", by="sqlite < sql_step < sql_do"), where=where)
        self.assertTrue(v["wrong"] and not v["noticed"])
        self.assertTrue(self.verdict(alarm(name="libraries"))["wrong"])  # of blocks of no library

    def test_a_table_by_the_call_or_the_function_around_it(self):
        for site in ({"call": "slot_give_back", "function": "reply_send"}, {"call": "share_give", "function": "slot_give_back"}):
            site, alarms = {"kind": "table", **site}, [alarm(kind="table", name=name) for name in ("frontend_pending", "tcp_questions")]
            self.assertTrue(self.verdict(alarms[0], site=site, rate=40000)["named"], site)
            self.assertFalse(self.verdict(alarms[1], site=site, rate=40000)["named"], site)

    def test_late(self):
        self.assertFalse(self.verdict(alarm(after_s=181))["noticed"])
        self.assertFalse(self.verdict()["noticed"])

    def test_regions_and_descriptors(self):
        v = self.verdict(alarm(kind="deleted_mappings", name="rule_image", by="rule_image.7"), site={"kind": "map"},
                         where=["/dev/shm/run-weir/rule_image.7 (deleted)"])
        self.assertTrue(v["named"] and not v["wrong"])
        v = self.verdict(alarm(kind="descriptors", name="socket", by="socket"), site={"kind": "descriptor"}, rate=4000,
                         where=["socket:[12]"])
        self.assertTrue(v["noticed"] and v["named"])
        self.assertTrue(self.verdict(alarm(kind="descriptors", name="eventfd"), site={"kind": "descriptor"}, rate=4000,
                                     where=["socket:[12]"])["wrong"])


class Draw(unittest.TestCase):
    def test_rates(self):
        class Options:
            slow, keep, seed, rate = 0, "/nonexistent", 1, 300
        bench = object.__new__(main.Bench)
        bench.options = Options
        rows = [{"process": p, "kind": k, "units_per_s": u, "per_s": u, "id": i}
                for i, (p, k, u) in enumerate([("controlplane", "heap", 1e6), ("controlplane", "heap", 100.0),
                                               ("dataplane", "buffer", 50.0), ("controlplane", "descriptor", 0.001)])]
        drawn = list(bench.draw(rows, random.Random(3)))
        self.assertEqual([d["id"] for d in drawn], [0, 2])
        for d in drawn:
            low, high = main.FAST if d["kind"] == "heap" else main.FAST_COUNT
            self.assertTrue(low * 0.6 < d["units_per_s"] * 3600 / d["every"] < high * 1.7, d)


if __name__ == "__main__":
    unittest.main()
