// SPDX-License-Identifier: BSD-3-Clause
// Profiles of this process: CPU time, allocations and threads are found in their functions, in the
// formats that pprof reads.

#include "controlplane/memory/profile.h"
#include "controlplane/memory/stacks.h"
#include "tests/unit/unit.h"

#include <semaphore.h>
#include <weir/heap_site.h>
#include <weir/thread.h>

enum { FUNCTION_BYTES = 512 };

static bool is_in(const void *function, uint64_t address)
{
	uint64_t start = (uint64_t)(uintptr_t)function;
	return address > start && address < start + FUNCTION_BYTES;
}

// Is one of the addresses of a text in the function?
static bool text_names(const char *text, const void *function)
{
	for (const char *at = text; (at = strstr(at, " 0x")); at += 3)
		if (is_in(function, strtoull(at + 3, NULL, 16)))
			return true;
	return false;
}

TEST(equal_stacks_are_one)
{
	struct stacks *t = calloc(1, sizeof(*t));
	void *a[] = {a, a + 1}, *b[] = {a, a + 2};
	unsigned count = 0;
	assert_non_null(t);
	for (unsigned i = 0; i < 3; i++)
		stacks_add(t, a, 2, 100);
	stacks_add(t, b, 2, 7);
	stacks_add(t, a, 1, 1);
	assert_int_equal(t->used, 3);
	for (unsigned i = 0; i < STACKS_MAX; i++) {
		const struct stack *s = stacks_at(t, i);
		if (!s)
			continue;
		count++;
		assert_int_equal(s->bytes, s->depth == 1 ? 1 : s->frame[1] == a + 1 ? 300 : 7);
		assert_int_equal(s->count, s->bytes == 300 ? 3 : 1);
	}
	assert_int_equal(count, 3);
	free(t);
}

TEST(a_full_table_counts_what_it_lost)
{
	struct stacks *t = calloc(1, sizeof(*t));
	assert_non_null(t);
	for (uintptr_t i = 1; i <= 3 * STACKS_MAX; i++)
		stacks_add(t, (void *[]){(void *)i}, 1, 1); // NOLINT
	assert_in_range(t->used, STACKS_MAX / 2, STACKS_MAX);
	assert_int_equal(t->used + t->lost, 3 * STACKS_MAX);
	free(t);
}

__attribute__((noinline)) void *test_allocates(size_t n);
void *test_allocates(size_t n)
{
	void *p = heap_libevent_malloc(n);
	__asm__ volatile("" : "+r"(p));
	return p;
}

TEST(allocations_are_in_their_functions)
{
	char *text;
	size_t len;
	profile_alloc_start();
	for (unsigned i = 0; i < 16; i++)
		heap_free(test_allocates(16 << 20));
	assert_int_equal(profile_alloc(&text, &len), 0);
	assert_int_equal(strlen(text), len);
	unsigned long count = 0, bytes = 0;
	assert_int_equal(
		sscanf(text, "heap profile: 0: 0 [ %lu: %lu] @ heap_v2/524288\n", &count, &bytes),
		2);
	assert_int_equal(count, 16);
	assert_int_equal(bytes, 16UL * (16 << 20));
	assert_true(text_names(text, test_allocates));
	assert_non_null(strstr(text, "\nMAPPED_LIBRARIES:\n"));
	free(text);
	struct profile_alloc_counts c;
	profile_alloc_count(&c);
	assert_in_range(c.used, 1, 16);
}

struct waiter {
	sem_t there, go;
};

__attribute__((noinline)) void *test_waits(void *arg);
void *test_waits(void *arg)
{
	struct waiter *w = arg;
	sem_post(&w->there);
	while (sem_wait(&w->go) < 0 && errno == EINTR)
		;
	return w;
}

TEST(a_thread_says_where_it_waits)
{
	struct waiter w;
	pthread_t thread;
	char *text;
	size_t len;
	sem_init(&w.there, 0, 0);
	sem_init(&w.go, 0, 0);
	assert_int_equal(thread_start(&thread, "waiter", test_waits, &w), 0);
	sem_wait(&w.there);
	assert_int_equal(profile_threads(&text, &len), 0);
	sem_post(&w.go);
	pthread_join(thread, NULL);
	assert_int_equal(strlen(text), len);
	assert_int_equal(strncmp(text, "threads profile: total ", 23), 0);
	const char *waiter = strstr(text, "\n# waiter id ");
	assert_non_null(waiter);
	assert_non_null(strstr(waiter, "\n1 @ 0x"));
	assert_true(text_names(waiter, test_waits));
	assert_non_null(strstr(text, ": takes this profile\n"));
	free(text);
}

static _Atomic bool busy_ends;

__attribute__((noinline)) void *test_is_busy(void *arg);
void *test_is_busy(void *arg)
{
	volatile unsigned n = 0;
	while (!busy_ends)
		n++;
	return arg;
}

// Samples of the whole profile, and whether one of them is in the busy function.
static uint64_t words_read(const char *text, size_t len, bool *is_named)
{
	const uint64_t *word = (const uint64_t *)(const void *)text, *end = word + len / 8;
	uint64_t samples = 0;
	assert_true(len > 8 * sizeof(*word));
	assert_memory_equal(word, ((uint64_t[]){0, 3, 0, PROFILE_PERIOD_US, 0}), 40);
	for (word += 5; word + 2 < end && word[0]; word += 2 + word[1]) {
		samples += word[0];
		*is_named |= is_in(test_is_busy, word[2]);
	}
	assert_memory_equal(word, ((uint64_t[]){0, 1, 0}), 24);
	return samples;
}

TEST(time_is_in_the_busy_function)
{
	static const _Atomic bool stop = false;
	pthread_t thread;
	bool is_named = false;
	uint64_t samples = 0;
	assert_int_equal(thread_start(&thread, "busy", test_is_busy, NULL), 0);
	for (unsigned i = 0; i < 20 && !is_named; i++) {
		char *text;
		size_t len;
		assert_int_equal(profile_cpu(1, &stop, &text, &len), 0);
		samples += words_read(text, len, &is_named);
		free(text);
	}
	busy_ends = true;
	pthread_join(thread, NULL);
	assert_true(is_named);
	assert_true(samples > 0);
	raise(SIGPROF); // one that comes late does nothing
}

TEST(a_stopped_profile_is_whole)
{
	static const _Atomic bool stop = true;
	char *text;
	size_t len;
	bool is_named = false;
	assert_int_equal(profile_cpu(100, &stop, &text, &len), 0);
	assert_int_equal(words_read(text, len, &is_named), 0);
	free(text);
}
