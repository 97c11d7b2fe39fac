// SPDX-License-Identifier: BSD-3-Clause
// The heap's numbers and profiles, of a program that is linked with jemalloc as the product is. In
// a sanitizer build there is none: profiles are refused, numbers are libc's or nothing.

#include "controlplane/memory/heap.h"
#include "tests/unit/unit.h"

#include <semaphore.h>
#include <weir/heap_site.h>

static struct heap_stats stats;

#pragma weak malloc_message // absent in a sanitizer build
extern void (*malloc_message)(void *arg, const char *text);

static bool jemalloc_is_there(void)
{
	heap_read(&stats);
	return stats.jemalloc;
}

// Debian's jemalloc has profiles on amd64 alone.
static bool profiles_are_there(void)
{
	const bool is_there = jemalloc_is_there();
#ifdef __x86_64__
	assert_true(!is_there || stats.can_profile);
#endif
	return is_there && stats.can_profile;
}

TEST(what_is_allocated_shows)
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

TEST(arenas_add_up)
{
	struct heap_arena arena[HEAP_ARENAS_MAX];
	uint64_t active = 0, allocated = 0;
	if (!jemalloc_is_there()) {
		assert_int_equal(heap_arenas(arena), 0);
		return;
	}
	char *p = malloc(1 << 20);
	assert_non_null(p);
	heap_read(&stats);
	unsigned count = heap_arenas(arena);
	assert_in_range(count, 1, HEAP_ARENAS_MAX);
	for (unsigned i = 0; i < count; i++) {
		assert_true(arena[i].active >= arena[i].allocated);
		assert_true(arena[i].resident >= arena[i].active);
		active += arena[i].active;
		allocated += arena[i].allocated;
	}
	assert_int_equal(active, stats.active);
	assert_int_equal(allocated, stats.allocated + stats.profiler);
	free(p);
}

TEST(it_is_profiled_from_the_start)
{
	if (!profiles_are_there())
		skip();
	assert_true(stats.profiles);
	assert_int_equal(stats.sample, (uint64_t)1 << HEAP_SAMPLE_LG);
}

// Blocks in the profile, of all stacks.
static unsigned long sampled(char **out)
{
	size_t len;
	unsigned long count = 0;
	assert_int_equal(heap_dump(out, &len), 0);
	assert_int_equal(strlen(*out), len);
	const char *totals = strstr(*out, "  t*: ");
	assert_non_null(totals);
	assert_int_equal(sscanf(totals, "  t*: %lu:", &count), 1);
	return count;
}

static void blocks_take(char **out, unsigned count, size_t n)
{
	for (unsigned i = 0; i < count; i++)
		assert_non_null(out[i] = heap_libevent_malloc(n));
}

static void blocks_free(char **of, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		heap_free(of[i]);
}

TEST(a_dump_lists_what_is_held)
{
	char *text, *held[64];
	size_t len;
	if (!profiles_are_there()) {
		assert_int_equal(heap_profile(true, HEAP_SAMPLE_LG), -ENOTSUP);
		assert_int_equal(heap_dump(&text, &len), -ENOTSUP);
		return;
	}
	assert_int_equal(heap_profile(true, HEAP_SAMPLE_LG_MIN - 1), -EINVAL);
	assert_int_equal(heap_profile(true, HEAP_SAMPLE_LG_MAX + 1), -EINVAL);
	assert_int_equal(heap_profile(true, 10), 0);
	blocks_take(held, ARRAY_LEN(held), 10000);
	// Each is larger than what lies between two samples ten times over.
	assert_in_range(sampled(&text), ARRAY_LEN(held) / 2, ARRAY_LEN(held) + 20);
	assert_int_equal(strncmp(text, "heap_v2/1024\n", 13), 0);
	assert_non_null(strstr(text, "\nMAPPED_LIBRARIES:\n"));
	assert_non_null(strstr(text, "unit-cp-memory"));
	assert_non_null(strstr(strstr(text, "\nSITES:\n"), "\n- ")); // of a library
	free(text);
	// The same rate once more: nothing is forgotten.
	assert_int_equal(heap_profile(true, 10), 0);
	assert_in_range(sampled(&text), ARRAY_LEN(held) / 2, ARRAY_LEN(held) + 20);
	free(text);
	assert_int_equal(heap_profile(false, 0), 0);
	heap_read(&stats);
	assert_false(stats.profiles);
	assert_int_equal(stats.sample, 1024);
	blocks_free(held, ARRAY_LEN(held));
}

