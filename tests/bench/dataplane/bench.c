// SPDX-License-Identifier: BSD-3-Clause
#include "bench.h"

#include <rte_cycles.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/log.h>

int bench_mode_parse(const char *text, enum bench_mode *out)
{
	for (int mode = BENCH_REFLECT; mode < BENCH_MODES; mode++) {
		if (strcmp(text, bench_mode_names[mode]) == 0) {
			*out = (enum bench_mode)mode;
			return 0;
		}
	}
	return -EINVAL;
}

static bool is_bench_device(const char *device)
{
	static const char *const drivers[] = {"net_memif", "net_pcap", "net_ring", "net_null"};
	for (unsigned i = 0; i < ARRAY_LEN(drivers); i++) {
		if (strncmp(device, drivers[i], strlen(drivers[i])) == 0)
			return true;
	}
	return false;
}

const char *bench_live_port(const struct config_dataplane *c)
{
	for (unsigned i = 0; i < c->port_count; i++) {
		if (c->ports[i].exception[0] || !is_bench_device(c->ports[i].device))
			return c->ports[i].device;
	}
	return NULL;
}

int bench_init(struct bench *b, struct worker *w, enum bench_mode mode, uint64_t slice_tsc)
{
	struct bench_slice *slice = calloc(BENCH_SLICES_MAX, sizeof(*slice));
	if (!slice)
		return -ENOMEM;
	memset(slice, 0xff, BENCH_SLICES_MAX * sizeof(*slice)); // no page fault later
	*b = (struct bench){
		.w = w,
		.alternate = mode == BENCH_ALTERNATE,
		.reflecting = true,
		.slice_tsc = slice_tsc,
		.slice = slice,
	};
	atomic_store_explicit(&w->stats->bench_mode, mode, memory_order_relaxed);
	return 0;
}

static void slice_end(struct bench *b)
{
	b->slice[b->slices++ % BENCH_SLICES_MAX] = (struct bench_slice){
		.rx_cycles = b->cycles.cycles[STAGE_rx],
		.busy_cycles = b->cycles.busy,
		.frames = (uint32_t)b->cycles.frames,
		.turns = (uint32_t)b->cycles.turns,
		.reflected = b->reflecting,
	};
	b->reflecting ^= b->alternate;
}

void bench_tick(struct bench *b)
{
	uint64_t now = rte_rdtsc();
	if (likely_(now < b->slice_end_tsc))
		return;
	if (b->slice_end_tsc)
		slice_end(b);
	memset(&b->cycles, 0, sizeof(b->cycles));
	b->slice_end_tsc = now + b->slice_tsc;
}

unsigned bench_turn(struct bench *b, unsigned port_index)
{
	// No control plane is beside a bench, and no network that could be flooded.
	b->w->closed = (struct closed_pace){0};
	const struct stage_cycles before = b->cycles;
	unsigned n = b->reflecting ? worker_turn_reflect(b->w, port_index, &b->cycles)
				   : worker_turn_metered(b->w, port_index, &b->cycles);
	if (unlikely_(b->cycles.busy - before.busy > b->slice_tsc / BENCH_INTERRUPTED)) {
		b->cycles = before;
		b->interrupted++;
	}
	return n;
}

static void reverse(struct bench_slice *s, uint32_t from, uint32_t to)
{
	while (from + 1 < to) {
		struct bench_slice was = s[from];
		s[from++] = s[--to];
		s[to] = was;
	}
}

const struct bench_slice *bench_slices(struct bench *b, uint32_t *count)
{
	*count = b->slices < BENCH_SLICES_MAX ? (uint32_t)b->slices : BENCH_SLICES_MAX;
	uint32_t oldest = b->slices > BENCH_SLICES_MAX ? b->slices % BENCH_SLICES_MAX : 0;
	if (oldest) { // rotated left by `oldest`
		reverse(b->slice, 0, oldest);
		reverse(b->slice, oldest, BENCH_SLICES_MAX);
		reverse(b->slice, 0, BENCH_SLICES_MAX);
		b->slices = BENCH_SLICES_MAX;
	}
	return b->slice;
}

static void print_one(struct bench *b, unsigned index)
{
	struct bench_figures f = {0};
	uint32_t count;
	printf("{\"interrupted_turns\": %lu, ", b->interrupted);
	const struct bench_slice *slices = bench_slices(b, &count);
	if (bench_figures(slices, count, &f))
		log_error("no memory for the figures of worker %u", index);
	bench_figures_print(stdout, &f);
}

void bench_finish(struct bench *b, unsigned workers, uint64_t tsc_hz)
{
	printf("{\"bench\": \"%s\", \"tsc_hz\": %lu, \"workers\": [",
		bench_mode_names[b->alternate ? BENCH_ALTERNATE : BENCH_REFLECT], tsc_hz);
	for (unsigned i = 0; i < workers; i++) {
		fputs(i ? ", " : "", stdout);
		print_one(&b[i], i);
		free(b[i].slice);
		b[i].slice = NULL;
	}
	puts("]}");
	fflush(stdout);
}
