// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The turns that are measured and never serve: tests/bench/bench_path.c, and bench.h.
//
// A timed turn reads the TSC once per stage and batch and adds what passed to the stage; a metered
// one only between rx and the rest, so that it costs what the product's costs. worker_turn is the
// same code with no counters to fill: the compiler drops the reads.
// A reflecting turn receives, swaps the addresses and sends: what rx and tx cost by themselves on
// the port and the machine at hand, and so the measure for everything else.

#include "dataplane/stage/stage_cycles.h"

// One turn as worker_turn's, its stages' cycles added to `c`. Turns without a frame add nothing.
unsigned worker_turn_timed(struct worker *w, unsigned port_index, struct stage_cycles *c);

// The same, of the stages' cycles only those of rx.
unsigned worker_turn_metered(struct worker *w, unsigned port_index, struct stage_cycles *c);

// Every frame back to where it came from, MAC, IPv4 or IPv6 and UDP addresses swapped, checksums
// and all the rest as they are, measured as in worker_turn_metered. Number of frames received.
unsigned worker_turn_reflect(struct worker *w, unsigned port_index, struct stage_cycles *c);
