// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Queries that a worker was told to show (watch_msg.h), for the one who asked, as lines of JSON.
//
// One watcher at a time, WATCH_BUFFER_MAX octets of lines, taken while there is one; what has no
// room is counted and left out, the log thread never waits. Messages are of another process: every
// length is checked. One lock, held for a line or the copy of the buffer.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/watch_msg.h>

enum { WATCH_BUFFER_MAX = 1 << 20 };

struct watch;

ATTR_MUST_CHECK int watch_open(struct watch **out); // -ENOMEM
void watch_free(struct watch *w);                   // NULL is fine
// -EBUSY: somebody watches; -ENOMEM. `*id` goes to the workers: what comes without it is of a
// former watch, and nobody is shown it.
ATTR_MUST_CHECK int watch_begin(struct watch *w, uint16_t *id);
void watch_end(struct watch *w);
// A message off a log ring; `wall_us` makes wall time of its time. On the log thread. False: it
// makes no sense.
bool watch_put(void *watch, int64_t wall_us, const uint8_t *msg, size_t len);
// Whole lines since the last call into `out` of WATCH_BUFFER_MAX octets; `*missed`: left out.
size_t watch_take(struct watch *w, char *out, uint64_t *missed);

struct watch_counts {
	bool is_watched;
	uint64_t begun, refused, shown, missed, bad;
	uint64_t former; // came when its watch was over
};
void watch_counts(struct watch *w, struct watch_counts *out);

// "malformed", "dropped" or a verdict, as bits. False: no such word.
ATTR_MUST_CHECK bool watch_verdicts(const char *word, uint64_t *out);
