// SPDX-License-Identifier: BSD-3-Clause
// Reads the log rings and makes rows in batches.

#include "querylog_state.h"

#include <string.h>
#include <weir/clock.h>
#include <weir/log_msg.h>
#include <weir/shm_msg.h>
#include <weir/watch_msg.h>

enum {
	ROW_TEXT_MAX = QUERYLOG_NAME_MAX + QUERYLOG_CLIENT_TEXT_MAX + CLIENT_NAME_MAX
		       + sizeof(struct querylog_whole) + alignof(struct querylog_whole)
};

void querylog_flush(struct querylog *q, uint64_t now_ms, bool now)
{
	if (!q->filling || (!now && now_ms < q->filling_ms + QUERYLOG_HOLD_MS))
		return;
	struct querylog_batch *b = q->filling;
	q->filling = NULL; // querylog_feed counts its rows as taken by the sinks
	if (b->count)
		querylog_feed(q, b);
	querylog_release(b);
}

// The batches so far show what the new names may hide.
static void sinks_forget(struct querylog *q, uint64_t now_ms)
{
	for (unsigned i = 0; i < q->sinks; i++)
		if (q->sink[i].sink.forget)
			q->sink[i].sink.forget(q->sink[i].sink.arg, q->batches, now_ms);
}

// Activates new names. They end the batch that is being filled, because its rows were made with the
// old ones.
static void names_refresh(struct querylog *q, uint64_t now_ms)
{
	pthread_mutex_lock(&q->lock);
	struct querylog_names *names = q->names;
	q->names = NULL;
	pthread_mutex_unlock(&q->lock);
	if (!names)
		return;
	querylog_flush(q, 0, true);
	if (q->naming && !querylog_names_hide_alike(q->naming, names))
		sinks_forget(q, now_ms);
	querylog_names_release(q->naming);
	q->naming = names;
}

static bool key_refresh(struct querylog *q, uint64_t now_ms)
{
	pthread_mutex_lock(&q->lock);
	const int rc = querylog_hide_beat(&q->hide, now_ms);
	pthread_mutex_unlock(&q->lock);
	return rc == 0;
}

// Replaces the filled batch by an empty one. False: all batches are in use, and nothing has
// changed.
static bool batch_next(struct querylog *q, uint64_t now_ms)
{
	struct querylog_batch *b = querylog_pool_take(q->pool, q->box, q->batches + 1);
	if (!b)
		return false;
	querylog_flush(q, 0, true);
	q->filling = b;
	q->batches++;
	q->filling_ms = now_ms;
	querylog_names_hold(q->naming);
	querylog_batch_keep(q->filling, querylog_names_release, q->naming);
	return true;
}

// Makes sure that the batch being filled has room for any row without messages. False: all batches
// are in use.
static bool batch_ready(struct querylog *q, uint64_t now_ms)
{
	if (q->filling && querylog_batch_row(q->filling, ROW_TEXT_MAX))
		return true;
	querylog_flush(q, 0, true);
	return batch_next(q, now_ms);
}

// Whether the time of a record is plausible. Records are rarely older than the last look, unless
// the data plane ran without a control plane.
static bool time_is_near(const struct querylog *q, const uint8_t *msg, size_t len)
{
	const uint64_t past_us = QUERYLOG_PAST_H * UINT64_C(3600000000);
	uint64_t time_us;
	if (len < sizeof(time_us))
		return false;
	memcpy(&time_us, msg + offsetof(struct log_record, time_us), sizeof(time_us));
	return time_us < q->look_us + QUERYLOG_FUTURE_S * UINT64_C(1000000)
	       && time_us + past_us > q->look_us;
}

// Counts a record with an implausible time. The next row stands for its queries too.
static void untimely_count(struct querylog *q, const uint8_t *msg, size_t len)
{
	querylog_count(&q->bad, 1);
	q->carried += querylog_row_weight(msg, len);
}

// Adds the carried weight to the last row.
static void carried_add(struct querylog *q)
{
	if (!q->carried)
		return;
	querylog_batch_add_weight(q->filling, q->carried);
	querylog_count(&q->weight, q->carried);
	querylog_count(&q->unlogged, q->carried);
	querylog_count(&q->carried_weight, q->carried);
	q->carried = 0;
}

bool querylog_carry(struct querylog *q, uint64_t now_ms)
{
	if (!q->carried)
		return true;
	uint64_t now_us = clock_mono_us() + (uint64_t)q->wall_us, weight = q->carried;
	if (!batch_ready(q, now_ms) || !querylog_row_rest(q->filling, now_us, weight))
		return false;
	querylog_count(&q->rows, 1);
	querylog_count(&q->weight, weight);
	querylog_count(&q->unlogged, weight);
	querylog_count(&q->carried_weight, weight);
	q->carried = 0;
	return true;
}

