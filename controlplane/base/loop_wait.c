// SPDX-License-Identifier: BSD-3-Clause
#include "loop_wait.h"

#include <limits.h>
#include <weir/clock.h>

static void end(struct loop_wait *w)
{
	wheel_stop(&w->look);
	w->then(w->arg);
}

static bool rest_hangs(const struct loop_wait *w)
{
	for (unsigned i = 0; i < sizeof(w->left) * CHAR_BIT; i++)
		if ((w->left >> i & 1) && !w->hangs(w->arg, i))
			return false;
	return true;
}

static void look_again(struct loop_wait *w);

static void on_look(void *arg)
{
	struct loop_wait *w = arg;

	if (!rest_hangs(w)) {
		look_again(w);
		return;
	}
	atomic_store_explicit(&w->late, w->left, memory_order_relaxed);
	w->left = 0;
	end(w);
}

static void look_again(struct loop_wait *w)
{
	w->look.fn = on_look;
	w->look.arg = w;
	wheel_start(loop_wheel(w->loop), &w->look, LOOP_WAIT_LOOK_MS, clock_mono_ms());
}

void loop_wait_begin(struct loop_wait *w, unsigned count)
{
	w->left = (1U << count) - 1;
	if (w->hangs)
		look_again(w);
}

void loop_wait_done(struct loop_wait *w, unsigned part)
{
	const unsigned bit = 1U << part;

	// Behind what the part has written: who reads that none is late sees it.
	if (!(w->left & bit)) {
		atomic_fetch_and_explicit(&w->late, ~bit, memory_order_release);
		return;
	}
	w->left &= ~bit;
	if (w->left == 0)
		end(w);
}
