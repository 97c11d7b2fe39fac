// SPDX-License-Identifier: BSD-3-Clause
#include "querylog.h"

#include "querylog_state.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

struct querylog_queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_closed;
	unsigned first;
	struct querylog_queue_counts counts;
	uint64_t working_rows, working_weight; // the batch that was taken last
	struct {
		const struct querylog_batch *batch;
		uint64_t owed, put_ms;
	} entry[QUERYLOG_QUEUE_MAX];
};

int querylog_queue_open(struct querylog_queue **out, unsigned cap)
{
	assert(cap > 0 && cap <= QUERYLOG_QUEUE_MAX);
	struct querylog_queue *q = heap_calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->counts.cap = cap;
	q->counts.bytes = sizeof(*q);
	pthread_mutex_init(&q->lock, NULL);
	thread_cond_init(&q->changed);
	*out = q;
	return 0;
}

void querylog_queue_free(struct querylog_queue *q)
{
	if (!q)
		return;
	for (unsigned i = 0; i < q->counts.used; i++)
		querylog_release(q->entry[(q->first + i) % QUERYLOG_QUEUE_MAX].batch);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
	heap_free(q);
}

bool querylog_queue_put(struct querylog_queue *q, const struct querylog_batch *b, uint64_t owed)
{
	pthread_mutex_lock(&q->lock);
	struct querylog_queue_counts *c = &q->counts;
	bool room = !q->is_closed && c->used < c->cap;
	if (room) {
		querylog_hold(b);
		unsigned at = (q->first + c->used++) % QUERYLOG_QUEUE_MAX;
		q->entry[at].batch = b;
		q->entry[at].owed = owed;
		q->entry[at].put_ms = clock_mono_ms();
		c->put++;
		c->rows += b->count;
		c->weight += b->weight + owed;
		if (c->used > c->used_most)
			c->used_most = c->used;
		pthread_cond_signal(&q->changed);
	} else {
		c->refused++;
	}
	pthread_mutex_unlock(&q->lock);
	return room;
}

const struct querylog_batch *querylog_queue_take(
	struct querylog_queue *q, unsigned timeout_ms, uint64_t *owed)
{
	const struct timespec until = clock_deadline(timeout_ms);
	const struct querylog_batch *b = NULL;
	pthread_mutex_lock(&q->lock);
	while (!q->counts.used && !q->is_closed && timeout_ms)
		if (pthread_cond_timedwait(&q->changed, &q->lock, &until) == ETIMEDOUT)
			break;
	q->counts.rows -= q->working_rows;
	q->counts.weight -= q->working_weight;
	q->working_rows = q->working_weight = 0;
	if (q->counts.used) {
		b = q->entry[q->first].batch;
		q->working_rows = b->count;
		q->working_weight = b->weight + q->entry[q->first].owed;
		if (owed)
			*owed = q->entry[q->first].owed;
		q->first = (q->first + 1) % QUERYLOG_QUEUE_MAX;
		q->counts.used--;
	}
	pthread_mutex_unlock(&q->lock);
	return b;
}

void querylog_queue_close(struct querylog_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->is_closed = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

bool querylog_queue_is_done(struct querylog_queue *q)
{
	pthread_mutex_lock(&q->lock);
	bool done = q->is_closed && !q->counts.used;
	pthread_mutex_unlock(&q->lock);
	return done;
}

void querylog_queue_counts(struct querylog_queue *q, struct querylog_queue_counts *out)
{
	pthread_mutex_lock(&q->lock);
	*out = q->counts;
	out->since_ms = q->counts.used ? q->entry[q->first].put_ms : 0;
	pthread_mutex_unlock(&q->lock);
}

static void querylog_sources_init(struct querylog_sources *s)
{
	pthread_mutex_init(&s->lock, NULL);
}

// Any thread. -ENOSPC; on success the log owns the regions of `source`.
static int querylog_sources_add(struct querylog_sources *s, const struct querylog_source *source)
{
	int rc = -ENOSPC;
	pthread_mutex_lock(&s->lock);
	if (s->added < QUERYLOG_SOURCES_MAX) {
		s->next[s->added++] = *source;
		rc = 0;
	}
	s->refused += rc < 0;
	pthread_mutex_unlock(&s->lock);
	return rc;
}

// Any thread.
static uint64_t querylog_sources_refused(struct querylog_sources *s)
{
	pthread_mutex_lock(&s->lock);
	uint64_t refused = s->refused;
	pthread_mutex_unlock(&s->lock);
	return refused;
}

static void querylog_sources_end_rings(struct querylog_sources *s)
{
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	for (unsigned i = 0; i < s->added; i++)
		s->next[i].has_ended |= s->next[i].region.base != NULL;
	pthread_mutex_unlock(&s->lock);
}

void querylog_sources_look(struct querylog_sources *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->ended)
		for (unsigned i = 0; i < s->count; i++)
			s->source[i].has_ended |= s->source[i].region.base != NULL;
	s->ended = false;
	unsigned taken = 0;
	while (taken < s->added && s->count < QUERYLOG_SOURCES_MAX)
		s->source[s->count++] = s->next[taken++];
	for (unsigned i = taken; i < s->added; i++)
		s->next[i - taken] = s->next[i];
	s->added -= taken;
	pthread_mutex_unlock(&s->lock);
}

