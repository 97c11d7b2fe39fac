// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One writer's end of a log ring. The weights of its records plus the weight that it still owes
// always equal the queries passed to it, however many sampling or a full ring left out. Owned by
// one thread; the other end is the log thread (querylog.h).
//
// `owed` is a word beside the ring's index, so the debt of a writer that ended is still known. A
// writer that is killed between a record and that word leaves one batch counted twice or not at
// all.
//
// Cost: two additions per batch for queries left out; a call and two written cache lines for a
// record. No lock, no system call.

#include "log_msg.h"
#include "shm_ring.h"

struct log_writer {
	struct ring_producer ring; // units 0: there is none
	_Atomic uint64_t *owed;
	uint32_t sample;        // queries for each record; 0: off
	uint32_t countdown;     // queries up to the next record, that one included
	uint64_t skipped;       // since the last record
	uint64_t full;          // lost, now and earlier, because the ring was full
	uint64_t seen, seen_us; // the debt at some time, and since when it is unchanged
};

// Keeps the present value of `owed`.
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

// The query that is due. Room for its record and `name_len` bytes behind it, with `weight` and
// `name_len` set and nothing else; NULL: the ring is full, and the query is owed.
ATTR_MUST_CHECK struct log_record *log_writer_take(struct log_writer *w, uint8_t name_len);
// Takes a MSG_LOG_WHOLE, with room for log_writer_whole_put. While the ring is over half full,
// *parts loses its messages: records come first.
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
// Writes a record for the debt alone. False: no room, or no debt.
bool log_writer_rest(struct log_writer *w, uint64_t now_us);
// Call it now and then: writes a debt that is older than a second.
void log_writer_beat(struct log_writer *w, uint64_t now_us);