struct quiet {
	sem_t has_drawn, go;
	char *held[64];
};

static void *quiet_run(void *arg)
{
	struct quiet *q = arg;
	blocks_take(q->held, 1, 100);
	blocks_free(q->held, 1);
	sem_post(&q->has_drawn);
	sem_wait(&q->go);
	blocks_take(q->held, ARRAY_LEN(q->held), 10000);
	return NULL;
}

// It has drawn a distance of some 16 MiB, and allocates far less afterwards.
TEST(a_quiet_thread_follows_another_rate)
{
	struct quiet q;
	pthread_t thread;
	char *text;
	if (!profiles_are_there())
		skip();
	assert_int_equal(heap_profile(true, HEAP_SAMPLE_LG_MAX), 0);
	sem_init(&q.has_drawn, 0, 0);
	sem_init(&q.go, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, quiet_run, &q), 0);
	sem_wait(&q.has_drawn);
	assert_int_equal(heap_profile(true, 10), 0);
	sem_post(&q.go);
	pthread_join(thread, NULL);
	assert_in_range(sampled(&text), ARRAY_LEN(q.held) / 2, ARRAY_LEN(q.held) + 20);
	free(text);
	blocks_free(q.held, ARRAY_LEN(q.held));
	assert_int_equal(heap_profile(true, HEAP_SAMPLE_LG), 0);
}

// Bytes of all sites.
static uint64_t counted(void)
{
	const struct heap_site *sites[HEAP_SITES_MAX];
	uint64_t bytes = 0;
	for (unsigned i = heap_sites(sites, HEAP_SITES_MAX); i > 0; i--)
		bytes += atomic_load(&sites[i - 1]->bytes);
	return bytes;
}

enum { SMALL_BLOCKS = 8192, SMALL_BYTES = 200 };

// jemalloc gives each sampled block 16 KiB: that was over 60 MiB in no account.
TEST(sampled_blocks_are_in_their_accounts)
{
	static char *held[SMALL_BLOCKS];
	if (!profiles_are_there())
		skip();
	assert_int_equal(heap_profile(true, HEAP_SAMPLE_LG_MIN), 0);
	heap_read(&stats);
	const uint64_t before = stats.allocated, profiler = stats.profiler;
	const uint64_t cached = stats.threads_cached, counted_before = counted();
	blocks_take(held, SMALL_BLOCKS, SMALL_BYTES);
	heap_read(&stats);
	const uint64_t bytes = counted() - counted_before;
	assert_in_range(bytes, SMALL_BLOCKS * SMALL_BYTES, SMALL_BLOCKS * SMALL_BYTES * 2);
	assert_in_range(stats.allocated + cached, before + bytes - (256 << 10),
		before + bytes + stats.threads_cached + (256 << 10));
	assert_true(stats.profiler > profiler + 8 * bytes);
	blocks_free(held, SMALL_BLOCKS);
	heap_read(&stats);
	assert_true(stats.profiler < profiler + (1 << 20));
	assert_int_equal(heap_profile(true, HEAP_SAMPLE_LG), 0);
}

// What this process writes to stderr as jemalloc gives it `text`.
static const char *written_at(const char *text)
{
	static char got[128];
	int ends[2], saved = dup(STDERR_FILENO);
	assert_true(saved >= 0 && pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	malloc_message(NULL, text);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	ssize_t n = read(ends[0], got, sizeof(got) - 1);
	got[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	close(ends[1]);
	close(saved);
	return got;
}

// A jemalloc that cannot profile refuses these options of weir's own; that is no news. All else is.
TEST(only_news_is_written)
{
	static const char *const news[] = {"<jemalloc>: Invalid conf pair: narenas:4\n",
		"<jemalloc>: Invalid conf pair: prof:false\n",
		"<jemalloc>: Invalid conf pair: prof\n",
		"<jemalloc>: Out-of-range conf value: prof:true\n", "<jemalloc>: Error\n", ""};
	if (!jemalloc_is_there())
		skip();
	assert_string_equal(written_at("<jemalloc>: Invalid conf pair: prof:true\n"), "");
	assert_string_equal(written_at("<jemalloc>: Invalid conf pair: prof_stats:true\n"), "");
	assert_string_equal(written_at("<jemalloc>: Invalid conf pair: lg_prof_sample:19\n"), "");
	for (unsigned i = 0; i < ARRAY_LEN(news); i++)
		assert_string_equal(written_at(news[i]), news[i]);
}
