// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// When a generation that the data plane does not activate is published again: after a lag of
// PUBLISH_AGAIN_MS, and while that does not help after twice the wait each time,
// PUBLISH_AGAIN_MAX_MS at most. The file of its region may be damaged or gone, and a data plane
// that starts then goes without it. Of zeros: not waited yet.

#include <stdbool.h>
#include <stdint.h>

enum { PUBLISH_AGAIN_MS = 2000, PUBLISH_AGAIN_MAX_MS = 3600000 };

struct again {
	uint64_t wait_ms, due_ms; // due at that lag; wait_ms: from there to the next
};

// `lag_ms`: for how long it has not been activated; 0: it is.
static inline bool again_due(struct again *a, uint64_t lag_ms)
{
	if (!lag_ms || !a->wait_ms)
		*a = (struct again){.wait_ms = PUBLISH_AGAIN_MS, .due_ms = PUBLISH_AGAIN_MS};
	if (lag_ms < a->due_ms)
		return false;
	a->due_ms = lag_ms + a->wait_ms;
	a->wait_ms = a->wait_ms < PUBLISH_AGAIN_MAX_MS / 2 ? 2 * a->wait_ms : PUBLISH_AGAIN_MAX_MS;
	return true;
}
