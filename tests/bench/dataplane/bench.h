// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// bench_dataplane --bench reflect|alternate: a worker that measures itself on its real port.
//
// Reflecting, it sends each frame back with its addresses swapped and answers nothing: what rx and
// tx cost by themselves. Alternating, it does that and its real work in slices of 5 ms in turn, so
// that the ratio of the two holds for the machine and the minute at hand. The worker's loop is the
// product's with another worker_turn (bench_main.c); the turn that answers is the product's with
// one more reading of the TSC. What a slice cost is kept in a table made before the start:
// BENCH_SLICES_MAX slices (160 s), then the oldest are overwritten. A turn of over a hundredth of a
// slice (50 us) was interrupted by something else on the core: counted, and left out.
//
// Only for ports without a network behind them (memif, net_pcap, net_ring, net_null) unless that is
// asked for, because half of all queries get no answer. One struct per worker, its lcore's alone
// while it runs; bench_report.h tells the result afterwards.

#include "bench_report.h"
#include "bench_turns.h"

enum { BENCH_SLICE_MS = 5, BENCH_SLICES_MAX = 32768, BENCH_INTERRUPTED = 100 };

struct bench {
	struct worker *w;
	bool alternate, reflecting;
	uint64_t slice_tsc;         // length of a slice
	uint64_t slice_end_tsc;     // 0: none has begun
	struct stage_cycles cycles; // of the current slice
	struct bench_slice *slice;  // BENCH_SLICES_MAX
	uint64_t slices;            // since the start
	uint64_t interrupted;       // turns
};

// "reflect" or "alternate"; -EINVAL.
ATTR_MUST_CHECK int bench_mode_parse(const char *text, enum bench_mode *out);
// NULL, or the device string of the first port that a network may be behind.
const char *bench_live_port(const struct config_dataplane *c);

// `slice_tsc`: cycles of a slice. -ENOMEM.
ATTR_MUST_CHECK int bench_init(
	struct bench *b, struct worker *w, enum bench_mode mode, uint64_t slice_tsc);
// After the workers have returned: one line of JSON on stdout with the figures of each, and frees.
void bench_finish(struct bench *b, unsigned workers, uint64_t tsc_hz);

void bench_tick(struct bench *b);
unsigned bench_turn(struct bench *b, unsigned port_index); // frames received

// The slices in order of time, and how many of them; the table is turned round for that.
const struct bench_slice *bench_slices(struct bench *b, uint32_t *count);
