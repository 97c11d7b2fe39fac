// SPDX-License-Identifier: BSD-3-Clause
#include "ready_hold.h"

static uint64_t wait_of(const struct ready_hold *h)
{
	return h->wait_ms ? h->wait_ms : READY_BACK_MS;
}

static void leave(struct ready_hold *h, uint64_t now_ms)
{
	const bool is_calm = h->left_ms == 0 || now_ms - h->left_ms >= READY_CALM_MS;
	h->wait_ms = is_calm ? READY_BACK_MS : 2 * wait_of(h);
	if (h->wait_ms > READY_BACK_MAX_MS)
		h->wait_ms = READY_BACK_MAX_MS;
	h->is_announced = false;
	h->left_ms = now_ms;
	h->leaves++;
}

void ready_hold_resume(struct ready_hold *h, uint64_t now_ms, const struct ready_hold *former)
{
	if (former->left_ms > now_ms || former->wait_ms > READY_BACK_MAX_MS)
		return;
	h->left_ms = former->left_ms;
	h->wait_ms = former->wait_ms;
	if (former->is_announced)
		leave(h, now_ms);
}

void ready_hold_see(struct ready_hold *h, uint64_t now_ms, bool answers)
{
	if (!answers) {
		h->good_ms = 0;
		h->bad_ms = h->bad_ms ? h->bad_ms : now_ms;
		if (h->is_announced && now_ms - h->bad_ms >= READY_LEAVE_MS)
			leave(h, now_ms);
		return;
	}
	h->bad_ms = 0;
	h->good_ms = h->good_ms ? h->good_ms : now_ms;
	if (now_ms - h->good_ms >= wait_of(h))
		h->is_announced = true;
}

uint64_t ready_hold_back_in_ms(const struct ready_hold *h, uint64_t now_ms)
{
	if (h->is_announced)
		return 0;
	if (h->good_ms == 0)
		return wait_of(h);
	const uint64_t well_ms = now_ms - h->good_ms;
	return well_ms < wait_of(h) ? wait_of(h) - well_ms : 1;
}
