// SPDX-License-Identifier: BSD-3-Clause

// The cost of a start that finds the cache of an earlier run in another size: full tables of 64 and
// 256 MiB copied into one of twice, then of half their size, in CPU time, the fastest and the
// slowest of three. The resolver gives it 600 ms (resolver.c).

#include "tests/unit/core/l0/l0_fixture.h"

#include <stdio.h>
#include <time.h>

enum { NOW_MS = 5000, STEP_BUCKETS = 4096, MEAN_UNITS = 3, RUNS = 3, ANSWER_LEN = 16 };

static uint32_t fill(struct box *b)
{
	struct l0_writer_stats s;
	uint32_t id = 0;
	do {
		if (box_put(b, id++, 1, ANSWER_LEN, 1000, 1 << 20) != 0)
			break;
		l0_writer_stats(b->w, &s);
	} while (s.evicted_space == 0);
	l0_writer_stats(b->w, &s);
	return (uint32_t)s.entries;
}

// What else runs on the machine does not count.
static uint64_t cpu_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static bool copy(const struct box *from, uint64_t bytes, uint64_t *took_us, struct l0_copy *c)
{
	struct box to;
	struct l0_reader r;
	*c = (struct l0_copy){0};
	if (!box_open(&to, bytes, MEAN_UNITS) || l0_reader_init(&r, from->base, from->size) != 0)
		return false;
	uint64_t start_us = cpu_us();
	while (!l0_writer_copy(to.all, &r, NOW_MS, c, STEP_BUCKETS))
		;
	*took_us = cpu_us() - start_us;
	box_close(&to);
	return true;
}

int main(void)
{
	static const uint64_t sizes[] = {64, 256};
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		struct box b;
		if (!box_open(&b, sizes[i] << 20, MEAN_UNITS))
			return 1;
		uint32_t entries = fill(&b);
		for (int twice = 1; twice >= 0; twice--) {
			uint64_t least = UINT64_MAX, most = 0;
			struct l0_copy c;
			for (unsigned run = 0; run < RUNS; run++) {
				uint64_t us;
				if (!copy(&b, twice ? sizes[i] << 21 : sizes[i] << 19, &us, &c))
					return 1;
				least = us < least ? us : least;
				most = us > most ? us : most;
			}
			printf("%llu MiB, %u records, to %s: %llu copied, %llu to %llu ms\n",
				(unsigned long long)sizes[i], entries, twice ? "twice" : "half",
				(unsigned long long)c.copied, (unsigned long long)least / 1000,
				(unsigned long long)most / 1000);
			if (c.copied == 0 || (twice && c.copied < entries - entries / 20))
				return 1;
		}
		box_close(&b);
	}
	return 0;
}
