// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Watched queries of a worker (watch_msg.h), with the steps of the control plane for misses
// (trace.h), as lines of JSON for the watcher.
//
// One watcher at a time, WATCH_BUFFER_MAX bytes of lines, allocated during a watch; queries without
// room are counted and left out, and nothing waits for the watcher. A query that has two parts is
// one line once both have come; WATCH_JOIN_MAX of them wait for their other part, one more evicts
// the query that has waited longest. That one, and a query that is not complete in time, is shown
// incomplete. Messages are of another process: every length is checked. One lock, held for a line
// or the copy of the buffer.

#include "trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/watch_msg.h>

enum {
	WATCH_BUFFER_MAX = 1 << 20,
	WATCH_JOIN_MAX = 128,
	WATCH_FOR_CONTROL_MS = 6500, // a question's life, and more
	WATCH_FOR_WORKER_MS = 2000,
};

struct upstream_book;
struct watch;

ATTR_MUST_CHECK int watch_open(struct watch **out); // -ENOMEM
void watch_free(struct watch *w);                   // NULL is fine
// Names servers in the lines; must outlive the watch. Before anybody watches.
void watch_set_book(struct watch *w, const struct upstream_book *book);
// -EBUSY: another watch is active; -ENOMEM. `*id` goes to the workers: messages with another id are
// of an earlier watch and are dropped. `outcomes`: bits of the results of misses (trace.h) to show;
// 0: all.
ATTR_MUST_CHECK int watch_begin(struct watch *w, unsigned outcomes, uint16_t *id);
void watch_end(struct watch *w);
// Before messages of this watch come: shows clients so. They are whole otherwise.
struct querylog_hiding;
void watch_hide(struct watch *w, const struct querylog_hiding *hiding);
// A message off a log ring; `wall_us` makes wall time of its time. On the log thread. False: it
// makes no sense.
bool watch_put(void *watch, int64_t wall_us, const uint8_t *msg, size_t len);
// Adds the steps of the control plane for a query. On the resolver's loop.
void watch_put_trace(void *watch, const struct trace *t);
// Queries of which a part is awaited. watch_complete: shows them as they are.
unsigned watch_waiting(struct watch *w);
void watch_complete(struct watch *w);
// Copies the whole lines since the last call into `out` of WATCH_BUFFER_MAX bytes; `*missed`:
// queries left out.
size_t watch_take(struct watch *w, char *out, uint64_t *missed);

struct watch_counts {
	bool is_watched;
	uint64_t begun, refused, shown, missed, bad;
	uint64_t former;     // came when its watch was over
	uint64_t incomplete; // shown without their other part
	size_t bytes;
};
void watch_counts(struct watch *w, struct watch_counts *out);

// "malformed", "dropped", "servfail", "stale", "upstream", "cached", "unanswered" or a verdict, as
// bits of verdicts, and for misses of outcomes (0: all). False: no such word.
ATTR_MUST_CHECK bool watch_verdicts(const char *word, uint64_t *verdicts, unsigned *outcomes);
// The nearest of those words; NULL: none is near.
const char *watch_verdict_near(const char *word);
