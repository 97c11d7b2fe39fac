// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_sender.h"

#include "clickhouse_build.h"
#include "thread_start.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/log.h>

enum { HTTP_TOO_LARGE = 413, TAKE_MS = 200, QUERY_ID_MAX = 96, PARAMETERS_MAX = 256 };

struct clickhouse_sender {
	struct clickhouse_sender_settings settings;
	pthread_t thread;
	pthread_mutex_t lock; // of what follows
	pthread_cond_t changed;
	bool is_ended;
	struct clickhouse_sender_status shown;

	_Atomic bool stop, is_closing;
	_Atomic unsigned coding, rows_max;

	// The thread's own.
	struct clickhouse_client *client;
	struct clickhouse_schema schema;
	struct clickhouse_sender_status now;
	bool is_ready;       // the schema was made since contact
	uint64_t contact_ms; // since when the server answers; 0: it does not
	uint64_t backoff_ms, retry_at_ms, tidy_at_ms;
};

static void show(struct clickhouse_sender *s)
{
	uint64_t now_ms = clock_mono_ms();
	s->now.retry_in_ms =
		s->now.is_failing && s->retry_at_ms > now_ms ? s->retry_at_ms - now_ms : 0;
	s->now.version = s->schema.version;
	s->now.is_distributed = s->schema.is_distributed;
	s->now.table_bytes = s->schema.bytes;
	s->now.dropped_partitions = s->schema.dropped_partitions;
	pthread_mutex_lock(&s->lock);
	s->shown = s->now;
	pthread_mutex_unlock(&s->lock);
}

// Or until it is to end.
static void pause_for(struct clickhouse_sender *s, uint64_t ms)
{
	const struct timespec until = clock_deadline(ms);
	pthread_mutex_lock(&s->lock);
	while (!s->stop && !s->is_closing)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&s->lock);
}

// Every answer goes through here, so that it is known since when the server speaks. An error
// without a code is a proxy's, behind which a request may lie as it may in the server's sockets.
static void heard(struct clickhouse_sender *s, const struct clickhouse_answer *a)
{
	if (!a->status) {
		s->contact_ms = 0;
		s->is_ready = false;
	} else if (a->status != 200 && !a->code) {
		s->contact_ms = 0;
	} else if (!s->contact_ms) {
		s->contact_ms = clock_mono_ms();
	}
	if (a->code == CLICKHOUSE_NO_TABLE || a->code == CLICKHOUSE_NO_DATABASE
		|| a->code == CLICKHOUSE_NO_COLUMN)
		s->is_ready = false;
}

static void failed(struct clickhouse_sender *s, const char *what, const char *why)
{
	s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : s->settings.retry_min_ms;
	if (s->backoff_ms > s->settings.retry_max_ms)
		s->backoff_ms = s->settings.retry_max_ms;
	s->retry_at_ms = clock_mono_ms() + s->backoff_ms;
	s->now.failures++;
	if (!s->now.is_failing)
		log_warning("clickhouse: %s: %s", what, why);
	s->now.is_failing = true;
	s->now.is_up = false;
	snprintf(s->now.why, sizeof s->now.why, "%.20s: %.170s", what, why);
	show(s);
}

static void succeeded(struct clickhouse_sender *s)
{
	if (s->now.is_failing)
		log_info("clickhouse: up again");
	s->backoff_ms = 0;
	s->now.is_failing = false;
	s->now.is_up = true;
	s->now.why[0] = '\0';
	show(s);
}

static enum clickhouse_end schema_make(struct clickhouse_sender *s, struct clickhouse_answer *a)
{
	if (s->is_ready)
		return CLICKHOUSE_DONE;
	enum clickhouse_end end = clickhouse_schema_make(&s->schema, s->client, a);
	heard(s, a);
	if (end != CLICKHOUSE_DONE)
		return end;
	s->is_ready = true;
	atomic_store(&s->coding, clickhouse_schema_coding(&s->schema));
	return end;
}

static enum clickhouse_end number_ask(
	struct clickhouse_sender *s, const char *sql, uint64_t *out, struct clickhouse_answer *a)
{
	enum clickhouse_end end = clickhouse_ask(s->client, sql, a);
	heard(s, a);
	if (end == CLICKHOUSE_DONE)
		*out = strtoull(a->text, NULL, 10);
	return end;
}

