// SPDX-License-Identifier: BSD-3-Clause

// A thread's stack has no name: it lies above the guard that glibc leaves, whose size is that of
// the machine's pages.

#include "dataplane/core/mem/mem_process.h"
#include "tests/unit/page_fake.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <weir/page.h>

// What a mapping of 1 MiB is that lies `guard` bytes of no rights, and `gap` of none, above 1 GiB.
static enum mem_map_kind kind_above(uint64_t guard, uint64_t gap)
{
	const uint64_t at = 1 << 30, stack = at + guard + gap;
	uint64_t guard_end = 0;
	char line[128];
	struct mem_map m;
	snprintf(line, sizeof(line), "%" PRIx64 "-%" PRIx64 " ---p 00000000 00:00 0 \n", at,
		at + guard);
	assert_true(mem_map_parse(line, &guard_end, &m));
	snprintf(line, sizeof(line), "%" PRIx64 "-%" PRIx64 " rw-p 00000000 00:00 0 \n", stack,
		stack + (1 << 20));
	assert_true(mem_map_parse(line, &guard_end, &m));
	return mem_map_kind(&m);
}

TEST(a_stack_lies_above_a_guard)
{
	static const size_t pages[] = {4096, 16384, 65536};
	for (unsigned i = 0; i < ARRAY_LEN(pages); i++) {
		page_fake(pages[i]);
		const uint64_t guard = mem_map_guard();
		assert_true(guard >= pages[i] && guard % pages[i] == 0);
		assert_int_equal(kind_above(guard, 0), MEM_MAP_stacks);
		assert_int_equal(kind_above(guard, pages[i]), MEM_MAP_anonymous);
		assert_int_equal(kind_above(2 * guard, 0), MEM_MAP_anonymous);
	}
	page_fake(0);
}

static void *stays(void *arg)
{
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	return NULL;
}

static unsigned stacks_now(void)
{
	uint64_t guard_end = 0;
	unsigned n = 0;
	char line[1024];
	struct mem_map m;
	FILE *f = fopen("/proc/self/maps", "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += mem_map_parse(line, &guard_end, &m) && mem_map_kind(&m) == MEM_MAP_stacks;
	fclose(f);
	return n;
}

// The guard is what this machine's glibc leaves.
TEST(a_thread_has_one_stack_more)
{
	pthread_barrier_t both;
	pthread_t thread;
	const unsigned before = stacks_now();
	assert_int_equal(pthread_barrier_init(&both, NULL, 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, stays, &both), 0);
	pthread_barrier_wait(&both);
	assert_int_equal(stacks_now(), before + 1);
	pthread_barrier_wait(&both);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_barrier_destroy(&both);
}