void querylog_sources_drop(struct querylog_sources *s, unsigned i)
{
	s->anomalies += s->source[i].ring.anomalies;
	region_unmap(&s->source[i].region);
	region_unmap(&s->source[i].rings);
	s->source[i] = s->source[--s->count];
}

// After the log thread ended.
static void querylog_sources_close(struct querylog_sources *s)
{
	querylog_sources_look(s);
	while (s->count)
		querylog_sources_drop(s, 0);
	pthread_mutex_destroy(&s->lock);
}

uint64_t querylog_sources_anomalies(const struct querylog_sources *s)
{
	uint64_t all = s->anomalies;
	for (unsigned i = 0; i < s->count; i++)
		all += s->source[i].ring.anomalies;
	return all;
}

int querylog_open(struct querylog **out, const struct querylog_settings *s)
{
	struct querylog *q = heap_calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->box = s->box;
	int rc = querylog_pool_open(&q->pool);
	if (rc < 0) {
		heap_free(q);
		return rc;
	}
	pthread_mutex_init(&q->lock, NULL);
	thread_cond_init(&q->wake);
	querylog_sources_init(&q->sources);
	q->hand.fd = -1;
	rc = s->hand_path ? querylog_hand_open(&q->hand, s->hand_path) : 0;
	if (rc < 0)
		log_warning("query log: %s: %s; rows lost by a kill cannot be counted",
			s->hand_path, strerror(-rc));
	querylog_macs_open(&q->macs);
	*out = q;
	return 0;
}

void querylog_close(struct querylog *q)
{
	if (!q)
		return;
	querylog_stop(q);
	if (q->filling)
		querylog_release(q->filling);
	querylog_names_release(q->naming);
	querylog_names_release(q->names);
	querylog_sources_close(&q->sources);
	querylog_macs_close(&q->macs);
	querylog_pool_close(q->pool);
	querylog_hand_close(&q->hand);
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->lock);
	heap_free(q);
}

int querylog_add(struct querylog *q, const struct querylog_sink *sink)
{
	if (q->sinks == QUERYLOG_SINKS_MAX)
		return -ENOSPC;
	q->sink[q->sinks++].sink = *sink;
	return 0;
}

static void beat(struct querylog *q, uint64_t now_ms)
{
	if (now_ms - q->beat_ms < QUERYLOG_BEAT_MS)
		return;
	q->beat_ms = now_ms;
	querylog_macs_beat(&q->macs, now_ms);
	(void)querylog_carry(q, now_ms);
	(void)querylog_sinks_settle(q, now_ms);
	querylog_sinks_beat(q, now_ms);
	for (unsigned i = 0; i < q->sinks; i++)
		if (q->sink[i].sink.beat)
			q->sink[i].sink.beat(q->sink[i].sink.arg, now_ms);
}

// Waits until the next look at the rings is due. False: the thread is to stop.
static bool wait_for_next(struct querylog *q, unsigned ms)
{
	const struct timespec until = clock_deadline(ms);
	pthread_mutex_lock(&q->lock);
	while (!q->stop)
		if (pthread_cond_timedwait(&q->wake, &q->lock, &until) == ETIMEDOUT)
			break;
	bool go_on = !q->stop;
	pthread_mutex_unlock(&q->lock);
	return go_on;
}

