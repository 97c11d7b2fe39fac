// SPDX-License-Identifier: BSD-3-Clause
// Bytes of a library without hooks, of a program that is linked with jemalloc as the product is.

#include "controlplane/memory/heap.h"
#include "tests/unit/unit.h"

enum { LARGE = 100000, SMALL = 3000 };

static const enum heap_library library = HEAP_LIBRARY_unbound;

// What such a library does: allocates by functions that are no sites.
static void *take(size_t n)
{
	char *p = NULL;
	assert_true(asprintf(&p, "%*s", (int)n, "") > 0);
	return p;
}

static void give(void *p)
{
	free(p);
}

static uint64_t held(void)
{
	return atomic_load(&heap_site_library(library)->bytes);
}

static bool is_there(void)
{
	struct heap_stats s;
	heap_read(&s);
	return s.jemalloc;
}

TEST(test_what_stays_counts)
{
	if (!is_there())
		skip();
	const uint64_t before = held();
	struct heap_meter m = heap_meter_begin();
	void *p = take(LARGE);
	give(take(SMALL));
	const int64_t more = heap_meter_end(&m, library);
	assert_in_range(more, LARGE, LARGE + LARGE / 3);
	assert_int_equal(held() - before, more);
	m = heap_meter_begin();
	give(p);
	assert_int_equal(heap_meter_end(&m, library), -more);
	assert_int_equal(held(), before);
	p = take(LARGE); // outside
	assert_int_equal(held(), before);
	give(p);
}

TEST(test_sites_count_for_themselves)
{
	struct heap_site *site = heap_site_library(HEAP_LIBRARY_curl);
	struct heap_meter m = heap_meter_begin();
	void *own = heap_malloc_at(site, LARGE), *p = take(SMALL);
	own = heap_realloc_at(site, own, 2 * LARGE);
	const int64_t more = heap_meter_end(&m, library);
	if (is_there())
		assert_in_range(more, SMALL, SMALL + SMALL / 2);
	else
		assert_int_equal(more, 0);
	m = heap_meter_begin();
	heap_free(own);
	give(p);
	assert_int_equal(heap_meter_end(&m, library), -more);
}

// As where the library calls weir, which calls another context of it.
TEST(test_within_each_other)
{
	if (!is_there())
		skip();
	const uint64_t before = held();
	const struct heap_meter outer = heap_meter_begin();
	void *p = take(SMALL);
	const struct heap_meter inner = heap_meter_begin();
	void *q = take(LARGE);
	const int64_t of_inner = heap_meter_end(&inner, library);
	const int64_t of_outer = heap_meter_end(&outer, library);
	assert_in_range(of_inner, LARGE, LARGE + LARGE / 3);
	assert_in_range(of_outer, SMALL, SMALL + SMALL / 2);
	assert_int_equal(held() - before, of_inner + of_outer);
	const struct heap_meter m = heap_meter_begin();
	give(p);
	give(q);
	(void)heap_meter_end(&m, library);
	assert_int_equal(held(), before);
}

// As where the library calls weir, which calls a library that nobody measures.
TEST(test_what_is_skipped)
{
	if (!is_there())
		skip();
	const uint64_t before = held();
	const struct heap_meter outer = heap_meter_begin();
	const struct heap_meter inner = heap_meter_begin();
	void *p = take(LARGE);
	heap_meter_skip(&inner);
	assert_int_equal(heap_meter_end(&outer, library), 0);
	assert_int_equal(held(), before);
	give(p);
}
