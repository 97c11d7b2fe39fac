// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One turn of a worker, inlined: receive, all stages, send. worker.c has the turn that serves, and
// tests/bench/dataplane has the turns that are measured: they differ in a constant of the caller.
// Costs 80 to 250 cycles a query; no lock, no allocation, no system call.

#include "stage/stage_cycles.h"
#include "stage/stages.h"
#include "state/worker.h"

#include <rte_cycles.h>

// A constant of each caller of turn(): the compiler removes measurements that are off.
enum laps { LAPS_NONE, LAPS_RX, LAPS_ALL };

// Adds to stage `s`, which ends here, the cycles since the stage before it ended.
ATTR_INLINE void lap(struct stage_cycles *c, enum laps laps, enum stage s)
{
	if (laps == LAPS_NONE || (laps == LAPS_RX && s != STAGE_rx))
		return;
	uint64_t now = rte_rdtsc();
	c->cycles[s] += now - c->last;
	c->last = now;
}

ATTR_INLINE uint64_t turn_ns(const struct worker *w, uint64_t cycles)
{
	return cycles * w->ns_shifted >> CYCLES_SHIFT;
}

ATTR_INLINE uint64_t verdict_of(const struct worker *w, enum verdict v)
{
	return atomic_load_explicit(&w->stats->verdict[v], memory_order_relaxed);
}

// The growth of the verdicts gives a batch's frames by outcome, so nothing is stored for each
// frame.
ATTR_INLINE void outcomes(struct worker *w, uint64_t cycles, unsigned received)
{
	const uint64_t now[OUTCOME_other] = {
		[OUTCOME_hit] = verdict_of(w, VERDICT_hit) + verdict_of(w, VERDICT_hit_stale),
		[OUTCOME_ruled] = verdict_of(w, VERDICT_blocked)
				  + verdict_of(w, VERDICT_blocked_answer)
				  + verdict_of(w, VERDICT_local) + verdict_of(w, VERDICT_drop_rule),
		[OUTCOME_miss] = verdict_of(w, VERDICT_miss),
	};
	uint64_t ns = turn_ns(w, cycles), other = received;
	for (unsigned o = 0; o < OUTCOME_other; o++) {
		uint64_t frames = now[o] - w->settled[o];
		if (frames == 0)
			continue;
		w->settled[o] = now[o];
		other -= frames;
		took_live_add(&w->stats->outcome[o], ns, frames);
	}
	if (unlikely_(other))
		took_live_add(&w->stats->outcome[OUTCOME_other], ns, other);
}

ATTR_INLINE void meter(struct stage_cycles *c, uint64_t busy, unsigned frames)
{
	c->busy += busy;
	c->frames += frames;
	c->turns++;
}

// No record may be read after the check for an eviction: log and watch use only the replies.
ATTR_INLINE void turn_note(
	struct batch *b, bool watching, unsigned received, const struct stage_cycles *c)
{
	if (unlikely_(b->logs) && log_writer_is_on(&b->w->log))
		stage_log(b, received);
	if (watching)
		stage_watch(b, received, c);
}

ATTR_INLINE unsigned turn_run(
	struct worker *w, unsigned port_index, enum laps laps, struct stage_cycles *c)
{
	// Not cleared: 32 packets are 50 KiB, and each stage fills in what the next one reads.
	struct batch b;
	b.w = w;
	b.port = &w->port[port_index];
	b.tx_count = b.kernel_count = b.drop_count = 0;
	b.asked = 0;
	b.proven = b.proxied = 0;
	const bool watching = laps == LAPS_ALL && w->watching;
	b.logs = log_writer_is_on(&w->log) || watching;

	uint64_t start_tsc = rte_rdtsc();
	stage_rx(&b);
	unsigned received = b.count;
	if (received == 0)
		return 0;
	if (laps)
		c->last = start_tsc;
	b.tables = w->tables;
	b.now_ms = w->now_ms = worker_clock_ms(w);
	batch_see_rules(&b);
	b.control_alive = atomic_load_explicit(&w->control_alive, memory_order_acquire);
	if (unlikely_(b.logs)) {
		b.start_tsc = start_tsc;
		stage_log_begin(&b);
	}
	if (watching)
		stage_watch_begin(&b);
	lap(c, laps, STAGE_rx);
	stage_net(&b);
	lap(c, laps, STAGE_net);
	stage_policy(&b);
	lap(c, laps, STAGE_policy);
	stage_parse(&b);
	lap(c, laps, STAGE_parse);
	stage_rules(&b);
	lap(c, laps, STAGE_rules);
	stage_lookup(&b);
	lap(c, laps, STAGE_lookup);
	stage_miss(&b);
	lap(c, laps, STAGE_miss);
	if (unlikely_(epoch_is_evicted(&w->epoch)))
		stage_drop_replies(&b);
	else
		turn_note(&b, watching, received, c);
	stage_tx(&b);
	if (unlikely_(b.logs))
		stage_log_end(&b);
	lap(c, laps, STAGE_tx);
	uint64_t busy = rte_rdtsc() - start_tsc;
	stats_add(&w->stats->counter[COUNTER_busy_cycles], busy);
	if (unlikely_(busy > w->slow_cycles - 1)) // slow_cycles 0: no turn is slow
		stats_add(&w->stats->counter[COUNTER_frames_slow], received);
	outcomes(w, busy, received);
	w->until_timed--;
	if (laps)
		meter(c, busy, received);
	return received;
}