static void *log_thread(void *arg)
{
	enum { IDLE_LOOKS = 50, LAST_LOOKS = 16 };
	struct querylog *q = arg;
	unsigned idle = 0;
	// A look at empty rings is cheap, but a hundred wake-ups a second keep an idle box from
	// sleeping.
	while (wait_for_next(q, idle < IDLE_LOOKS ? QUERYLOG_POLL_MS : QUERYLOG_POLL_IDLE_MS)) {
		uint64_t now_ms = clock_mono_ms();
		idle = querylog_drain(q, now_ms) ? 0 : idle + 1;
		querylog_flush(q, now_ms, false);
		beat(q, now_ms);
	}
	for (unsigned i = 0; i < LAST_LOOKS && querylog_drain(q, clock_mono_ms()) > 0; i++)
		querylog_flush(q, 0, true);
	for (unsigned i = 0; !querylog_carry(q, clock_mono_ms()) && i < QUERYLOG_LAST_TRIES; i++)
		usleep(QUERYLOG_POLL_MS * 1000);
	querylog_flush(q, 0, true);
	for (unsigned i = 0; !querylog_sinks_settle(q, clock_mono_ms()) && i < QUERYLOG_LAST_TRIES;
		i++)
		usleep(QUERYLOG_POLL_MS * 1000);
	querylog_sinks_forgive(q);
	return NULL;
}

void querylog_set_clients(struct querylog *q, struct client_book *clients)
{
	q->clients = clients;
}

void querylog_set_watch(struct querylog *q,
	bool (*put)(void *arg, int64_t wall_us, const uint8_t *msg, size_t len), void *arg)
{
	q->watch = put;
	q->watch_arg = arg;
}

int querylog_start(struct querylog *q)
{
	querylog_sinks_restore(q);
	int rc = thread_start(&q->thread, "weir-log", log_thread, q);
	q->is_running = rc == 0;
	return rc;
}

void querylog_stop(struct querylog *q)
{
	if (!q->is_running)
		return;
	pthread_mutex_lock(&q->lock);
	q->stop = true;
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
	pthread_join(q->thread, NULL);
	q->is_running = false;
}

void querylog_set_names(struct querylog *q, struct querylog_names *names)
{
	pthread_mutex_lock(&q->lock);
	struct querylog_names *before = q->names;
	q->names = names;
	pthread_mutex_unlock(&q->lock);
	querylog_names_release(before);
}

void querylog_hide_copy(struct querylog *q, struct querylog_hide *out)
{
	pthread_mutex_lock(&q->lock);
	*out = q->hide;
	pthread_mutex_unlock(&q->lock);
}

int querylog_add_source(struct querylog *q, const struct querylog_source *source)
{
	return querylog_sources_add(&q->sources, source);
}

void querylog_end_rings(struct querylog *q)
{
	querylog_sources_end_rings(&q->sources);
}

void querylog_status(struct querylog *q, struct querylog_status *out)
{
	struct querylog_pool_counts pool;
	querylog_pool_counts(q->pool, &pool);
	*out = (struct querylog_status){
		.rows = querylog_load(&q->rows),
		.weight = querylog_load(&q->weight),
		.unlogged = querylog_load(&q->unlogged),
		.excluded_rows = querylog_load(&q->excluded_rows),
		.excluded_weight = querylog_load(&q->excluded_weight),
		.bad = querylog_load(&q->bad),
		.carried_weight = querylog_load(&q->carried_weight),
		.anomalies = querylog_load(&q->anomalies),
		.starved = pool.starved,
		.sources = atomic_load_explicit(&q->source_count, memory_order_relaxed),
		.batches = pool.out,
		.batches_made = pool.made,
		.batch_bytes = pool.bytes,
		.batches_most = pool.out_most,
		.batch_since_ms = pool.since_ms,
		.batches_grown = pool.growth.grown,
		.batches_shrunk = pool.growth.shrunk,
		.sources_refused = querylog_sources_refused(&q->sources),
		.sources_bytes = sizeof(*q) - sizeof(q->macs.neighbours),
		.macs = querylog_load(&q->macs.used),
		.macs_evicted = querylog_load(&q->macs.evicted),
		.macs_refused = querylog_load(&q->macs.refused),
		.macs_oldest_ms = querylog_load(&q->macs.oldest_ms),
	};
	out->sink_count = querylog_sinks(q, out->sink);
}
