// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/unit.h"

#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/mem_account.h>

// What unit.h and cmocka took for themselves is of no matter: only differences count.
// The address sanitizer ends a program that allocates too much, unless configured otherwise.
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

// Of all sites of this file.
static struct mem_sum sum_here(void)
{
	const struct heap_site *site[HEAP_SITES_MAX];
	unsigned n = heap_sites(site, HEAP_SITES_MAX);
	struct mem_sum sum = {0};
	for (unsigned i = 0; i < n; i++)
		if (site[i]->function)
			mem_sum_add(&sum, site[i]);
	return sum;
}

static uint64_t bytes_here(void)
{
	return sum_here().bytes;
}

static uint64_t blocks_here(void)
{
	return sum_here().blocks;
}

static const struct heap_site *site_named(const char *name)
{
	const struct heap_site *site[HEAP_SITES_MAX];
	unsigned n = heap_sites(site, HEAP_SITES_MAX);
	char text[HEAP_SITE_NAME];
	for (unsigned i = 0; i < n; i++)
		if (strcmp(heap_site_name(site[i], text), name) == 0)
			return site[i];
	return NULL;
}

TEST(every_kind_is_counted_and_settled)
{
	uint64_t bytes = bytes_here(), blocks = blocks_here();
	void *p[] = {
		heap_malloc(100),
		heap_calloc(7, 40),
		heap_aligned_alloc(64, 128),
		heap_strdup("a name"),
		heap_strndup("a name", 3),
		heap_realloc(NULL, 50),
		heap_reallocarray(NULL, 10, 10),
		heap_malloc(0),
	};
	assert_int_equal(blocks_here(), blocks + ARRAY_LEN(p));
	assert_true(bytes_here() >= bytes + 100 + 280 + 128 + 7 + 4 + 50 + 100);
	assert_int_equal((uintptr_t)p[2] % 64, 0);
	assert_string_equal(p[4], "a n");
	for (unsigned i = 0; i < ARRAY_LEN(p); i++) {
		assert_non_null(p[i]);
		heap_free(p[i]);
	}
	heap_free(NULL);
	assert_int_equal(blocks_here(), blocks);
	assert_int_equal(bytes_here(), bytes);
}

// Whatever size was asked for is the caller's to write, to the last byte.
TEST(a_block_is_the_callers_as_a_whole)
{
	for (size_t n = 0; n < 300; n++) {
		uint64_t blocks = blocks_here();
		char *p = heap_malloc(n);
		memset(p, 0x5a, n);
		p = heap_realloc(p, n + 77);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0x5a);
		memset(p, 0xa5, n + 77);
		p = heap_realloc(p, 1 + n / 2);
		assert_int_equal(blocks_here(), blocks + 1);
		heap_free(p);
		assert_int_equal(blocks_here(), blocks);
	}
	char *zero = heap_calloc(33, 3);
	for (unsigned i = 0; i < 99; i++)
		assert_int_equal(zero[i], 0);
	heap_free(zero);
}

TEST(a_librarys_block_is_let_be)
{
	uint64_t blocks = blocks_here();
	char *text = NULL;
	assert_true(asprintf(&text, "%d", 12345) > 0);
	heap_free(text);
	assert_true(asprintf(&text, "%s", "to be made longer") > 0);
	text = heap_realloc(text, 4000); // ours from here on
	assert_string_equal(text, "to be made longer");
	assert_int_equal(blocks_here(), blocks + 1);
	heap_free(text);
	assert_int_equal(blocks_here(), blocks);
}

TEST(sizes_that_do_not_fit_are_refused)
{
	volatile size_t huge = SIZE_MAX;
	uint64_t blocks = blocks_here();
	char *kept = heap_malloc(10);
	strcpy(kept, "kept");
	assert_null(heap_malloc(huge - 3));
	assert_null(heap_calloc(huge / 2, 3));
	assert_null(heap_calloc(1, huge - 1));
	assert_null(heap_realloc(kept, huge - 2));
	assert_null(heap_reallocarray(kept, huge / 2, 3));
	assert_null(heap_realloc(kept, huge / 4)); // the allocator refuses
	assert_null(heap_aligned_alloc(64, huge - 20));
	assert_string_equal(kept, "kept");
	assert_int_equal(blocks_here(), blocks + 1);
	heap_free(kept);
	assert_int_equal(blocks_here(), blocks);
}