// Rows of the chunk that the server has, when nothing more can come of an earlier try.
static enum clickhouse_end count_ask(struct clickhouse_sender *s,
	const struct clickhouse_spooled *what, uint64_t *rows, struct clickhouse_answer *a)
{
	char sql[CLICKHOUSE_SQL_MAX], id[QUERY_ID_MAX];
	uint64_t running = 0;
	clickhouse_query_id(s->client, &what->chunk, id, sizeof id);
	snprintf(sql, sizeof sql, "SELECT count() FROM system.processes WHERE query_id = '%s'", id);
	enum clickhouse_end end = number_ask(s, sql, &running, a);
	if (end == CLICKHOUSE_DONE && running) {
		snprintf(a->why, sizeof a->why, "the insert still runs");
		return CLICKHOUSE_UNCLEAR;
	}
	if (end == CLICKHOUSE_DONE) {
		clickhouse_schema_count(&s->schema, s->settings.box, what, sql);
		end = number_ask(s, sql, rows, a);
	}
	return end;
}

enum found { FOUND_NONE, FOUND_ALL, FOUND_ERROR };

static enum found find(struct clickhouse_sender *s, const struct clickhouse_spooled *what,
	enum clickhouse_end *end, struct clickhouse_answer *a)
{
	for (;;) {
		uint64_t rows = 0;
		*end = count_ask(s, what, &rows, a);
		if (*end != CLICKHOUSE_DONE)
			return FOUND_ERROR;
		if (rows) {
			s->now.found_chunks++;
			s->now.partial_rows += rows < what->rows ? what->rows - rows : 0;
			return FOUND_ALL;
		}
		uint64_t settled_ms = clock_mono_ms() - s->contact_ms;
		if (settled_ms >= s->settings.settle_ms)
			return FOUND_NONE;
		if (s->stop || s->is_closing) {
			*end = CLICKHOUSE_UNCLEAR;
			snprintf(a->why, sizeof a->why, "stopped");
			return FOUND_ERROR;
		}
		pause_for(s, s->settings.settle_ms - settled_ms);
	}
}

static enum clickhouse_end insert(
	struct clickhouse_sender *s, const struct clickhouse_parcel *p, struct clickhouse_answer *a)
{
	char sql[CLICKHOUSE_SQL_MAX], id[QUERY_ID_MAX], parameters[PARAMETERS_MAX];
	clickhouse_query_id(s->client, &p->what.chunk, id, sizeof id);
	clickhouse_schema_insert(&s->schema, sql);
	clickhouse_schema_parameters(&s->schema, id, parameters, sizeof parameters);
	enum clickhouse_end end =
		clickhouse_insert(s->client, sql, parameters, &p->what, p->body, a);
	heard(s, a);
	return end;
}

// One try. *must_ask: whether the server may have it.
static enum clickhouse_end attempt(struct clickhouse_sender *s, const struct clickhouse_parcel *p,
	bool *must_ask, const char **what, struct clickhouse_answer *a)
{
	*what = "schema";
	enum clickhouse_end end = schema_make(s, a);
	if (end != CLICKHOUSE_DONE)
		return end;
	if (*must_ask) {
		*what = "count";
		enum found found = find(s, &p->what, &end, a);
		if (found != FOUND_NONE)
			return end;
		*must_ask = false;
	}
	*what = "insert";
	end = insert(s, p, a);
	*must_ask = end == CLICKHOUSE_REFUSED || end == CLICKHOUSE_UNCLEAR;
	return end;
}

// Of what is said of octets that cannot be read: parsing, unpacking, the statement itself; and that
// they are too many, by a server or by a proxy before it.
static bool is_about_body(const struct clickhouse_answer *a)
{
	if (a->status == HTTP_TOO_LARGE)
		return true;
	static const unsigned codes[] = {
		6, 26, 27, 32, 33, 38, 41, 62, 69, 72, 89, 117, 131, 354, 432, 561};
	for (unsigned i = 0; i < ARRAY_LEN(codes); i++)
		if (a->code == codes[i])
			return true;
	return false;
}

// Chunks to come are half of what was too large.
static void rows_halve(struct clickhouse_sender *s, uint32_t rows)
{
	unsigned half = rows / 2 > 1 ? rows / 2 : 1;
	if (half < atomic_load(&s->rows_max))
		atomic_store(&s->rows_max, half);
}