// Makes a row. Leaves its messages out if the batch has no room for them and no other batch is
// free.
static enum querylog_made row_make(struct querylog *q, const uint8_t *msg, size_t len,
	const struct log_whole_view *whole, uint64_t *weight)
{
	const struct querylog_maker by = {.names = q->naming,
		.hide = &q->hide,
		.macs = &q->macs,
		.clients = q->clients,
		.wall_us = q->wall_us};
	enum querylog_made made = querylog_row_make(q->filling, &by, msg, len, whole, weight);
	if (made != QUERYLOG_FULL || !whole)
		return made;
	struct log_whole_view bare = *whole;
	if (!batch_next(q, q->look_us / 1000))
		bare.query = bare.reply = NULL;
	return querylog_row_make(q->filling, &by, msg, len, &bare, weight);
}

static void record_accept(
	struct querylog *q, const uint8_t *msg, size_t len, const struct log_whole_view *whole)
{
	if (!time_is_near(q, msg, len)) {
		untimely_count(q, msg, len);
		return;
	}
	uint64_t weight = 0;
	switch (row_make(q, msg, len, whole, &weight)) {
	case QUERYLOG_MADE:
		querylog_count(&q->rows, 1);
		querylog_count(&q->weight, weight);
		// A row is of one query itself; the row of a rest (LOG_REST) of no query.
		querylog_count(&q->unlogged,
			weight - (q->filling->row[q->filling->count - 1].client.len > 0));
		carried_add(q);
		break;
	case QUERYLOG_EXCLUDED:
		querylog_count(&q->excluded_rows, 1);
		querylog_count(&q->excluded_weight, weight);
		break;
	case QUERYLOG_BAD:
	case QUERYLOG_FULL:
		querylog_count(&q->bad, 1);
		break;
	}
}

static void whole_accept(struct querylog *q, const uint8_t *msg, size_t len)
{
	struct log_whole_view whole;
	if (log_whole_read(msg, len, &whole) < 0)
		querylog_count(&q->bad, 1);
	else
		record_accept(q, msg, whole.record_len, &whole);
}

// Reads records of a source; returns how many. *empty: the ring has no more.
static unsigned source_read(
	struct querylog *q, struct querylog_source *s, uint64_t now_ms, bool *empty)
{
	uint8_t *msg = q->msg;
	unsigned n = 0;
	*empty = false;
	while (n < QUERYLOG_READ_MAX && batch_ready(q, now_ms)) {
		uint16_t type;
		int len = ring_read(&s->ring, msg, sizeof(q->msg), &type);
		*empty = len == 0;
		if (len <= 0)
			break;
		n++;
		if (type == MSG_LOG)
			record_accept(q, msg, (size_t)len, NULL);
		else if (type == MSG_LOG_WHOLE)
			whole_accept(q, msg, (size_t)len);
		else if (type != MSG_WATCH || !q->watch
			 || !q->watch(q->watch_arg, q->wall_us, msg, (size_t)len))
			querylog_count(&q->bad, 1);
	}
	// Before ring_release a kill loses none of these records: the ring outlives this process.
	if (n)
		querylog_sinks_save(q);
	ring_release(&s->ring);
	return n;
}

// Counts the debt of a worker that ended.
static bool debt_count(struct querylog *q, const struct querylog_source *s, uint64_t now_ms)
{
	const uint64_t owed_max = UINT64_C(1) << 40; // a million a second for twelve days
	uint64_t owed = atomic_load_explicit(s->owed, memory_order_relaxed);
	if (owed == 0)
		return true;
	if (owed > owed_max) {
		querylog_count(&q->bad, 1);
		return true;
	}
	uint64_t now_us = clock_mono_us() + (uint64_t)q->wall_us;
	if (!batch_ready(q, now_ms) || !querylog_row_rest(q->filling, now_us, owed))
		return false;
	querylog_count(&q->rows, 1);
	querylog_count(&q->weight, owed);
	querylog_count(&q->unlogged, owed);
	return true;
}

unsigned querylog_drain(struct querylog *q, uint64_t now_ms)
{
	unsigned read = 0;
	names_refresh(q, now_ms);
	querylog_sources_look(&q->sources);
	if (!key_refresh(q, now_ms) || !q->naming)
		return 0;
	q->wall_us = (int64_t)(clock_us_of(CLOCK_REALTIME) - clock_mono_us());
	q->look_us = clock_mono_us();
	q->macs.now_ms = now_ms;
	for (unsigned i = 0; i < q->sources.count;) {
		struct querylog_source *s = &q->sources.source[i];
		bool empty;
		read += source_read(q, s, now_ms, &empty);
		if (s->has_ended && empty && debt_count(q, s, now_ms)) {
			querylog_sinks_save(q);
			querylog_sources_drop(&q->sources, i);
		} else {
			i++;
		}
	}
	atomic_store_explicit(&q->source_count, q->sources.count, memory_order_relaxed);
	atomic_store_explicit(
		&q->anomalies, querylog_sources_anomalies(&q->sources), memory_order_relaxed);
	return read;
}
