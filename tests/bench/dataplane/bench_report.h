// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// From slices to figures: what a worker's query costs, as a ratio to its own reflector.
//
// A reflecting slice and the answering one right behind it are a pair; slices with few frames, with
// batches that are not half full (a packet alone costs other amounts) or without their partner are
// left out and counted. On memif the cost of rx and tx has two levels,
// depending on where the rings' lines lie, and flips every few seconds. So the pairs are sorted by
// the reflector's rx cycles per frame and cut where the two sides are most alike in themselves
// (least squares on the logarithm): near and far. Where the medians of the sides differ by less
// than half, or one side has under a twentieth of the pairs, there was one level only; it is named
// by whether a frame's rx costs more than BENCH_FAR_RX_CYCLES.
//
// Figures of a side are medians over its pairs; `ratio` is the median of the pairs' own ratios, so
// that a slice in which something else had the core counts little. Pure: no DPDK.

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <weir/attr.h>

enum {
	BENCH_BATCH_LEAST = 16,   // of a slice, on average
	BENCH_FRAMES_LEAST = 256, // of a slice
	BENCH_FAR_RX_CYCLES = 60, // between the trial's 33 and 107
};

struct bench_slice {
	uint64_t rx_cycles, busy_cycles; // of turns that received something
	uint32_t frames, turns;
	bool reflected;
};

struct bench_side {
	uint32_t pairs;         // 0: nothing below is set
	double rx;              // cycles a frame in rx, reflecting
	double reflect, answer; // cycles a frame, whole turns
	double ratio;           // reflect to answer
	double batch;           // frames a turn, answering
};

struct bench_figures {
	uint64_t frames_reflected, frames_answered; // in all slices
	uint64_t busy_reflected, busy_answered;     // cycles
	uint32_t slices, left_out;
	bool two_levels;
	struct bench_side near, far;
};

// `slice`: in order of time. -ENOMEM.
ATTR_MUST_CHECK int bench_figures(
	const struct bench_slice *slice, uint32_t count, struct bench_figures *out);
// The members of a JSON object and its closing brace.
void bench_figures_print(FILE *out, const struct bench_figures *f);
