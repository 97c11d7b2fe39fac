// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One writer's end of a log ring, with the law of weights: the weights of its records, and what it
// still owes, are together the queries that it was told of, whatever was left out by sampling or
// for want of room. One thread's own; the other end is the log thread (querylog.h).
//
// `owed` is a word beside the ring's index, so that what a writer could no longer say when it ended
// is known all the same. A writer that is killed between a record and that word leaves one batch
// counted twice or not at all.
//
// Cost: a query that is left out is two additions for its whole batch; a record a call and two
// lines written. No lock, no system call.

#include "log_whole.h"
#include "shm_ring.h"

struct log_writer {
	struct ring_producer ring; // units 0: there is none
	_Atomic uint64_t *owed;
	uint32_t sample;        // one record for so many queries; 0: off
	uint32_t countdown;     // queries up to the next record, that one included
	uint64_t skipped;       // since the last record
	uint64_t full;          // of these and of those before: for want of room
	uint64_t seen, seen_us; // what was owed at some time, and since when it is that
};

// `owed` is taken over as it stands.
void log_writer_init(struct log_writer *w, struct ring_index *tail, const struct ring_index *head,
	void *data, uint64_t units, _Atomic uint64_t *owed);
// Turned off, it says what it owes, if there is room.
void log_writer_set(struct log_writer *w, uint32_t sample, uint64_t now_us);

ATTR_INLINE bool log_writer_is_on(const struct log_writer *w)
{
	return w->sample != 0;
}

// The next `queries` have no record. Fewer than log_writer_left.
ATTR_INLINE void log_writer_skip(struct log_writer *w, uint32_t queries)
{
	w->countdown -= queries;
	w->skipped += queries;
}

ATTR_INLINE uint32_t log_writer_left(const struct log_writer *w)
{
	return w->countdown;
}

// The query that is due. Room for its record and `name_len` octets behind it, with `weight` and
// `name_len` set and nothing else; NULL: the ring is full, and the query is owed.
ATTR_MUST_CHECK struct log_record *log_writer_take(struct log_writer *w, uint8_t name_len);
// Likewise as MSG_LOG_WHOLE, with room for log_writer_whole_put. While the ring is over half full,
// the messages are left out of *parts: records come first.
ATTR_MUST_CHECK struct log_record *log_writer_take_whole(
	struct log_writer *w, uint8_t name_len, struct log_parts *parts);
// Where every query has its record and nothing is owed: room in one piece for a batch of them, each
// as log_writer_take and ring_reserve would have made it. NULL: take them one by one.
ATTR_INLINE uint8_t *log_writer_span(struct log_writer *w, uint64_t units)
{
	return w->sample == 1 && w->skipped == 0 ? ring_span(&w->ring, units) : NULL;
}
ATTR_INLINE void log_writer_span_take(struct log_writer *w, uint64_t units)
{
	ring_span_take(&w->ring, units);
}
// All records of a batch, and what is owed.
void log_writer_publish(struct log_writer *w);
// Says what is owed in a record of its own. False: no room, or nothing is owed.
bool log_writer_rest(struct log_writer *w, uint64_t now_us);
// At times: what has been owed for a second without a query is said.
void log_writer_beat(struct log_writer *w, uint64_t now_us);
