// SPDX-License-Identifier: BSD-3-Clause
#define WEIR_HEAP_SITES
#include "tests/unit/unit.h"

#include <stdio.h>
#include <weir/heap_site.h>
#include <weir/mem_account.h>

// What unit.h and cmocka took for themselves is of no matter: only differences are looked at.
// The address sanitizer ends a program that asks for too much, unless told otherwise.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static uint64_t bytes_here(void)
{
	return atomic_load(&heap_site_here.bytes);
}

static uint64_t blocks_here(void)
{
	return atomic_load(&heap_site_here.blocks);
}

static void every_kind_is_counted_and_settled(void **)
{
	uint64_t bytes = bytes_here(), blocks = blocks_here();
	void *p[] = {
		malloc(100),
		calloc(7, 40),
		aligned_alloc(64, 128),
		strdup("a name"),
		strndup("a name", 3),
		realloc(NULL, 50),
		reallocarray(NULL, 10, 10),
		malloc(0),
	};
	assert_int_equal(blocks_here(), blocks + ARRAY_LEN(p));
	assert_true(bytes_here() >= bytes + 100 + 280 + 128 + 7 + 4 + 50 + 100);
	assert_int_equal((uintptr_t)p[2] % 64, 0);
	assert_string_equal(p[4], "a n");
	for (unsigned i = 0; i < ARRAY_LEN(p); i++) {
		assert_non_null(p[i]);
		free(p[i]);
	}
	free(NULL);
	assert_int_equal(blocks_here(), blocks);
	assert_int_equal(bytes_here(), bytes);
}

// Whatever size was asked for is the caller's to write, to the last byte.
static void a_block_is_the_callers_as_a_whole(void **)
{
	for (size_t n = 0; n < 300; n++) {
		uint64_t blocks = blocks_here();
		char *p = malloc(n);
		memset(p, 0x5a, n);
		p = realloc(p, n + 77);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0x5a);
		memset(p, 0xa5, n + 77);
		p = realloc(p, 1 + n / 2);
		assert_int_equal(blocks_here(), blocks + 1);
		free(p);
		assert_int_equal(blocks_here(), blocks);
	}
	char *zero = calloc(33, 3);
	for (unsigned i = 0; i < 99; i++)
		assert_int_equal(zero[i], 0);
	free(zero);
}

static void a_librarys_block_is_let_be(void **)
{
	uint64_t blocks = blocks_here();
	char *text = NULL;
	assert_true(asprintf(&text, "%d", 12345) > 0);
	free(text);
	assert_true(asprintf(&text, "%s", "to be made longer") > 0);
	text = realloc(text, 4000); // ours from here on
	assert_string_equal(text, "to be made longer");
	assert_int_equal(blocks_here(), blocks + 1);
	free(text);
	assert_int_equal(blocks_here(), blocks);
}

static void sizes_that_do_not_fit_are_refused(void **)
{
	volatile size_t huge = SIZE_MAX;
	uint64_t blocks = blocks_here();
	char *kept = malloc(10);
	strcpy(kept, "kept");
	assert_null(malloc(huge - 3));
	assert_null(calloc(huge / 2, 3));
	assert_null(calloc(1, huge - 1));
	assert_null(realloc(kept, huge - 2));
	assert_null(reallocarray(kept, huge / 2, 3));
	assert_null(realloc(kept, huge / 4)); // the allocator refuses
	assert_null(aligned_alloc(64, huge - 20));
	assert_string_equal(kept, "kept");
	assert_int_equal(blocks_here(), blocks + 1);
	free(kept);
	assert_int_equal(blocks_here(), blocks);
}

static void who_made_a_block_is_settled_with(void **)
{
	struct heap_site *jansson = heap_site_library(HEAP_LIBRARY_jansson);
	uint64_t here = blocks_here();
	void *p = heap_malloc(jansson, 64);
	assert_int_equal(atomic_load(&jansson->blocks), 1);
	assert_int_equal(blocks_here(), here);
	free(p);
	assert_int_equal(atomic_load(&jansson->blocks), 0);
	p = heap_malloc(jansson, 64);
	p = realloc(p, 640); // who makes it longer has it
	assert_int_equal(atomic_load(&jansson->blocks), 0);
	assert_int_equal(blocks_here(), here + 1);
	free(p);
	assert_int_equal(blocks_here(), here);
}

static void files_belong_to_accounts(void **)
{
	assert_int_equal(mem_account_of("l0_writer.c"), MEM_ACCOUNT_l0);
	assert_int_equal(mem_account_of("../a/l0/l0_writer.c"), MEM_ACCOUNT_l0);
	assert_int_equal(mem_account_of("l1.c"), MEM_ACCOUNT_redis);
	assert_int_equal(mem_account_of("resolver_miss.c"), MEM_ACCOUNT_resolver);
	assert_int_equal(mem_account_of("resolver_log.c"), MEM_ACCOUNT_query_log);
	assert_int_equal(mem_account_of("rules.c"), MEM_ACCOUNT_images);
	assert_int_equal(mem_account_of("ruler.c"), MEM_ACCOUNT_other);
	assert_int_equal(mem_account_of("jansson"), MEM_ACCOUNT_libraries);
	assert_int_equal(mem_account_of(""), MEM_ACCOUNT_other);
}

static void accounts_add_up(void **)
{
	struct mem_sum before[MEM_ACCOUNT_COUNT], after[MEM_ACCOUNT_COUNT];
	struct mem_sum all_before = mem_accounts(before);
	void *p = heap_malloc(heap_site_library(HEAP_LIBRARY_jansson), 5000);
	void *q = malloc(3000);
	struct mem_sum all = mem_accounts(after), sum = {0};
	assert_int_equal(
		after[MEM_ACCOUNT_libraries].blocks, before[MEM_ACCOUNT_libraries].blocks + 1);
	assert_int_equal(after[MEM_ACCOUNT_other].blocks, before[MEM_ACCOUNT_other].blocks + 1);
	assert_true(all.bytes >= all_before.bytes + 8000);
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		sum.bytes += after[i].bytes;
	assert_int_equal(sum.bytes, all.bytes);
	free(p);
	free(q);
	assert_int_equal(mem_accounts(after).bytes, all_before.bytes);
}

static void the_rest_alarms_when_it_is_much(void **)
{
	struct mem_sum all = {.bytes = 100 << 20};
	struct mem_process p = {.allocated = 104 << 20, .rss = 150 << 20};
	assert_int_equal(mem_unexplained(&p, &all), 4 << 20);
	assert_false(mem_is_alarming(&p, mem_unexplained(&p, &all)));
	p.allocated = 109 << 20;
	assert_true(mem_is_alarming(&p, mem_unexplained(&p, &all)));
	p.rss = 300 << 20;
	assert_false(mem_is_alarming(&p, mem_unexplained(&p, &all)));
	p.rss = 150 << 20;
	all.blocks = 1 << 20; // the allocator's own word for each is no riddle
	assert_int_equal(mem_unexplained(&p, &all), 1 << 20);
	p.allocated = 1 << 20; // read a moment apart
	assert_int_equal(mem_unexplained(&p, &all), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_counted_and_settled),
		cmocka_unit_test(a_block_is_the_callers_as_a_whole),
		cmocka_unit_test(a_librarys_block_is_let_be),
		cmocka_unit_test(sizes_that_do_not_fit_are_refused),
		cmocka_unit_test(who_made_a_block_is_settled_with),
		cmocka_unit_test(files_belong_to_accounts),
		cmocka_unit_test(accounts_add_up),
		cmocka_unit_test(the_rest_alarms_when_it_is_much),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
