// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many of a batch's rows the query store keeps: a bucket that fills with `max` rows a second
// and holds a second's worth. Pure, of one thread.

#include <stdint.h>

struct query_rate {
	uint64_t max; // rows a second; 0: all are kept
	uint64_t room_milli;
	uint64_t last_ms;
};

static inline void query_rate_start(struct query_rate *r, uint64_t max, uint64_t now_ms)
{
	*r = (struct query_rate){.max = max, .room_milli = max * 1000, .last_ms = now_ms};
}

// N of "one row in N" for `rows` rows, of which ceil(rows / N) are taken off what the bucket holds.
static inline unsigned query_rate_step(struct query_rate *r, unsigned rows, uint64_t now_ms)
{
	if (!r->max || !rows)
		return 1;
	uint64_t past_ms = now_ms > r->last_ms ? now_ms - r->last_ms : 0;
	uint64_t room = r->room_milli + r->max * (past_ms < 1000 ? past_ms : 1000);
	r->last_ms = now_ms;
	if (room > r->max * 1000)
		room = r->max * 1000;
	uint64_t kept = room / 1000 < 1 ? 1 : room / 1000;
	unsigned n = rows <= kept ? 1 : (unsigned)((rows + kept - 1) / kept);
	uint64_t spent = (uint64_t)((rows + n - 1) / n) * 1000;
	r->room_milli = room > spent ? room - spent : 0;
	return n;
}
