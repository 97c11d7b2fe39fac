// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Zones and clients that met a bound (bounds.h) in the last minutes, the most frequent first, for
// `weirctl status`. Resolver loop's thread.
//
// Space-Saving (Metwally, Agrawal, El Abbadi 2005): a window of BOUND_LOG_SPAN_MS counts
// BOUND_LOG_CAP texts; a new text takes the place and the count of the text with the least count.
// So a text with a sixteenth of the refusals is there, and its count is too high by at most a
// sixteenth of the refusals. Fixed memory; a refusal costs some 0.2 us.

#include "base/table_registry.h"
#include "bounds.h"

#include <stdint.h>

enum {
	BOUND_LOG_CAP = 16,
	BOUND_LOG_SPAN_MS = 300000, // this window and the previous one are shown
	BOUND_TOP_MAX = 8,
	BOUND_WHO_MAX = 128, // bytes of a text with its NUL; a longer text is cut
};

struct bound_met {
	uint8_t bound;
	char who[BOUND_WHO_MAX];
	uint64_t count;
};

struct bound_window {
	uint64_t since_ms; // 0: unused
	unsigned used;
	struct bound_met met[BOUND_LOG_CAP];
};

// A zeroed log is empty.
struct bound_log {
	struct bound_window now, before;
	uint64_t evicted;
};

struct bound_top {
	unsigned count;
	struct bound_met met[BOUND_TOP_MAX]; // largest count first
};

void bound_log_add(struct bound_log *l, enum bound bound, const char *who, uint64_t now_ms);
void bound_log_top(struct bound_log *l, uint64_t now_ms, struct bound_top *out);
// Adds the count of a zone or client of one resolver, so that all resolvers have one list.
void bound_top_add(struct bound_top *top, const struct bound_met *met);
void bound_log_table(const struct bound_log *l, uint64_t now_ms, struct table_registry *tables);
