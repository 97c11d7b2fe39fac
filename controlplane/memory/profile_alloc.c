// SPDX-License-Identifier: BSD-3-Clause
#include "profile.h"
#include "profile_out.h"
#include "stacks.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { SAMPLE = 512 << 10 };

static struct stacks *made; // NULL: not started

// Random distances give each byte the same chance to be sampled, even if the program allocates in
// step with the samples.
static uint64_t distance_draw(void)
{
	static __thread uint64_t state;
	if (!state)
		state = clock_mono_ms() * 0x9e3779b97f4a7c15 ^ (uint64_t)(uintptr_t)&state;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	double part = (double)((state >> 11) + 1) / (double)(UINT64_C(1) << 53);
	return (uint64_t)(-log(part) * SAMPLE) + 1;
}

// Called by heap_sampling.c for a function of heap_site.c, which is left out too.
static uint64_t on_sample(size_t n)
{
	void *frame[STACK_DEPTH_MAX];
	if (n) {
		unsigned depth = stack_take(frame, __builtin_return_address(0), false);
		if (depth > 1)
			stacks_add(made, frame + 1, depth - 1, n);
	}
	return distance_draw();
}

void profile_alloc_start(void)
{
	stack_prepare();
	made = heap_calloc(1, sizeof(*made));
	if (made)
		heap_sampling_start(on_sample);
}

void profile_maps_write(FILE *f)
{
	char line[1024];
	FILE *maps = fopen("/proc/self/maps", "re");
	while (maps && fgets(line, sizeof(line), maps))
		fputs(line, f);
	if (maps)
		fclose(maps);
}

int profile_finish(FILE *f, char **out, int rc)
{
	if (fclose(f) != 0 && rc == 0)
		rc = -ENOMEM;
	if (rc < 0)
		FREE_AND_NULL(*out);
	return rc;
}

static void stack_write(FILE *f, const struct stack *s)
{
	fprintf(f, "%6d: %8d [%6" PRIu64 ": %8" PRIu64 "] @", 0, 0,
		atomic_load_explicit(&s->count, memory_order_relaxed),
		atomic_load_explicit(&s->bytes, memory_order_relaxed));
	for (unsigned i = 0; i < s->depth; i++)
		fprintf(f, " 0x%016" PRIxPTR, (uintptr_t)s->frame[i]);
	fputc('\n', f);
}

int profile_alloc(char **out, size_t *len)
{
	FILE *f = open_memstream(out, len);
	if (!f)
		return -ENOMEM;
	uint64_t count = 0, bytes = 0;
	const unsigned count_max = made ? STACKS_MAX : 0;
	for (unsigned i = 0; i < count_max; i++) {
		const struct stack *s = stacks_at(made, i);
		count += s ? atomic_load_explicit(&s->count, memory_order_relaxed) : 0;
		bytes += s ? atomic_load_explicit(&s->bytes, memory_order_relaxed) : 0;
	}
	fprintf(f, "heap profile: %6d: %8d [%6" PRIu64 ": %8" PRIu64 "] @ heap_v2/%d\n", 0, 0,
		count, bytes, SAMPLE);
	for (unsigned i = 0; i < count_max; i++)
		if (stacks_at(made, i))
			stack_write(f, stacks_at(made, i));
	fputs("\nMAPPED_LIBRARIES:\n", f);
	profile_maps_write(f);
	return profile_finish(f, out, 0);
}

void profile_alloc_count(struct profile_alloc_counts *out)
{
	*out = (struct profile_alloc_counts){.cap = STACKS_MAX};
	if (!made)
		return;
	stacks_count(made, &out->used, &out->lost);
	out->bytes = sizeof(*made);
}
