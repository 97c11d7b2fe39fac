// SPDX-License-Identifier: BSD-3-Clause
// bisect: accounts beyond their tables, one by one; the sites of the heap; the suspect.

#include "tests/unit/unit.h"
#include "tools/ctl/memory/bisect.h"

static struct bisect_step step[4];

static struct json_doc *parse(const char *text)
{
	struct json_doc *doc = json_doc_parse(text, strlen(text));
	assert_non_null(doc);
	return doc;
}

// Slopes in MiB an hour, each known to 0.1, of the heap and of two accounts.
static void slopes(
	struct bisect_step *s, const char *toggle, double heap, double upstream, double store)
{
	const double mib = 1048576;
	snprintf(s->name, sizeof(s->name), "%s", toggle);
	const char *text = text_from(
		"{\"queries_per_s\":1000,\"filling\":\"texts\",\"bytes\":["
		"{\"name\":\"rss\",\"per_hour\":%.0f,\"plus_minus\":100000,\"known\":true},"
		"{\"name\":\"heap\",\"per_hour\":%.0f,\"plus_minus\":100000,\"known\":true},"
		"{\"name\":\"upstream\",\"per_hour\":%.0f,\"plus_minus\":100000,\"known\":true},"
		"{\"name\":\"store\",\"per_hour\":%.0f,\"plus_minus\":100000,\"known\":true}]}",
		heap * mib, heap * mib, upstream * mib, store * mib);
	struct json_doc *doc = parse(text);
	bisect_slopes_take(s, json_doc_root(doc));
	json_doc_free(doc);
}

// In 3,600 s the tables of `store` grew by so many MiB, and the block of a function by 20.
static void memory(struct bisect_step *s, double store)
{
	struct json_doc *before = parse(
		"{\"accounts\":[{\"name\":\"store\",\"in_filling\":0},"
		"{\"name\":\"upstream\",\"in_filling\":5}],"
		"\"sites\":[{\"name\":\"old (a.c:1)\",\"account\":\"upstream\",\"bytes\":9000}]}");
	const char *text = text_from(
		"{\"accounts\":[{\"name\":\"store\",\"in_filling\":%.0f},"
		"{\"name\":\"upstream\",\"in_filling\":5}],"
		"\"sites\":[{\"name\":\"old (a.c:1)\",\"account\":\"upstream\",\"bytes\":9500},"
		"{\"name\":\"give (b.c:2)\",\"account\":\"upstream\",\"bytes\":20971520},"
		"{\"name\":\"texts (c.c:3)\",\"account\":\"store\",\"bytes\":90000000}]}",
		store * 1048576);
	struct json_doc *after = parse(text);
	bisect_memory_take(s, json_doc_root(before), json_doc_root(after), 3600);
	json_doc_free(before);
	json_doc_free(after);
}

static void usual(unsigned i, double upstream, double store)
{
	slopes(&step[i], "", upstream + store, upstream, store);
	memory(&step[i], store);
}

FIXTURE(setup, memset(step, 0, sizeof(step)))

// The sum hardly changes when the resolver is off, as the store takes more then; upstream stops.
TEST_WITH(a_small_account_beside_one_that_fills, setup, NULL)
{
	usual(0, 20, 100);
	slopes(&step[1], "resolver", 119, 0, 119);
	memory(&step[1], 119);
	slopes(&step[2], "refresh", 120, 20, 100);
	memory(&step[2], 100);
	usual(3, 21, 90);
	struct bisect_finding f = bisect_judge(step, 4);
	assert_int_equal(f.verdict, BISECT_SUSPECT);
	assert_int_equal(f.step, 1);
	assert_string_equal(f.series, "upstream");
	assert_string_equal(f.site, "give (b.c:2)");
	assert_float_equal(f.usual / 1048576, 20, 0.01);
	assert_float_equal(f.without, 0, 1);
}

// What a table takes is no growth, also where a toggle stops it.
TEST_WITH(a_table_that_fills_has_no_suspect, setup, NULL)
{
	usual(0, 0, 100);
	slopes(&step[1], "query_log", 0, 0, 0);
	memory(&step[1], 0);
	usual(2, 0, 90);
	struct bisect_finding f = bisect_judge(step, 3);
	assert_int_equal(f.verdict, BISECT_NO_GROWTH);
	assert_float_equal(bisect_series_find(&step[0], "heap")->slope, 0, 1);
	assert_null(bisect_grower(&step[0]));
}

TEST_WITH(growth_that_no_toggle_stops, setup, NULL)
{
	usual(0, 20, 0);
	slopes(&step[1], "resolver", 20, 20, 0);
	usual(2, 20, 0);
	struct bisect_finding f = bisect_judge(step, 3);
	assert_int_equal(f.verdict, BISECT_NO_TOGGLE);
	assert_string_equal(f.series, "upstream");
	// Less than half of it is left, but not for sure.
	step[1].series[2].slope = 9 * 1048576;
	step[1].series[2].half = 12 * 1048576;
	assert_int_equal(bisect_judge(step, 3).verdict, BISECT_NO_TOGGLE);
	step[1].series[2].half = 100000;
	assert_int_equal(bisect_judge(step, 3).verdict, BISECT_SUSPECT);
	step[2].series[2].known = false;
	assert_int_equal(
		bisect_judge(step, 3).verdict, BISECT_NO_TOGGLE); // by the heap, which is known
	step[2].series[1].known = false;
	assert_int_equal(bisect_judge(step, 3).verdict, BISECT_UNKNOWN);
}

// Memory that is in no account is seen in the heap alone.
TEST_WITH(growth_in_no_account, setup, NULL)
{
	slopes(&step[0], "", 50, 0, 0);
	slopes(&step[1], "resolver", 50, 0, 0);
	slopes(&step[2], "l1", 1, 0, 0);
	slopes(&step[3], "", 50, 0, 0);
	struct bisect_finding f = bisect_judge(step, 4);
	assert_int_equal(f.verdict, BISECT_SUSPECT);
	assert_int_equal(f.step, 2);
	assert_string_equal(f.series, "heap");
}

TEST_WITH(growth_by_query, setup, NULL)
{
	usual(0, 36, 0); // 1,000 queries a second are 3.6 million an hour
	assert_float_equal(bisect_per_million(&step[0], 36 * 1048576.0), 10 * 1048576.0, 1);
	step[0].queries_per_s = 0;
	assert_float_equal(bisect_per_million(&step[0], 36 * 1048576.0), 0, 0);
}

TEST_WITH(the_fastest_sites_stay, setup, NULL)
{
	usual(0, 20, 100);
	assert_int_equal(step[0].sites, 3);
	assert_string_equal(step[0].site[0].name, "texts (c.c:3)");
	assert_string_equal(step[0].site[2].name, "old (a.c:1)");
	assert_float_equal(step[0].site[2].slope, 500, 0.1);
}
