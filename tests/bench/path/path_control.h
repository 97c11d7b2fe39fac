// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The control plane's end of worker rings, for the worker of path_rig.h: answers every miss at once
// with four addresses, so that what a miss and its answer cost the worker can be measured on one
// core.

#include <weir/shm_abi.h>
#include <weir/shm_ring.h>

struct path_control {
	struct ring_consumer miss;
	struct ring_producer answer;
	uint64_t answered, bad; // bad: no room, or not a miss
};

// Takes misses off the ring, a turn's worth, and puts their answers on the other. Not to be
// measured.
void path_control_turn(struct path_control *c);
// What an earlier case left on the ring, which nobody read then, and its counts.
void path_control_forget(struct path_control *c);
