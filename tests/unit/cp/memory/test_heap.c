// SPDX-License-Identifier: BSD-3-Clause
// The heap's numbers and profiles, of a program that is linked with jemalloc as the product is. In
// a sanitizer build there is none: profiles are refused, numbers are libc's or nothing.

#include "controlplane/memory/heap.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct heap_stats stats;

static bool jemalloc_is_there(void)
{
	heap_read(&stats);
	return stats.jemalloc;
}

static void what_is_allocated_shows(void **)
{
	if (!jemalloc_is_there())
		skip();
	uint64_t before = stats.allocated, calls = stats.allocations;
	char *p = malloc(8 << 20);
	assert_non_null(p);
	memset(p, 1, 8 << 20);
	heap_read(&stats);
	assert_in_range(stats.allocated, before + (8 << 20), before + (9 << 20));
	assert_true(stats.allocations > calls);
	assert_true(stats.resident >= stats.active && stats.active >= stats.allocated);
	free(p);
	heap_read(&stats);
	assert_in_range(stats.allocated, 0, before + (1 << 20));
}

static void profiles_are_off_at_first(void **)
{
	if (!jemalloc_is_there())
		skip();
	assert_true(stats.can_profile);
	assert_false(stats.profiles);
}

static void a_dump_lists_what_is_held(void **)
{
	char *text, *held[64];
	size_t len;
	if (!jemalloc_is_there()) {
		assert_int_equal(heap_profile(true, HEAP_SAMPLE_LG), -ENOTSUP);
		assert_int_equal(heap_dump(&text, &len), -ENOTSUP);
		return;
	}
	assert_int_equal(heap_profile(true, HEAP_SAMPLE_LG_MIN - 1), -EINVAL);
	assert_int_equal(heap_profile(true, HEAP_SAMPLE_LG_MAX + 1), -EINVAL);
	assert_int_equal(heap_profile(true, 10), 0);
	// The thread has a distance to its next sample, drawn for the rate that was.
	for (unsigned i = 0; i < 512; i++) {
		char *volatile passing = malloc(65536);
		assert_non_null(passing);
		free(passing);
	}
	for (unsigned i = 0; i < ARRAY_LEN(held); i++)
		assert_non_null(held[i] = malloc(10000));
	assert_int_equal(heap_dump(&text, &len), 0);
	assert_int_equal(heap_profile(false, 0), 0);
	heap_read(&stats);
	assert_false(stats.profiles);
	assert_int_equal(stats.sample, 1024);
	assert_int_equal(strlen(text), len);
	assert_int_equal(strncmp(text, "heap_v2/1024\n", 13), 0);
	assert_non_null(strstr(text, "\nMAPPED_LIBRARIES:\n"));
	assert_non_null(strstr(text, "test_heap"));
	// Each is larger than what lies between two samples ten times over.
	unsigned long count = 0;
	sscanf(text, "heap_v2/1024\n  t*: %lu:", &count);
	assert_in_range(count, ARRAY_LEN(held) / 2, ARRAY_LEN(held) + 20);
	free(text);
	for (unsigned i = 0; i < ARRAY_LEN(held); i++)
		free(held[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(profiles_are_off_at_first),
		cmocka_unit_test(what_is_allocated_shows),
		cmocka_unit_test(a_dump_lists_what_is_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
