// SPDX-License-Identifier: BSD-3-Clause

// A file of its own: tests/bench/dataplane replaces only worker_turn.

#include "turn.h"

// A turn that times each stage: one batch in STATS_STAGE_SAMPLE has it.
static __attribute__((noinline)) unsigned turn_by_stage(struct worker *w, unsigned port_index)
{
	struct stage_cycles c = {0};
	unsigned frames = turn_run(w, port_index, LAPS_ALL, &c);
	for (unsigned s = 0; frames && s < STAGE_COUNT; s++)
		took_live_add(&w->stats->stage[s], turn_ns(w, c.cycles[s]), 1);
	if (frames)
		w->until_timed = w->watching ? 0 : STATS_STAGE_SAMPLE;
	return frames;
}

unsigned worker_turn(struct worker *w, unsigned port_index)
{
	return likely_(w->until_timed) ? turn_run(w, port_index, LAPS_NONE, NULL)
				       : turn_by_stage(w, port_index);
}
