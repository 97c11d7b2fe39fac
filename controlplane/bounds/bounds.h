// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The bounds on questions and clients (docs/explanation/floods.md). weir names the bound of each
// refusal to the client, in the query log and to a watch. RFC 8914 has no code for such a bound, so
// the client gets "Other Error" (0) with the bound as its EXTRA-TEXT.

#include <stddef.h>
#include <weir/attr.h>

// X(name, EXTRA-TEXT)
#define BOUNDS_LIST(X)                                                                  \
	X(inflight, "limits.inflight reached")                                          \
	X(zone, "limits.zone_inflight reached")                                         \
	X(suffix, "three quarters of limits.inflight reached below this public suffix") \
	X(question, "limits.waiters reached")                                           \
	X(few, "three quarters of the places for waiting clients taken")                \
	X(waiters, "no room for one more waiting client")                               \
	X(client, "limits.client_waiters reached")

enum bound {
	BOUND_none,
#define X(name, text) BOUND_##name,
	BOUNDS_LIST(X)
#undef X
		BOUNDS
};

// The EXTRA-TEXT of a bound; NULL for BOUND_none.
ATTR_INLINE const char *bound_text(enum bound b)
{
	static const char *const texts[BOUNDS] = {NULL,
#define X(name, text) text,
		BOUNDS_LIST(X)
#undef X
	};
	return texts[b];
}
