// SPDX-License-Identifier: BSD-3-Clause
#include "querylog_queue.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/thread.h>

struct querylog_queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_closed;
	unsigned first;
	struct querylog_queue_counts counts;
	uint64_t working_rows, working_weight; // of the batch that was taken last
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
