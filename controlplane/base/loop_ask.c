// SPDX-License-Identifier: BSD-3-Clause
#include "loop_ask.h"

#include <errno.h>
#include <weir/heap_site.h>

int loop_ask(struct loop *l, void *block)
{
	const struct loop_ask *ask = block;
	int rc = ask ? loop_call(l, ask->work, block) : -ENOMEM;
	if (rc < 0)
		heap_free(block);
	return rc;
}

static void deliver(void *arg)
{
	struct loop_ask *block = arg;
	block->deliver(block);
	heap_free(block);
}

void loop_answer(struct loop_ask *block)
{
	loop_call_back(block->reply_to, &block->back, deliver, block);
}
