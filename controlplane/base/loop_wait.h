// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A wait of one loop for a change that several loops take, each its part of it.
//
// `then` runs once, when all parts are done. A loop that hangs by `hangs` is left out as soon as
// all others are done: its part is late, stays in its mailbox, and the loop takes it when it is
// back. What the change points to must live until then, and no other change may begin.
//
// Owned by the loop `loop`, whose thread alone calls the two functions. Each LOOP_WAIT_LOOK_MS it
// looks at those that are left.

#include "loop.h"
#include "wheel.h"

#include <stdatomic.h>
#include <stdbool.h>

enum { LOOP_WAIT_LOOK_MS = 250 };

struct loop_wait {
	struct loop *loop;
	bool (*hangs)(const void *arg, unsigned part); // NULL: all are waited for
	void (*then)(void *arg);
	void *arg; // of both
	// loop_wait.c's: a bit of each part
	unsigned left;
	_Atomic unsigned late; // any thread may read it
	struct wheel_timer look;
};

// For parts 0 to count - 1, before any of them is sent. Without `hangs` the loop need not run yet.
void loop_wait_begin(struct loop_wait *w, unsigned count);
// A part is done, in time or late.
void loop_wait_done(struct loop_wait *w, unsigned part);
