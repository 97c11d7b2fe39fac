// SPDX-License-Identifier: BSD-3-Clause

#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <weir/log_recent.h>

static struct log_recent kind[LOG_RECENT_MAX];

static void test_kinds(void **)
{
	uint64_t changes = log_recent_changes();
	log_warning("disk %s is full", "a");
	log_error("no memory");
	log_warning("disk %s is full", "b");
	log_info("nothing to see");
	assert_int_equal(log_recent_changes(), changes + 3);
	assert_int_equal(log_recent_copy(kind, LOG_RECENT_MAX, NULL), 2);
	assert_string_equal(kind[0].text, "disk b is full");
	assert_int_equal(kind[0].count, 2);
	assert_int_equal(kind[0].level, LOG_LEVEL_WARNING);
	assert_true(kind[0].last_unix_ms >= kind[0].first_unix_ms);
	assert_string_equal(kind[1].text, "no memory");
	assert_int_not_equal(kind[0].id, kind[1].id);
	// Users write it down: a kind keeps its id.
	assert_int_equal(kind[1].id, 0xb5cf1309);
}

// A long text is cut; more kinds than there is room for: the oldest goes.
static void test_bounds(void **)
{
	char text[1000], fmt[LOG_RECENT_MAX + 1][16];
	uint64_t replaced = 0;
	memset(text, 't', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (unsigned i = 0; i <= LOG_RECENT_MAX; i++) {
		snprintf(fmt[i], sizeof fmt[i], "kind %u", i);
		log_recent_add(LOG_LEVEL_ERROR, fmt[i], text);
	}
	assert_int_equal(log_recent_copy(kind, LOG_RECENT_MAX, &replaced), LOG_RECENT_MAX);
	assert_int_equal(replaced, 3); // the two of before, and the first
	assert_int_equal(strlen(kind[0].text), LOG_RECENT_TEXT_MAX - 1);
	for (unsigned i = 0; i < LOG_RECENT_MAX; i++)
		assert_int_equal(kind[i].count, 1);
	assert_int_equal(log_recent_copy(kind, 3, NULL), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_bounds),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
