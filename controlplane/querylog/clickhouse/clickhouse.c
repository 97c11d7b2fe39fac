// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse.h"

#include "querylog/querylog.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

enum { LOOK_MS = 200 };

struct clickhouse {
	char folder[PATH_MAX - 256], instance[CLICKHOUSE_INSTANCE_MAX];
	struct querylog_queue *queue;
	struct clickhouse_outbox *outbox;
	struct clickhouse_sender *sender;
	pthread_t thread;
	bool thread_runs;
	unsigned stop_ms, look_ms;
	_Atomic uint64_t hurry_ms; // when the maker stops waiting for the outbox; 0: never
	_Atomic unsigned flush_ms;
	pthread_mutex_t lock;
	struct clickhouse_status shown; // protected by `lock`; clickhouse_status adds the sender

	// Fields that the maker's thread alone uses.
	struct clickhouse_builder builder;
	struct clickhouse_status now;
	uint64_t sealed_rows, sealed_weight; // chunk for which the outbox has no room yet
	uint64_t lost_at_end_rows, lost_at_end_weight;
};

static void show(struct clickhouse *c)
{
	const struct clickhouse_builder *b = &c->builder;
	c->now.open_rows = b->rows;
	c->now.held_rows = b->rows + c->sealed_rows;
	c->now.held_weight = b->weight + c->sealed_weight;
	c->now.wanted_rows = b->wanted_rows;
	c->now.open_since_ms = b->rows ? b->began_ms : 0;
	c->now.raw_bytes = b->raw_bytes;
	c->now.packed_bytes = b->packed_bytes;
	c->now.buffer_bytes = b->cap;
	c->now.buffer_bytes_most = b->cap_most;
	c->now.buffer_grown = b->grown;
	c->now.buffer_shrunk = b->shrunk;
	clickhouse_outbox_counts(c->outbox, &c->now.outbox);
	pthread_mutex_lock(&c->lock);
	c->shown = c->now;
	pthread_mutex_unlock(&c->lock);
}

static void nap(void)
{
	const struct timespec ms = {.tv_nsec = LOOK_MS * 1000000L};
	nanosleep(&ms, NULL);
}

static bool is_hurried(const struct clickhouse *c)
{
	return c->hurry_ms && clock_mono_ms() >= c->hurry_ms;
}

// Puts a chunk into the outbox and waits until it has room. Meanwhile the queue fills, and later
// rows get the weight of the batches that it refuses. At shutdown the wait is short: then the
// oldest chunks on disk are deleted, or, without a disk, this chunk is lost.
static void chunk_put(struct clickhouse *c, const struct clickhouse_spooled *what, void *body)
{
	int rc;
	c->sealed_rows = what->rows;
	c->sealed_weight = what->weight;
	while ((rc = clickhouse_outbox_put(c->outbox, what, body)) < 0 && !is_hurried(c)) {
		if (!c->now.is_waiting && rc != -EAGAIN)
			log_warning("clickhouse: spool %s: %s", c->folder, strerror(-rc));
		c->now.is_waiting = rc != -EAGAIN;
		c->now.is_behind = rc == -EAGAIN;
		show(c);
		nap();
	}
	if (rc == -EAGAIN) {
		clickhouse_outbox_hurry(c->outbox);
		rc = clickhouse_outbox_put(c->outbox, what, body);
	}
	c->now.is_waiting = c->now.is_behind = false;
	c->sealed_rows = c->sealed_weight = 0;
	if (rc == 0)
		return;
	c->now.lost_rows += what->rows;
	c->now.lost_weight += what->weight;
	c->lost_at_end_rows += what->rows; // a chunk is lost at shutdown only
	c->lost_at_end_weight += what->weight;
	heap_free(body);
}

static void chunk_end(struct clickhouse *c)
{
	struct clickhouse_spooled what;
	void *body;
	int rc = clickhouse_builder_seal(
		&c->builder, clickhouse_sender_coding(c->sender), clock_mono_ms(), &what, &body);
	if (rc == 0) {
		chunk_put(c, &what, body);
	} else if (rc != -ENOENT) {
		uint64_t rows, weight;
		log_warning("clickhouse: chunk lost: %s", strerror(-rc));
		clickhouse_builder_drop(&c->builder, &rows, &weight);
		c->now.lost_rows += rows;
		c->now.lost_weight += weight;
	}
}

