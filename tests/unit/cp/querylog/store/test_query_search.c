// SPDX-License-Identifier: BSD-3-Clause
//
// What a search compares and takes from outside, and how many rows a flood leaves; searches
// themselves are in test_query_store.c.

#include "controlplane/querylog/store/query_rate.h"
#include "controlplane/querylog/store/query_search.h"
#include "tests/unit/unit.h"

// The tail of a name whose own dots are escaped is not its parent.
static void test_name_below(void **)
{
	assert_true(query_name_below("a.b.", "b"));
	assert_true(query_name_below("b.", "b."));
	assert_false(query_name_below("a\\.b.", "b"));
	assert_true(query_name_below("a\\\\.b.", "b"));
	assert_true(query_name_below(".", "."));
	assert_false(query_name_below("", "b"));
	assert_false(query_name_below("ab.", "b"));
}

static void test_places_from_outside(void **)
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

static void test_rate(void **)
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_below),
		cmocka_unit_test(test_places_from_outside),
		cmocka_unit_test(test_rate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