// False: it is to end, and the chunk is given back.
static bool deliver(struct clickhouse_sender *s, struct clickhouse_parcel *p)
{
	struct clickhouse_answer a;
	bool must_ask = p->what.chunk.run != s->settings.run;
	unsigned body_tries = 0;
	const char *what;
	for (;;) {
		enum clickhouse_end end = attempt(s, p, &must_ask, &what, &a);
		if (end == CLICKHOUSE_DONE) {
			s->now.rows += p->what.rows;
			s->now.weight += p->what.weight;
			s->now.chunks++;
			s->now.sent_unix_s = (uint64_t)time(NULL);
			break;
		}
		if (s->stop || s->is_closing)
			return false;
		s->now.unclear += end == CLICKHOUSE_UNCLEAR;
		if (a.status == HTTP_TOO_LARGE)
			rows_halve(s, p->what.rows);
		failed(s, what, a.why);
		if (end == CLICKHOUSE_REFUSED && is_about_body(&a)
			&& ++body_tries == CLICKHOUSE_BODY_TRIES) {
			log_warning("clickhouse: %u rows are refused for good", p->what.rows);
			s->now.refused_rows += p->what.rows;
			s->now.refused_weight += p->what.weight;
			break;
		}
		clickhouse_outbox_failed(s->settings.outbox, p);
		pause_for(s, s->backoff_ms);
	}
	succeeded(s);
	clickhouse_outbox_done(s->settings.outbox, p);
	return true;
}

static int64_t unix_now(const struct clickhouse_sender *s)
{
	return s->settings.unix_s ? s->settings.unix_s() : (int64_t)time(NULL);
}

// With nothing to send: the tables are there before the first row, and do not grow for ever.
static void idle(struct clickhouse_sender *s)
{
	struct clickhouse_answer a;
	uint64_t now_ms = clock_mono_ms();
	if (!s->is_ready && now_ms >= s->retry_at_ms) {
		if (schema_make(s, &a) == CLICKHOUSE_DONE)
			succeeded(s);
		else if (!s->stop && !s->is_closing)
			failed(s, "schema", a.why);
	}
	show(s);
}

static void tidy(struct clickhouse_sender *s)
{
	struct clickhouse_answer a = {.status = 200};
	uint64_t now_ms = clock_mono_ms();
	if (!s->is_ready || now_ms < s->tidy_at_ms || s->is_closing)
		return;
	s->tidy_at_ms = now_ms + s->settings.tidy_ms;
	if (clickhouse_schema_tidy(&s->schema, s->client, unix_now(s), &a) != CLICKHOUSE_DONE) {
		s->now.tidy_failures++;
		log_warning("clickhouse: old rows stay: %s", a.why);
	}
	heard(s, &a);
	show(s);
}

static void *sender_run(void *arg)
{
	struct clickhouse_sender *s = arg;
	thread_background();
	while (!s->stop) {
		struct clickhouse_parcel p;
		int ret = clickhouse_outbox_take(s->settings.outbox, TAKE_MS, &p);
		if (ret == 0 && !deliver(s, &p)) {
			clickhouse_outbox_give_back(s->settings.outbox, &p);
			break;
		}
		if (s->is_closing && (ret < 0 || s->now.is_failing))
			break;
		if (ret < 0)
			idle(s);
		if (ret < 0 && ret != -ENOENT)
			pause_for(s, s->settings.retry_min_ms);
		tidy(s);
	}
	show(s);
	pthread_mutex_lock(&s->lock);
	s->is_ended = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static int thread_start(struct clickhouse_sender *s)
{
	sigset_t all, before;
	thread_mask(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&s->thread, NULL, sender_run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void sender_free(struct clickhouse_sender *s)
{
	clickhouse_client_close(s->client);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int clickhouse_sender_open(
	struct clickhouse_sender **out, const struct clickhouse_sender_settings *settings)
{
	struct clickhouse_sender *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	s->settings = *settings;
	atomic_store(&s->rows_max, CLICKHOUSE_ROWS_MAX);
	s->schema.settings = settings->schema;
	struct clickhouse_client_settings client = settings->client;
	client.post.stop = &s->stop;
	int ret = clickhouse_client_open(&s->client, &client);
	// What the caller's texts were is with the client now; they may go.
	s->settings.client = (struct clickhouse_client_settings){0};
	if (ret == 0) {
		clickhouse_client_box(s->client, settings->box);
		ret = thread_start(s);
	}
	if (ret) {
		sender_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void clickhouse_sender_close(struct clickhouse_sender *s, unsigned within_ms)
{
	if (!s)
		return;
	const struct timespec until = clock_deadline(within_ms);
	pthread_mutex_lock(&s->lock);
	s->is_closing = true;
	pthread_cond_broadcast(&s->changed);
	while (!s->is_ended)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
			break;
	s->stop = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	sender_free(s);
}

enum clickhouse_coding clickhouse_sender_coding(const struct clickhouse_sender *s)
{
	return (enum clickhouse_coding)atomic_load(&s->coding);
}

unsigned clickhouse_sender_rows_max(const struct clickhouse_sender *s)
{
	return atomic_load(&s->rows_max);
}

void clickhouse_sender_status(struct clickhouse_sender *s, struct clickhouse_sender_status *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->shown;
	pthread_mutex_unlock(&s->lock);
}
