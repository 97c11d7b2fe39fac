// SPDX-License-Identifier: BSD-3-Clause
// Two heap profiles that say as much as a profile may are compared before the test's time is up.

#include "tests/unit/unit.h"
#include "tools/ctl/memory/cmd_heap.h"

// As many stacks and sites as are read, all of one function and file: to compare each stack with
// each pair of sites would take years.
static struct heap_text *crowded_profile(unsigned bytes, char **text)
{
	enum { LINE = 48 };
	size_t room = (HEAP_STACKS_MAX + HEAP_COUNTS_MAX + 9) * (size_t)LINE, len = 0;
	char *many = malloc(room);
	assert_non_null(many);
	len += (size_t)snprintf(many, room, "heap_v2/1\n");
	for (unsigned i = 0; i < HEAP_STACKS_MAX; i++)
		len += (size_t)snprintf(
			many + len, room - len, "@ 0x5 0x%x\n  t*: 1: %u [0: 0]\n", i + 9, bytes);
	len += (size_t)snprintf(many + len, room - len, "\nMAPPED_LIBRARIES:\nSITES:\n");
	for (unsigned i = 0; i < HEAP_COUNTS_MAX; i++)
		len += (size_t)snprintf(many + len, room - len, "0x5 1 1 a.c\n");
	assert_in_range(len, 0, room - 1);
	struct heap_text *h;
	assert_int_equal(heap_text_read(&h, many), 0);
	*text = many;
	return h;
}

TEST(as_many_sites_as_a_file_may_say)
{
	char *text[2];
	struct heap_text *a = crowded_profile(10, &text[0]), *b = crowded_profile(90, &text[1]);
	struct symbols *symbols = symbols_new();
	struct heap_diff d;
	assert_non_null(symbols);
	assert_int_equal(b->site_count, HEAP_COUNTS_MAX);
	assert_int_equal(heap_diff_make(&d, a, b, symbols), 0);
	assert_int_equal(d.count, HEAP_STACKS_MAX);
	assert_true(d.growth[0].is_made_again); // no site grew
	heap_diff_free(&d);
	heap_text_free(a);
	heap_text_free(b);
	symbols_free(symbols);
	free(text[0]);
	free(text[1]);
}
