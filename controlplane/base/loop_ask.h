// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A question that one loop leaves for another, and the answer on its way back.
//
// The caller allocates a block that begins with struct loop_ask and holds the question and the
// answer. `work` runs on the other loop and ends in loop_answer, at once or later; then
// `deliver` runs on `reply_to`, and the block is freed. Any thread may ask.

#include "loop.h"

struct loop_ask {
	struct loop *reply_to;
	void (*work)(void *block);
	void (*deliver)(void *block);
	struct loop_return back;
};

// Takes the block, also on error. -ENOMEM: it is NULL; -EAGAIN: the mailbox is full.
ATTR_MUST_CHECK int loop_ask(struct loop *l, void *block);
void loop_answer(struct loop_ask *block);