static void row_add(
	struct clickhouse *c, const char *box, const struct querylog_row *row, uint64_t now_ms)
{
	int rc = clickhouse_builder_add(&c->builder, box, row, now_ms);
	if (rc == -EAGAIN) {
		chunk_end(c);
		rc = clickhouse_builder_add(&c->builder, box, row, now_ms);
	}
	if (rc == 0)
		return;
	c->now.lost_rows++;
	c->now.lost_weight += row->weight;
}

// Chunks stay open longer as the list of spool files fills. So while a server is away for days,
// bytes bound the rows that weir keeps, and not the number of small files that a quiet box makes,
// one each flush_ms.
static unsigned flush_ms_now(const struct clickhouse *c)
{
	enum { QUARTER = CLICKHOUSE_SPOOL_FILES_MAX / 4, DOUBLINGS_MAX = 3 };
	unsigned quarters = c->now.outbox.spooled / QUARTER;
	return c->flush_ms << (quarters < DOUBLINGS_MAX ? quarters : DOUBLINGS_MAX);
}

// Around a full hour a batch has rows of both hours: adds those of the open chunk's hour first.
static void batch_add(struct clickhouse *c, const struct querylog_batch *b, uint64_t owed)
{
	bool is_in[QUERYLOG_ROWS_MAX] = {0};
	uint64_t now_ms = clock_mono_ms();
	unsigned left = b->count;
	uint32_t hour = c->builder.hour;
	c->builder.rows_max = clickhouse_sender_rows_max(c->sender);
	c->builder.flush_ms = flush_ms_now(c);
	if (!c->builder.rows && left)
		hour = clickhouse_row_hour(&b->row[0]);
	while (left) {
		unsigned next = b->count;
		for (unsigned i = 0; i < b->count; i++) {
			if (is_in[i])
				continue;
			if (clickhouse_row_hour(&b->row[i]) == hour) {
				struct querylog_row row = b->row[i];
				row.weight = querylog_weight(b, owed, i);
				row_add(c, b->box, &row, now_ms);
				is_in[i] = true;
				left--;
			} else if (next == b->count) {
				next = i;
			}
		}
		if (left)
			hour = clickhouse_row_hour(&b->row[next]);
	}
	c->now.taken_rows += b->count;
	c->now.taken_weight += b->weight + owed;
}

static void *maker_run(void *arg)
{
	struct clickhouse *c = arg;
	uint64_t shown_ms = 0;
	thread_background();
	while (!querylog_queue_is_done(c->queue)) {
		uint64_t owed;
		const struct querylog_batch *b = querylog_queue_take(c->queue, c->look_ms, &owed);
		uint64_t now_ms = clock_mono_ms();
		if (b) {
			batch_add(c, b, owed);
			querylog_release(b);
			show(c);
		}
		if (clickhouse_builder_is_due(&c->builder, now_ms))
			chunk_end(c);
		clickhouse_builder_idle(&c->builder, now_ms);
		if (now_ms - shown_ms >= c->look_ms) {
			show(c);
			shown_ms = now_ms;
		}
	}
	chunk_end(c);
	clickhouse_outbox_close(c->outbox);
	show(c);
	return NULL;
}

static int sender_open(struct clickhouse *c, const struct clickhouse_settings *s, uint64_t run)
{
	const struct clickhouse_sender_settings settings = {.client = s->client,
		.schema = s->schema,
		.box = s->box,
		.instance = s->instance ? s->instance : c->instance,
		.run = run,
		.outbox = c->outbox,
		.retry_min_ms = s->retry_min_ms ? s->retry_min_ms : CLICKHOUSE_RETRY_MIN_MS,
		.retry_max_ms = s->retry_max_ms ? s->retry_max_ms : CLICKHOUSE_RETRY_MAX_MS,
		.settle_ms = s->settle_ms ? s->settle_ms : CLICKHOUSE_SETTLE_MS,
		.tidy_ms = s->tidy_ms ? s->tidy_ms : CLICKHOUSE_TIDY_MS,
		.hold_ms = s->hold_ms ? s->hold_ms : CLICKHOUSE_HOLD_MS,
		.unix_s = s->unix_s};
	return clickhouse_sender_open(&c->sender, &settings);
}

