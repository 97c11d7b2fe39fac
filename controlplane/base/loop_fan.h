// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One question for several loops, and the answers together on their way back.
//
// As loop_ask.h: the caller allocates a block that begins with struct loop_fan and holds what is
// asked and each loop's part of the answer. `work` runs once on each loop, at the same time, and
// writes that part alone. When all have returned, `deliver` runs on `reply_to` and the block is
// freed. Any thread may ask. Only the first loop's mailbox can refuse, before anything was sent:
// the other loops are called by way of the block itself, which needs no room.

#include "loop.h"

enum { LOOP_FAN_MAX = 8 };

struct loop_fan;

struct loop_fan_part { // loop_fan.c's
	struct loop_fan *fan;
	struct loop_return go, back;
};

struct loop_fan {
	struct loop *reply_to;
	void (*work)(void *block, unsigned loop); // its place among the loops
	void (*deliver)(void *block);
	unsigned left; // loops whose part is not back; reply_to's alone once it is sent
	struct loop_fan_part part[LOOP_FAN_MAX];
};

// From 1 to LOOP_FAN_MAX loops. Takes the block, also on error. -ENOMEM: it is NULL; -EAGAIN: the
// first loop's mailbox is full.
ATTR_MUST_CHECK int loop_fan(struct loop *const *loops, unsigned count, void *block);
