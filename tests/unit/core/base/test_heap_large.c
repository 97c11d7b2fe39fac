// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/page_fake.h"
#include "tests/unit/unit.h"

#include <malloc.h>
#include <weir/heap_site.h>

// A large block is address space until it is written.
static void touched_with(size_t page)
{
	enum { SIZE = 32 << 20, WRITTEN = 4 << 20, HUGE_PAGE = 2 << 20 };
	static struct heap_large before[HEAP_LARGE_MAX], after[HEAP_LARGE_MAX];
	page_fake(page);
	(void)mallopt(M_PERTURB, 0); // tests run with a value that libc writes to all of a block
	unsigned n = heap_large_blocks(before);
	char *p = heap_malloc(SIZE), *small = heap_malloc(HEAP_LARGE / 2);
	assert_non_null(p);
	for (size_t i = 0; i < WRITTEN; i += 4096)
		*(volatile char *)(p + i) = 1;
	assert_int_equal(heap_large_blocks(after), n + 1);
	const struct heap_large *l = NULL;
	for (unsigned i = 0; i <= n; i++)
		if (after[i].bytes >= SIZE)
			l = &after[i];
	assert_non_null(l);
	assert_string_equal(l->site->function, "touched_with");
	assert_true(l->touched >= WRITTEN && l->touched <= WRITTEN + 3 * HUGE_PAGE);
	p = heap_realloc(p, 2 * SIZE);
	assert_int_equal(heap_large_blocks(after), n + 1);
	heap_free(p);
	heap_free(small);
	assert_int_equal(heap_large_blocks(after), n);
	page_fake(0);
}

TEST(large_blocks_say_what_is_touched)
{
	static const size_t pages[] = {0, 16384, 65536}; // 0: the machine's own
	for (unsigned i = 0; i < ARRAY_LEN(pages); i++)
		touched_with(pages[i]);
}
