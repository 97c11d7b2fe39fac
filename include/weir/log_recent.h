// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Errors and warnings that this process wrote lately, by kind: what log_line was given, counted by
// its format, with the newest text. Also those that the limit of lines kept from the log.
//
// LOG_RECENT_MAX kinds; one more takes the place of the one that is longest ago (counted). A kind's
// id is a hash of its format: the same in every process, run and version until somebody words it
// anew. One lock, held for a copy; any thread that may log.

#include "log.h"

enum { LOG_RECENT_MAX = 64, LOG_RECENT_TEXT_MAX = 232 };

struct log_recent {
	uint32_t id;
	uint32_t level; // enum log_level
	uint64_t count; // times, since the kind came into the table
	int64_t first_unix_ms, last_unix_ms;
	char text[LOG_RECENT_TEXT_MAX]; // of the last one, perhaps cut
};

// log_line does this.
void log_recent_add(enum log_level level, const char *fmt, const char *text);
uint32_t log_recent_id(const char *fmt);
// Newest first; their number, at most `max`. `*replaced`: kinds that had to go; may be NULL.
unsigned log_recent_copy(struct log_recent *out, unsigned max, uint64_t *replaced);
// Grows with each log_recent_add.
uint64_t log_recent_changes(void);

struct log_recent_counts {
	unsigned used;
	uint64_t replaced;
	uint64_t bytes; // reserved, for the whole life
};
void log_recent_counts(struct log_recent_counts *out);
