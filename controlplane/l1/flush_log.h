// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The flushes of the last FLUSH_REMEMBER_MS, so that flushed answers do not come back: an answer to
// an earlier question that arrives after the flush, or a value in Redis that is about to be
// deleted. A fixed ring; when the oldest is evicted early, all that is older than it counts as
// flushed (weir may store too little, never too much). Resolver loop's thread only.

#include "flush.h"

enum {
	FLUSH_LOG_MAX = 256,
	FLUSH_REMEMBER_MS = 15000, // longer than a question lives and a flush of L1 takes
};

struct flush_log_entry {
	uint64_t at_ms;
	struct flush flush;
};

struct flush_log {        // starts zeroed
	uint64_t count;   // ever
	uint64_t lost_ms; // of the newest one that made place early
	uint64_t lost;    // that did, ever
	struct flush_log_entry entry[FLUSH_LOG_MAX];
};

void flush_log_add(struct flush_log *l, const struct flush *f, uint64_t now_ms);
// Was the name flushed at `since_ms` or later? Costs nothing while there was no flush lately.
bool flush_log_covers(
	const struct flush_log *l, const struct dns_name *name, uint64_t since_ms, uint64_t now_ms);
uint64_t flush_log_since(const struct flush_log *l, uint64_t now_ms); // the oldest; 0: none
unsigned flush_log_used(const struct flush_log *l, uint64_t now_ms);
