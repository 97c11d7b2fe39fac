// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <weir/log_recent.h>

static struct log_recent kind[LOG_RECENT_MAX];

TEST(test_kinds)
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
TEST(test_bounds)
{
	char text[1000], fmt[LOG_RECENT_MAX + 1][16];
	uint64_t replaced = 0;
	memset(text, 't', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (unsigned i = 0; i <= LOG_RECENT_MAX; i++) {
		snprintf(fmt[i], sizeof(fmt[i]), "kind %u", i);
		log_recent_add(LOG_LEVEL_ERROR, fmt[i], text);
	}
	assert_int_equal(log_recent_copy(kind, LOG_RECENT_MAX, &replaced), LOG_RECENT_MAX);
	assert_int_equal(replaced, 3); // the two of before, and the first
	assert_int_equal(strlen(kind[0].text), LOG_RECENT_TEXT_MAX - 1);
	for (unsigned i = 0; i < LOG_RECENT_MAX; i++)
		assert_int_equal(kind[i].count, 1);
	assert_int_equal(log_recent_copy(kind, 3, NULL), 3);
}

static unsigned place_of(uint32_t id)
{
	unsigned i = 0, n = log_recent_copy(kind, LOG_RECENT_MAX, NULL);
	while (i < n && kind[i].id != id)
		i++;
	return i;
}

static void test_add(unsigned n)
{
	const char *fmt = text_from("flood kind %u", n);
	log_recent_add(LOG_LEVEL_WARNING, fmt, fmt);
}

// Any number of kinds: the ring stays as large as it is, each one that goes is counted, and it is
// always the one that is longest ago, not the one that came first.
TEST(test_flood)
{
	struct log_recent_counts before, after;
	uint64_t replaced;
	log_recent_add(LOG_LEVEL_ERROR, "often", "often");
	log_recent_copy(kind, 1, NULL);
	const uint32_t often = kind[0].id;
	log_recent_counts(&before);
	for (unsigned i = 0; i < 10000; i++) {
		test_add(i);
		if (i % (LOG_RECENT_MAX / 2) == 0)
			log_recent_add(LOG_LEVEL_ERROR, "often", "often");
	}
	log_recent_counts(&after);
	assert_int_equal(after.used, LOG_RECENT_MAX);
	assert_int_equal(after.bytes, before.bytes);
	assert_int_equal(after.replaced - before.replaced, 10000);
	assert_true(place_of(often) < LOG_RECENT_MAX);
	assert_int_equal(kind[place_of(often)].count, 1 + (10000 + 31) / 32);
	// The newest first, and of those that went none.
	assert_int_equal(log_recent_copy(kind, LOG_RECENT_MAX, &replaced), LOG_RECENT_MAX);
	assert_int_equal(replaced, after.replaced);
	assert_string_equal(kind[0].text, "flood kind 9999");
	for (unsigned i = 0; i < LOG_RECENT_MAX; i++)
		assert_true(strcmp(kind[i].text, "often") == 0
			    || atoi(kind[i].text + strlen("flood kind ")) > 9999 - LOG_RECENT_MAX);
	// One that went and comes again has its former id, and is counted from 0.
	test_add(9999);
	const uint32_t id = kind[0].id;
	for (unsigned i = 0; i < LOG_RECENT_MAX; i++)
		test_add(20000 + i);
	assert_int_equal(place_of(id), LOG_RECENT_MAX);
	test_add(9999);
	assert_int_equal(place_of(id), 0);
	assert_int_equal(kind[0].count, 1);
}
