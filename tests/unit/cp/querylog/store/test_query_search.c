// SPDX-License-Identifier: BSD-3-Clause
//
// What a search compares and takes from outside, and how many rows a flood leaves; the
// searches themselves are in test_query_store.c.

#include "controlplane/querylog/store/query_search.h"
#include "controlplane/querylog/store/query_store.h"
#include "query_rows.h"
#include "tests/unit/unit.h"

// The tail of a name whose own dots are escaped is not its parent.
TEST(test_name_below)
{
	assert_true(query_name_below("a.b.", "b"));
	assert_true(query_name_below("b.", "b."));
	assert_false(query_name_below("a\\.b.", "b"));
	assert_true(query_name_below("a\\\\.b.", "b"));
	assert_true(query_name_below(".", "."));
	assert_true(query_name_below("a.b.", "."));
	assert_true(query_name_below("a\\..", "."));
	assert_false(query_name_below("", "."));
	assert_false(query_name_below(".", "b"));
	assert_false(query_name_below("", "b"));
	assert_false(query_name_below("ab.", "b"));
}

TEST(test_places_from_outside)
{
	static const char *const bad[] = {"", "1", "1.1", "1.0.1", "1.1.1.1", "-1.1.1", "1.1.-1",
		" 1.1.1", "1.1.1 ", "01.1.1", "1.1.9999999999999999999", "x.1.1"};
	struct query_place p;
	assert_true(query_place_parse("472222.1.17", &p));
	assert_int_equal(p.id, 17);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		if (query_place_parse(bad[i], &p))
			fail_msg("taken: '%s'", bad[i]);
}

TEST(test_rate)
{
	struct query_rate r;
	query_rate_start(&r, 1000, 5000);
	assert_int_equal(query_rate_step(&r, 1000, 5000), 1);
	assert_int_equal(query_rate_step(&r, 100, 5000), 100); // nothing left: one row
	assert_int_equal(query_rate_step(&r, 100, 5100), 1);
	assert_int_equal(query_rate_step(&r, 1000, 9000), 1);
	query_rate_start(&r, 0, 0);
	assert_int_equal(query_rate_step(&r, 100000, 0), 1);
}

static void on_found(void *arg, const struct query_found *)
{
	(*(unsigned *)arg)++;
}

// Rows of query_rows.h: three, all answered with NOERROR, of clients in no group.
TEST(test_filters)
{
	static const struct {
		struct query_filter filter;
		unsigned rows;
	} cases[] = {
		{{.part = "tHer."}, 1},
		{{.part = "example"}, 2},
		{{.part = "cmd", .name = "example"}, 1},
		{{.part = "%"}, 0},
		{{.part = ".*"}, 0},
		{{.group = "everyone"}, 3},
		{{.group = "everyone", .client = "fd53::1"}, 1},
		{{.group = "children"}, 0},
		{{.has_rcode = true}, 3},
		{{.has_rcode = true, .rcode = 3}, 0},
		{{.rcode = 3}, 3},
	};
	char folder[] = "/tmp/weir-search-XXXXXX";
	const _Atomic bool stop = false;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(query_rows_write(folder), 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct query_filter f = cases[i].filter;
		struct query_outcome end;
		unsigned rows = 0;
		f.until_us = INT64_MAX;
		f.rows = 100;
		f.for_ms = 10000;
		assert_int_equal(query_search(folder, &f, &stop, on_found, &rows, &end), 0);
		assert_true(end.complete);
		if (rows != cases[i].rows)
			fail_msg("case %u: %u rows", i, rows);
	}
	assert_int_equal(folder_remove(folder, ""), 0);
}
