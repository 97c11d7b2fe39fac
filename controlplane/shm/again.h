// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// When to publish a generation again that the data plane does not activate: after a lag of
// PUBLISH_AGAIN_MS, then each time after twice the wait, PUBLISH_AGAIN_MAX_MS at most. The file of
// its region may be damaged or gone, and a data plane that starts then runs without it. A zeroed
// struct has not waited.

#include <stdbool.h>
#include <stdint.h>

enum { PUBLISH_AGAIN_MS = 2000, PUBLISH_AGAIN_MAX_MS = 3600000 };

struct again {
	uint64_t wait_ms,
		due_ms; // due_ms: the lag at which to publish; wait_ms: from there to the next
};

// Whether to publish now. `lag_ms`: how long the generation has not been activated; 0: it is.
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