int clickhouse_open(struct clickhouse **out, const struct clickhouse_settings *s)
{
	if (strlen(s->folder) >= sizeof(((struct clickhouse *)0)->folder))
		return -EINVAL;
	struct clickhouse *c = heap_calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	uint64_t run = s->run ? s->run : clock_us_of(CLOCK_REALTIME);
	snprintf(c->folder, sizeof(c->folder), "%s", s->folder);
	clickhouse_spool_instance("/etc/machine-id", c->folder, c->instance);
	c->flush_ms = s->flush_ms;
	c->look_ms = s->flush_ms < LOOK_MS ? s->flush_ms : LOOK_MS;
	c->stop_ms = s->stop_ms ? s->stop_ms : CLICKHOUSE_STOP_MS;
	pthread_mutex_init(&c->lock, NULL);
	const struct clickhouse_outbox_settings outbox = {.folder = c->folder,
		.box = s->box,
		.spool_max_bytes = s->spool_max_bytes,
		.memory_max_bytes = s->memory_max_bytes ? s->memory_max_bytes
							: (uint64_t)CLICKHOUSE_MEMORY_MAX};
	int rc = querylog_queue_open(&c->queue, CLICKHOUSE_QUEUE_MAX);
	if (rc == 0)
		rc = clickhouse_builder_open(&c->builder, run, s->flush_ms);
	if (rc == 0)
		rc = clickhouse_outbox_open(&c->outbox, &outbox);
	if (rc == 0)
		rc = sender_open(c, s, run);
	if (rc == 0)
		rc = thread_start(&c->thread, "weir-ch-make", maker_run, c);
	c->thread_runs = rc == 0;
	if (rc) {
		clickhouse_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

int clickhouse_reconfigure(struct clickhouse *c, const struct clickhouse_settings *s)
{
	int rc = clickhouse_sender_reconfigure(c->sender, &s->client, &s->schema);
	if (rc == 0)
		c->flush_ms = s->flush_ms;
	return rc;
}

// Logs the rows that the shutdown lost.
static void losses_tell(const struct clickhouse *c, const struct clickhouse_outbox_counts *before)
{
	struct clickhouse_outbox_counts after;
	clickhouse_outbox_counts(c->outbox, &after);
	unsigned long long rows = after.dropped_rows - before->dropped_rows + after.lost_rows
				  - before->lost_rows + c->lost_at_end_rows,
			   queries = after.dropped_weight - before->dropped_weight
				     + after.lost_weight - before->lost_weight
				     + c->lost_at_end_weight;
	if (rows)
		log_warning(
			"clickhouse: %llu rows of %llu queries lost at shutdown", rows, queries);
}

// Ends both threads: the maker has a quarter of stop_ms for its rows, the sender the rest.
static void threads_end(struct clickhouse *c)
{
	uint64_t until_ms = clock_mono_ms() + c->stop_ms;
	c->hurry_ms = until_ms - c->stop_ms * 3 / 4;
	if (c->thread_runs) {
		querylog_queue_close(c->queue);
		pthread_join(c->thread, NULL);
	} else if (c->outbox) {
		clickhouse_outbox_close(c->outbox);
	}
	uint64_t now_ms = clock_mono_ms();
	clickhouse_sender_close(c->sender, until_ms > now_ms ? (unsigned)(until_ms - now_ms) : 0);
}

void clickhouse_close(struct clickhouse *c)
{
	struct clickhouse_outbox_counts before = {0};
	if (!c)
		return;
	if (c->outbox)
		clickhouse_outbox_counts(c->outbox, &before);
	threads_end(c);
	if (c->outbox) {
		clickhouse_outbox_spill(c->outbox);
		losses_tell(c, &before);
	}
	clickhouse_outbox_free(c->outbox);
	clickhouse_builder_close(&c->builder);
	querylog_queue_free(c->queue);
	pthread_mutex_destroy(&c->lock);
	heap_free(c);
}

static bool fold(void *arg, const struct querylog_batch *b, uint64_t owed)
{
	return querylog_queue_put(((struct clickhouse *)arg)->queue, b, owed);
}

static void held(void *arg, struct querylog_held *out)
{
	struct clickhouse_status s;
	clickhouse_status(arg, &s);
	*out = s.all;
}

struct querylog_sink clickhouse_sink(struct clickhouse *c)
{
	return (struct querylog_sink){.name = "clickhouse", .fold = fold, .held = held, .arg = c};
}

// The one sum of lost rows: the status, the metrics and the log all use it.
static void all_sum(struct clickhouse_status *s)
{
	const struct clickhouse_sender_status *t = &s->sender;
	const struct clickhouse_outbox_counts *o = &s->outbox;
	s->held_rows += o->rows;
	s->held_weight += o->weight;
	s->all = (struct querylog_held){.rows = s->held_rows,
		.weight = s->held_weight,
		.lost_rows = s->lost_rows + o->lost_rows + o->dropped_rows + t->refused_rows
			     + t->partial_rows,
		.lost_weight = s->lost_weight + o->lost_weight + o->dropped_weight
			       + t->refused_weight + t->partial_weight};
}

void clickhouse_status(struct clickhouse *c, struct clickhouse_status *out)
{
	struct querylog_queue_counts counts;
	pthread_mutex_lock(&c->lock);
	*out = c->shown;
	pthread_mutex_unlock(&c->lock);
	clickhouse_outbox_counts(c->outbox, &out->outbox);
	clickhouse_sender_status(c->sender, &out->sender);
	querylog_queue_counts(c->queue, &counts);
	out->held_rows += counts.rows;
	out->held_weight += counts.weight;
	all_sum(out);
	out->rows_max = clickhouse_sender_rows_max(c->sender);
	out->queued = counts.used;
	out->queue_cap = counts.cap;
	out->queued_most = counts.used_most;
	out->queued_since_ms = counts.since_ms;
	out->queue_bytes = counts.bytes + sizeof(*c);
	out->refused = counts.refused;
}

// The age of the oldest file in the spool, by the hour of its rows.
static uint64_t spool_age(const struct clickhouse_status *s)
{
	uint64_t hour_s = UINT64_C(3600) * s->outbox.spool_hour, now_s = (uint64_t)time(NULL);
	return hour_s && now_s > hour_s ? (now_s - hour_s) * 1000 : 0;
}

void clickhouse_tables(const struct clickhouse_status *s, struct table_registry *tables)
{
	uint64_t now_ms = clock_mono_ms();
	table_register(tables, &(struct table_info){.name = "clickhouse_queue",
				       .owner = "clickhouse",
				       .eviction = "drop the batch, keep its weight",
				       .lifetime = "until its rows are in a chunk",
				       .kind = TABLE_WORK,
				       .cap = s->queue_cap,
				       .used = s->queued,
				       .high = s->queued_most,
				       .bytes = s->queue_bytes,
				       .refused = s->refused,
				       .oldest_ms = table_age(s->queued_since_ms, now_ms),
				       .has = TABLE_AGES | TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "clickhouse_chunk",
				       .owner = "clickhouse",
				       .eviction = "end the chunk",
				       .lifetime = "query_log.clickhouse.flush_ms",
				       .kind = TABLE_WORK,
				       .cap = s->wanted_rows,
				       .used = s->open_rows,
				       .bytes = s->buffer_bytes,
				       .oldest_ms = table_age(s->open_since_ms, now_ms),
				       .grown = s->buffer_grown,
				       .shrunk = s->buffer_shrunk,
				       .has = TABLE_AGES | TABLE_GROWS});
	table_register(tables, &(struct table_info){.name = "clickhouse_outbox",
				       .owner = "clickhouse",
				       .eviction = "move the oldest to disk",
				       .lifetime = "until sent",
				       .kind = TABLE_WORK,
				       .cap = CLICKHOUSE_OUTBOX_MAX,
				       .used = s->outbox.chunks,
				       .high = s->outbox.chunks_most,
				       .bytes = s->outbox.memory,
				       .evicted = s->outbox.spilled,
				       .refused = s->outbox.refused,
				       .oldest_ms = table_age(s->outbox.since_ms, now_ms),
				       .has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
	table_register(
		tables, &(struct table_info){.name = "clickhouse_spool",
				.owner = "clickhouse",
				.eviction = "delete the oldest, counted",
				.lifetime = "until sent",
				.kind = TABLE_CACHE,
				.cap = CLICKHOUSE_SPOOL_FILES_MAX,
				.used = s->outbox.spooled,
				.high = s->outbox.spooled_most,
				.evicted = s->outbox.dropped_chunks,
				.bytes = CLICKHOUSE_SPOOL_SLOTS * sizeof(struct clickhouse_spooled),
				.refused = s->outbox.refused,
				.oldest_ms = spool_age(s),
				.has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
}
