// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many queries are told SERVFAIL while nobody is known to be allowed to ask: without a policy
// image there are no limits for clients, and an answer to each forged query would make a reflector.
// One a millisecond, CLOSED_BURST at once, of each worker and of the frontend; the rest is dropped.

#include "attr.h"

#include <stdbool.h>
#include <stdint.h>

enum { CLOSED_BURST = 100 };

struct closed_pace {
	uint64_t full_at_ms; // when the bucket is full again
};

ATTR_INLINE bool closed_pace_take(struct closed_pace *p, uint64_t now_ms)
{
	if (p->full_at_ms < now_ms)
		p->full_at_ms = now_ms;
	if (p->full_at_ms - now_ms >= CLOSED_BURST)
		return false;
	p->full_at_ms++;
	return true;
}