TEST(who_made_a_block_is_settled_with)
{
	struct heap_site *jansson = heap_site_library(HEAP_LIBRARY_jansson);
	uint64_t here = blocks_here();
	void *p = heap_malloc_at(jansson, 64);
	assert_int_equal(atomic_load(&jansson->blocks), 1);
	assert_int_equal(blocks_here(), here);
	heap_free(p);
	assert_int_equal(atomic_load(&jansson->blocks), 0);
	p = heap_malloc_at(jansson, 64);
	p = heap_realloc(p, 640); // who makes it longer has it
	assert_int_equal(atomic_load(&jansson->blocks), 0);
	assert_int_equal(blocks_here(), here + 1);
	heap_free(p);
	assert_int_equal(blocks_here(), here);
}

static char *three_bytes(void)
{
	return heap_malloc(3);
}
enum { THREE_BYTES_LINE = __LINE__ - 2 };

TEST(each_call_is_a_site_of_its_own)
{
	char name[HEAP_SITE_NAME];
	char *two[2] = {three_bytes(), three_bytes()}, *other = heap_malloc(30);
	snprintf(name, sizeof(name), "three_bytes (test_heap_site.c:%d)", THREE_BYTES_LINE);
	const struct heap_site *s = site_named(name);
	assert_non_null(s);
	assert_string_equal(s->function, "three_bytes");
	assert_int_equal(atomic_load(&s->blocks), 2);
	assert_true(atomic_load(&s->bytes) >= 6);
	snprintf(name, sizeof(name), "%s (test_heap_site.c:%d)", __func__, THREE_BYTES_LINE + 7);
	assert_int_equal(atomic_load(&site_named(name)->blocks), 1);
	heap_free(other);
	heap_free(two[0]);
	two[1] = heap_realloc(two[1], 500); // the call that made it longer has it
	assert_int_equal(atomic_load(&s->blocks), 0);
	assert_int_equal(atomic_load(&s->bytes), 0);
	assert_int_equal(atomic_load(&s->made), 2);
	assert_true(atomic_load(&s->made_bytes) >= 6);
	heap_free(two[1]);
	assert_string_equal(heap_site_name(heap_site_library(HEAP_LIBRARY_curl), name), "curl");
}

TEST(calls_may_nest)
{
	uint64_t blocks = blocks_here();
	char *inner, *outer = heap_strdup(strcpy(inner = heap_malloc(8), "nested"));
	assert_string_equal(outer, "nested");
	assert_int_equal(blocks_here(), blocks + 2);
	heap_free(outer);
	heap_free(inner);
	assert_int_equal(blocks_here(), blocks);
}

TEST(sites_of_a_file_are_side_by_side)
{
	const struct heap_site *site[HEAP_SITES_MAX];
	unsigned n = heap_sites(site, HEAP_SITES_MAX), changes = 0;
	for (unsigned i = 1; i < n; i++)
		changes += strcmp(site[i]->file, site[i - 1]->file) != 0;
	assert_true(n > 10);
	assert_int_equal(changes, 1); // libraries have one site here, this file the others
	assert_int_equal(heap_sites(site, 3), 3);
}

// libc calls back as a library calls its hooks.
static void *made_below;

static int hook(const void *, const void *)
{
	if (!made_below)
		made_below = heap_libevent_malloc(100);
	return 0;
}

#define APART __attribute__((noinline))

APART static void library_call(void)
{
	int n[2] = {0};
	qsort(n, 2, sizeof(n[0]), hook);
	__asm__ volatile("");
}

