// SPDX-License-Identifier: BSD-3-Clause
#include "sink_thread.h"

#include "querylog/querylog.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/thread.h>

struct sink_thread {
	struct sink_work work;
	struct querylog_queue *queue;
	pthread_t thread;
	_Atomic bool is_ending, is_failing;
	_Atomic uint64_t refused;
	pthread_mutex_t lock;
	struct sink_status status; // protected by `lock`
};

static void *run(void *arg)
{
	struct sink_thread *t = arg;
	thread_background();
	t->work.beat(t->work.arg, clock_mono_ms()); // the sink may have to connect first
	while (!querylog_queue_is_done(t->queue)) {
		const struct querylog_batch *b = querylog_queue_take(t->queue, SINK_BEAT_MS, NULL);
		if (b) {
			t->work.take(t->work.arg, b);
			querylog_release(b);
		}
		t->work.beat(t->work.arg, clock_mono_ms());
	}
	t->work.end(t->work.arg);
	return NULL;
}

int sink_thread_start(struct sink_thread **out, const struct sink_work *work)
{
	struct sink_thread *t = heap_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->work = *work;
	t->status.name = work->name;
	pthread_mutex_init(&t->lock, NULL);
	int rc = querylog_queue_open(&t->queue, SINK_QUEUE);
	*out = t; // the thread may read *out
	if (rc == 0)
		rc = thread_start(&t->thread, "weir-sink", run, t);
	if (rc == 0)
		return 0;
	*out = NULL;
	querylog_queue_free(t->queue);
	pthread_mutex_destroy(&t->lock);
	heap_free(t);
	return rc;
}

void sink_thread_stop(struct sink_thread *t)
{
	if (!t)
		return;
	atomic_store(&t->is_ending, true);
	querylog_queue_close(t->queue);
	pthread_join(t->thread, NULL);
	querylog_queue_free(t->queue);
	pthread_mutex_destroy(&t->lock);
	heap_free(t);
}

static bool on_take(void *arg, const struct querylog_batch *b)
{
	struct sink_thread *t = arg;
	if (!atomic_load(&t->is_failing))
		return querylog_queue_put(t->queue, b, 0);
	atomic_fetch_add(&t->refused, 1);
	return false;
}

static void on_forget(void *arg, uint64_t number, uint64_t now_ms)
{
	struct sink_thread *t = arg;
	if (t->work.forget)
		t->work.forget(t->work.arg, number, now_ms);
}

static void held(void *arg, struct querylog_held *out)
{
	struct sink_thread *t = arg;
	struct querylog_queue_counts q;
	struct sink_status s;
	querylog_queue_counts(t->queue, &q);
	sink_thread_status(t, &s);
	*out = (struct querylog_held){.rows = q.rows,
		.weight = q.weight,
		.lost_rows = t->work.of_messages ? 0 : s.lost,
		.lost_weight = t->work.of_messages ? 0 : s.lost_weight,
		.without_messages = s.without_messages};
}

struct querylog_sink sink_thread_sink(struct sink_thread *t)
{
	return (struct querylog_sink){
		.name = t->work.name, .take = on_take, .forget = on_forget, .held = held, .arg = t};
}

const _Atomic bool *sink_thread_is_ending(const struct sink_thread *t)
{
	return &t->is_ending;
}

void sink_thread_show(struct sink_thread *t, const struct sink_status *s)
{
	pthread_mutex_lock(&t->lock);
	t->status = *s;
	t->status.name = t->work.name;
	pthread_mutex_unlock(&t->lock);
	atomic_store(&t->is_failing, s->failing);
}

void sink_thread_status(struct sink_thread *t, struct sink_status *out)
{
	struct querylog_queue_counts q;
	querylog_queue_counts(t->queue, &q);
	pthread_mutex_lock(&t->lock);
	*out = t->status;
	pthread_mutex_unlock(&t->lock);
	uint64_t now_ms = clock_mono_ms();
	bool waits = (out->failing || out->is_ill) && out->retry_at_ms > now_ms;
	out->retry_in_ms = waits ? out->retry_at_ms - now_ms : 0;
	out->queued = q.used;
	out->queued_most = q.used_most;
	out->refused = q.refused + atomic_load(&t->refused);
}

void sink_thread_tables(struct sink_thread *t, struct table_registry *tables)
{
	struct querylog_queue_counts q;
	struct sink_status s;
	querylog_queue_counts(t->queue, &q);
	sink_thread_status(t, &s);
	table_register(tables, &(struct table_info){.name = t->work.table,
				       .owner = t->work.name,
				       .eviction = "refuse, counted by the query log",
				       .lifetime = "until written",
				       .kind = TABLE_WORK,
				       .cap = q.cap,
				       .descriptors = s.sockets,
				       .files = s.files,
				       .used = q.used,
				       .high = q.used_most,
				       .refused = q.refused,
				       .oldest_ms = table_age(q.since_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_REFUSES,
				       .bytes = sizeof(*t) + t->work.bytes});
}

void sink_thread_retry_after(struct sink_retry *r, uint64_t now_ms)
{
	r->wait_ms = r->wait_ms ? r->wait_ms * 2 : SINK_RETRY_MIN_MS;
	if (r->wait_ms > SINK_RETRY_MAX_MS)
		r->wait_ms = SINK_RETRY_MAX_MS;
	r->at_ms = now_ms + r->wait_ms;
}
