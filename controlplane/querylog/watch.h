// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Watched queries of a worker (watch_msg.h), with the steps of the control plane for misses
// (trace.h), as lines of JSON for the watcher.
//
// One watcher at a time, WATCH_BUFFER_MAX bytes of lines, allocated during a watch; queries without
// room are counted and left out, and nothing waits for the watcher. A query that has two parts is
// one line once both have come; WATCH_JOIN_MAX queries wait for their other part; one more evicts
// the query that has waited longest. An evicted query, and one that is not complete in time, is
// shown incomplete. Messages are of another process: every length is checked. One lock, held for a
// line or the copy of the buffer.

#include "trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/watch_msg.h>

enum {
	WATCH_BUFFER_MAX = 1 << 20,
	WATCH_JOIN_MAX = 128,
	WATCH_FOR_CONTROL_MS = 6500, // longer than a question lives
	WATCH_FOR_WORKER_MS = 2000,
};

struct upstream_book;
struct watch;

ATTR_MUST_CHECK int watch_open(struct watch **out); // -ENOMEM
void watch_free(struct watch *w);                   // NULL is fine
// Names servers in the lines; must outlive the watch. Called before the first watch.
void watch_set_book(struct watch *w, const struct upstream_book *book);
// -EBUSY: another watch is active; -ENOMEM. `*id` goes to the workers: messages with another id
// belong to an earlier watch and are dropped. `outcomes`: bits of the results of misses (trace.h)
// to show; 0: all.
ATTR_MUST_CHECK int watch_begin(struct watch *w, unsigned outcomes, uint16_t *id);
void watch_end(struct watch *w);
// Sets how the watch shows clients, before its messages come. Without the call addresses are shown
// whole.
struct querylog_hiding;
void watch_hide(struct watch *w, const struct querylog_hiding *hiding);
// Takes a message of a log ring, on the log thread. `wall_us`: added to its time to get wall time.
// False: the message is invalid.
bool watch_put(void *watch, int64_t wall_us, const uint8_t *msg, size_t len);
// Adds the steps of the control plane for a query. On the resolver's loop.
void watch_put_trace(void *watch, const struct trace *t);
// Number of queries that wait for a part. watch_complete: shows them incomplete.
unsigned watch_waiting(struct watch *w);
void watch_complete(struct watch *w);
// Copies the whole lines since the last call into `out` of WATCH_BUFFER_MAX bytes; `*missed`:
// queries left out.
size_t watch_take(struct watch *w, char *out, uint64_t *missed);

struct watch_counts {
	bool is_watched;
	uint64_t begun, refused, shown, missed, bad;
	uint64_t former;     // messages of an earlier watch
	uint64_t incomplete; // queries shown without a part
	size_t bytes;
};
void watch_counts(struct watch *w, struct watch_counts *out);

// Translates "malformed", "dropped", "servfail", "stale", "upstream", "cached", "unanswered",
// "blocked_answer" or a verdict to bits of verdicts and, for misses, bits of outcomes (0: all).
// False: no such word.
ATTR_MUST_CHECK bool watch_verdicts(const char *word, uint64_t *verdicts, unsigned *outcomes);
// The word of watch_verdicts nearest to `word`; NULL: no word is near.
const char *watch_verdict_near(const char *word);
