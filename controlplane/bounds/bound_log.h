// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which zones and clients met a bound (bounds.h) in the last minutes, most often first: what
// `weirctl status` shows. Resolver loop's thread.
//
// Space-Saving (Metwally, Agrawal, El Abbadi 2005): a window of BOUND_LOG_SPAN_MS counts
// BOUND_LOG_CAP texts; a text that is not among them takes the place and the count of the one with
// the least. So a text with a sixteenth of the refusals is there, and its count is too high by a
// sixteenth of them at most. Fixed memory; a refusal costs some 0.2 us.

#include "base/table_registry.h"
#include "bounds.h"

#include <stdint.h>

enum {
	BOUND_LOG_CAP = 16,
	BOUND_LOG_SPAN_MS = 300000, // this window and the one before it are shown
	BOUND_TOP_MAX = 8,
	BOUND_WHO_MAX = 128, // bytes of a text, its NUL included; a longer one is cut off
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

// All zero: empty.
struct bound_log {
	struct bound_window now, before;
	uint64_t evicted;
};

struct bound_top {
	unsigned count;
	struct bound_met met[BOUND_TOP_MAX]; // the largest first
};

void bound_log_add(struct bound_log *l, enum bound bound, const char *who, uint64_t now_ms);
void bound_log_top(struct bound_log *l, uint64_t now_ms, struct bound_top *out);
// Adds one more count of a zone or client, so that what several resolvers say is one list.
void bound_top_add(struct bound_top *top, const struct bound_met *met);
void bound_log_table(const struct bound_log *l, uint64_t now_ms, struct table_registry *tables);
