// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Recent errors and warnings of this process by kind: calls of log_line, counted by format, with
// the newest text. Also those that the limit of lines kept out of the log.
//
// LOG_RECENT_MAX kinds; one more evicts the kind that was seen longest ago (counted). A kind's id
// is a hash of its format: the same in every process, run and version until the wording changes.
// One lock, held for a copy; any thread that may log.

#include "log.h"

enum { LOG_RECENT_MAX = 64, LOG_RECENT_TEXT_MAX = 232 };

struct log_recent {
	uint32_t id;
	uint32_t level; // enum log_level
	uint64_t count; // times, since the kind came into the table
	int64_t first_unix_ms, last_unix_ms;
	char text[LOG_RECENT_TEXT_MAX]; // text of the last one, perhaps cut
};

// log_line does this.
void log_recent_add(enum log_level level, const char *fmt, const char *text);
uint32_t log_recent_id(const char *fmt);
// Newest first; their number, at most `max`. `*replaced`: kinds that were evicted; may be NULL.
unsigned log_recent_copy(struct log_recent *out, unsigned max, uint64_t *replaced);
// Grows with each log_recent_add.
uint64_t log_recent_changes(void);

struct log_recent_counts {
	unsigned used;
	uint64_t replaced;
	uint64_t bytes; // reserved, for the whole life
};
void log_recent_counts(struct log_recent_counts *out);