APART static void first_caller(void)
{
	library_call();
	__asm__ volatile("");
}

APART static void second_caller(void)
{
	library_call();
	__asm__ volatile("nop"); // not the same code as the first, which would be made one
}

TEST(a_librarys_block_has_its_callers)
{
	first_caller();
	const struct heap_site *s = site_named("libevent < library_call < first_caller");
	assert_non_null(s);
	assert_string_equal(s->file, "libevent");
	assert_int_equal(atomic_load(&s->blocks), 1);
	assert_true(atomic_load(&s->bytes) >= 100);
	heap_free(made_below);
	made_below = NULL;
	assert_int_equal(atomic_load(&s->blocks), 0);
	assert_null(site_named("libevent < library_call < second_caller"));
	second_caller();
	assert_int_equal(atomic_load(&s->made), 1);
	s = site_named("libevent < library_call < second_caller");
	assert_int_equal(atomic_load(&s->blocks), 1);
	made_below = heap_realloc(made_below, 5000); // who makes it longer has it
	assert_int_equal(atomic_load(&s->blocks), 0);
	heap_free(made_below);
	made_below = NULL;
}

TEST(some_libraries_look_for_few_callers)
{
	struct heap_site *own = heap_site_library(HEAP_LIBRARY_jansson);
	uint64_t made = atomic_load(&own->made);
	for (unsigned i = 0; i < 80; i++)
		heap_free(heap_jansson_malloc(10));
	assert_int_equal(atomic_load(&own->made), made + 70); // the others have a caller
}

// However many it makes.
TEST(a_thread_looks_for_few_callers_in_a_while)
{
	enum { MADE = 4000 };
	struct heap_site *own = heap_site_library(HEAP_LIBRARY_curl);
	const uint64_t made = atomic_load(&own->made), began_ms = clock_mono_ms();
	for (unsigned i = 0; i < MADE; i++)
		heap_free(heap_curl_malloc(10));
	const uint64_t spans = (clock_mono_ms() - began_ms) / HEAP_WALKS_MS + 2;
	const uint64_t alone = atomic_load(&own->made) - made;
	assert_in_range(
		MADE - alone, HEAP_WALKS, MADE / HEAP_WALKS_EACH + spans * (HEAP_WALKS + 1));
	assert_true(alone > 0);
}

TEST(what_is_freed_leaves_no_pointer)
{
	uint64_t blocks = blocks_here();
	struct {
		char *text;
	} two[2] = {{.text = heap_strdup("one")}, {.text = heap_strdup("other")}}, *at = two;
	FREE_AND_NULL(at++->text); // once
	assert_ptr_equal(at, &two[1]);
	assert_null(two[0].text);
	assert_string_equal(two[1].text, "other");
	FREE_AND_NULL(at->text);
	FREE_AND_NULL(at->text);
	assert_null(two[1].text);
	assert_int_equal(blocks_here(), blocks);
}

TEST(files_belong_to_accounts)
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

TEST(accounts_add_up)
{
	struct mem_sum before[MEM_ACCOUNT_COUNT], after[MEM_ACCOUNT_COUNT];
	struct mem_sum all_before = mem_accounts(before);
	void *p = heap_malloc_at(heap_site_library(HEAP_LIBRARY_jansson), 5000);
	void *q = heap_malloc(3000);
	struct mem_sum all = mem_accounts(after), sum = {0};
	assert_int_equal(
		after[MEM_ACCOUNT_libraries].blocks, before[MEM_ACCOUNT_libraries].blocks + 1);
	assert_int_equal(after[MEM_ACCOUNT_other].blocks, before[MEM_ACCOUNT_other].blocks + 1);
	assert_true(all.bytes >= all_before.bytes + 8000);
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		sum.bytes += after[i].bytes;
	assert_int_equal(sum.bytes, all.bytes);
	heap_free(p);
	heap_free(q);
	assert_int_equal(mem_accounts(after).bytes, all_before.bytes);
}

TEST(the_rest_alarms_when_it_is_much)
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
