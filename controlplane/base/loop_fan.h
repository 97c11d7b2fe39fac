// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One question for several loops, and the answers together on their way back.
//
// As loop_ask.h: the caller allocates a block that begins with struct loop_fan and holds what is
// asked and each loop's part of the answer. `work` runs once on each loop, at the same time, and
// writes that part alone. When all have returned, `deliver` runs on `reply_to`; the block is freed
// when nothing of it is on its way. Any thread may ask. Only the first loop's mailbox can refuse,
// before anything was sent: the other loops are called by way of the block itself, which needs no
// room.
//
// A loop that hangs by `hangs` is not asked. One that begins to hang while it is asked is waited
// for until `hangs` says so, if another is back. `deliver` reads only the parts that
// loop_fan_is_back names, one at least: a loop that returns later still writes into its own.

#include "loop.h"
#include "wheel.h"

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
	bool (*hangs)(const void *block, unsigned loop); // any thread; NULL: all are waited for
	// loop_fan.c's, and reply_to's alone once it is sent.
	unsigned asked, back; // a bit of each loop
	unsigned references;  // parts that are on their way, and the begin of the looks
	bool delivered;
	struct wheel_timer look; // at those that hang
	struct loop_return begin;
	struct loop_fan_part part[LOOP_FAN_MAX];
};

static inline bool loop_fan_is_back(const struct loop_fan *f, unsigned loop)
{
	return f->back >> loop & 1;
}

// From 1 to LOOP_FAN_MAX loops. Takes the block, also on error. -ENOMEM: it is NULL; -EAGAIN: the
// first loop's mailbox is full; -ETIMEDOUT: all of them hang.
ATTR_MUST_CHECK int loop_fan(struct loop *const *loops, unsigned count, void *block);
