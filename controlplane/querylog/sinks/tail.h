// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rows as they come, for `log tail`: a sink of the query log that gives each reader the rows that
// pass its filter, as lines of JSON (row_text.h).
//
// Bounds: TAIL_READERS_MAX readers, TAIL_BUFFER_MAX bytes each, allocated while there is a reader.
// When a reader's buffer is full it misses rows, which are counted (`missed`); the log thread never
// waits. api_log.c closes a reader that reads nothing, which tail_leave counts.
//
// The sink runs on the log thread; one other thread calls the other functions. One lock, held for
// the copy of a line, of a buffer or of the filters, never while rows are filtered or formatted.

#include "querylog/querylog.h"
#include "querylog/store/query_search.h"

enum { TAIL_READERS_MAX = 4, TAIL_BUFFER_MAX = 256 * 1024 };

struct tail;

struct tail_filter {                     // "" matches all rows
	char name[QUERY_NAME_TEXT_MAX];  // the name and all names below it
	char client[QUERY_TEXT_MAX];     // address or name
	char verdict[QUERY_TEXT_MAX];    // the whole word; "blocked": all blocked queries
	char validation[QUERY_TEXT_MAX]; // a word of querylog_validation_names
	char group[QUERY_TEXT_MAX];      // CONFIG_EVERYONE: clients without a group
};

ATTR_MUST_CHECK int tail_open(struct tail **out); // -ENOMEM
void tail_free(struct tail *t);                   // NULL is fine; no reader is left
struct querylog_sink tail_sink(struct tail *t);

// -EUSERS: TAIL_READERS_MAX readers are there already (counted); -ENOMEM.
ATTR_MUST_CHECK int tail_join(struct tail *t, const struct tail_filter *f, unsigned *reader);
void tail_leave(struct tail *t, unsigned reader, bool is_cut);
// Copies the whole lines since the last call into `out` of TAIL_BUFFER_MAX bytes; `*missed`: rows
// missed after them. Returns the bytes written.
size_t tail_take(struct tail *t, unsigned reader, char *out, uint64_t *missed);

struct tail_counts {
	unsigned readers;
	uint64_t joined, refused, cut; // readers
	uint64_t rows, missed;         // given to readers, and left out
};
void tail_counts(struct tail *t, struct tail_counts *out);
