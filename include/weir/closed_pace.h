// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many queries get SERVFAIL while there is no policy image: it has the limits for clients, and
// without them an answer to each forged query would make weir a reflector. Each worker and the
// frontend answer one query a millisecond, CLOSED_BURST at once, and drop the others.

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
