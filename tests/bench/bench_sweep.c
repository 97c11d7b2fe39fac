// SPDX-License-Identifier: BSD-3-Clause

// What a sweep of the marks of many workers costs the resolver's loop, in CPU time: all of it and
// its longest step, and how long a round takes on a loop that pauses 2 ms after each 0.3 ms of
// steps, as the resolver's does. usage: bench_sweep [MIB [WORKERS]]

#include "tests/unit/core/l0/l0_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <weir/shm_abi.h>

enum { NOW_MS = 5000, STEP_BUCKETS = 64, MEAN_UNITS = 3, ANSWER_LEN = 16, MIB = 64, WORKERS = 32 };
enum { SLICE_US = 300, PAUSE_US = 2000 }; // resolver_refresh.c

// What else runs on the machine does not count.
static uint64_t cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint32_t fill(struct box *b)
{
	struct l0_writer_stats s;
	uint32_t id = 0;
	do {
		if (box_put(b, id++, 1, ANSWER_LEN, 1 << 20, 1 << 21) != 0)
			break;
		l0_writer_stats(b->w, &s);
	} while (s.evicted_space == 0);
	l0_writer_stats(b->w, &s);
	return (uint32_t)s.entries;
}

// Each worker has hit each 16th record since the last sweep.
static void marks_hit(_Atomic uint8_t *marks, uint32_t units, unsigned worker)
{
	for (uint32_t i = worker % 16; i < units; i += 16)
		atomic_store_explicit(&marks[i], MARK_VISITED | MARK_HIT, memory_order_relaxed);
}

struct swept {
	uint64_t all_us, step_us, slice_us, slices; // step_us and slice_us: the longest
};

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static struct swept sweep(struct box *b)
{
	const struct l0_sweep how = {.now_ms = NOW_MS, .keep_256 = 200, .weigh_256 = 256};
	struct swept s = {0};
	bool done = false;
	while (!done) {
		uint64_t start_us = cpu_us(), at_us = start_us, now_us;
		do {
			done = l0_writer_sweep(b->w, &how, STEP_BUCKETS);
			now_us = cpu_us();
			s.step_us = most(s.step_us, now_us - at_us);
			at_us = now_us;
		} while (!done && now_us - start_us < SLICE_US);
		s.slice_us = most(s.slice_us, now_us - start_us);
		s.all_us += now_us - start_us;
		s.slices++;
	}
	return s;
}

int main(int argc, char **argv)
{
	const uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : MIB;
	const unsigned workers = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : WORKERS;
	_Atomic uint8_t *marks[SHM_WORKERS_MAX];
	struct box b;
	if (workers == 0 || workers > SHM_WORKERS_MAX || !box_open(&b, mib << 20, MEAN_UNITS))
		return 1;
	uint32_t entries = fill(&b), units = l0_writer_reader(b.w)->unit_count;
	for (unsigned i = 0; i < workers; i++) {
		marks[i] = calloc(units, 1);
		if (!marks[i])
			return 1;
		marks_hit(marks[i], units, i);
		l0_writer_set_marks(b.w, i, marks[i]);
	}
	const struct swept s = sweep(&b);
	printf("%llu MiB, %u records, %u workers: sweep %llu ms, longest step %llu us; on a loop "
	       "%.1f s, longest slice %llu us\n",
		(unsigned long long)mib, entries, workers, (unsigned long long)s.all_us / 1000,
		(unsigned long long)s.step_us, (double)(s.all_us + s.slices * PAUSE_US) / 1000000,
		(unsigned long long)s.slice_us);
	box_close(&b);
	for (unsigned i = 0; i < workers; i++)
		free((void *)(uintptr_t)marks[i]);
	return entries == 0;
}
