// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_build.h"
#include "clickhouse_sender_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

enum { TAKE_MS = 200 };

static void show(struct clickhouse_sender *s)
{
	s->now.retry_at_ms = s->retry_at_ms;
	s->now.version = s->here->schema.version;
	s->now.is_distributed = s->here->schema.is_distributed;
	s->now.dedups = s->here->schema.dedups;
	s->now.table_bytes = s->here->schema.bytes;
	s->now.urls = s->urls;
	s->now.url_at = clickhouse_sender_at(s) + 1;
	snprintf(s->now.url, sizeof(s->now.url), "%s", clickhouse_client_url(s->client));
	s->now.limits = s->here->schema.limits;
	s->now.clock_ahead_s = s->here->schema.clock_ahead_s;
	s->now.tidy_why[0] = '\0';
	for (unsigned i = 0; i < s->urls && !*s->now.tidy_why; i++)
		memcpy(s->now.tidy_why, s->server[i].tidy_why, sizeof(s->now.tidy_why));
	if (s->here->is_ready)
		atomic_store(&s->coding, clickhouse_schema_coding(&s->here->schema));
	pthread_mutex_lock(&s->lock);
	s->shown = s->now;
	pthread_mutex_unlock(&s->lock);
}

void clickhouse_sender_pause(struct clickhouse_sender *s, uint64_t ms)
{
	const struct timespec until = clock_deadline(ms);
	pthread_mutex_lock(&s->lock);
	while (!s->stop && !s->is_closing && !s->is_renewed)
		if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
			break;
	pthread_mutex_unlock(&s->lock);
}

// An error without a code is a proxy's, behind which a request may lie as it may in the server's
// sockets.
void clickhouse_sender_heard(struct clickhouse_sender *s, const struct clickhouse_answer *a)
{
	if (!a->status) {
		s->here->contact_ms = 0;
		s->here->is_ready = false;
	} else if (a->status != 200 && !a->code) {
		s->here->contact_ms = 0;
	} else if (!s->here->contact_ms) {
		s->here->contact_ms = clock_mono_ms();
	}
	if (a->code == CLICKHOUSE_NO_TABLE || a->code == CLICKHOUSE_NO_DATABASE
		|| a->code == CLICKHOUSE_NO_COLUMN)
		s->here->is_ready = false;
}

void clickhouse_sender_use(struct clickhouse_sender *s, unsigned url)
{
	s->here->contact_ms = 0; // what happens there meanwhile is not seen
	s->here = &s->server[url];
	s->here->contact_ms = 0;
	clickhouse_client_use(s->client, url);
}

void clickhouse_sender_next(struct clickhouse_sender *s)
{
	s->wait_ms = 0;
	if (++s->tried >= s->urls) {
		s->tried = 0;
		s->backoff_ms = s->backoff_ms ? s->backoff_ms * 2 : s->settings.retry_min_ms;
		if (s->backoff_ms > s->settings.retry_max_ms)
			s->backoff_ms = s->settings.retry_max_ms;
		s->wait_ms = s->backoff_ms;
	}
	s->retry_at_ms = clock_mono_ms() + s->wait_ms;
	if (s->urls > 1)
		clickhouse_sender_use(s, (clickhouse_sender_at(s) + 1) % s->urls);
}

void clickhouse_sender_text(
	const struct clickhouse_sender *s, const char *why, char text[CLICKHOUSE_WHY_MAX])
{
	if (s->urls > 1)
		snprintf(text, CLICKHOUSE_WHY_MAX, "%.64s: %.100s",
			clickhouse_client_url(s->client), why);
	else
		snprintf(text, CLICKHOUSE_WHY_MAX, "%.170s", why);
}

void clickhouse_sender_failed(
	struct clickhouse_sender *s, enum clickhouse_step step, const char *why, bool stays)
{
	static const char *const names[] = {
		[CLICKHOUSE_STEP_SCHEMA] = "schema",
		[CLICKHOUSE_STEP_COLUMNS] = "columns",
		[CLICKHOUSE_STEP_COUNT] = "count",
		[CLICKHOUSE_STEP_SIZE] = "size",
		[CLICKHOUSE_STEP_CODING] = "coding",
		[CLICKHOUSE_STEP_INSERT] = "insert",
	};
	char text[CLICKHOUSE_WHY_MAX];
	clickhouse_sender_text(s, why, text);
	s->now.failures++;
	if (!s->now.is_failing)
		log_warning("clickhouse: %s: %s", names[step], text);
	snprintf(s->now.why, sizeof(s->now.why), "%.20s: %.170s", names[step], text);
	s->now.is_failing = true;
	s->now.is_up = false;
	s->wait_ms = 0;
	if (!stays)
		clickhouse_sender_next(s);
	show(s);
}

void clickhouse_sender_succeeded(struct clickhouse_sender *s)
{
	if (s->now.is_failing && s->urls > 1)
		log_info("clickhouse: %s is up", clickhouse_client_url(s->client));
	else if (s->now.is_failing)
		log_info("clickhouse: up again");
	s->backoff_ms = s->wait_ms = 0;
	s->tried = 0;
	s->now.is_failing = false;
	s->now.is_up = true;
	s->now.why[0] = '\0';
	show(s);
}

enum clickhouse_end clickhouse_sender_schema(
	struct clickhouse_sender *s, struct clickhouse_answer *a)
{
	if (s->here->is_ready)
		return CLICKHOUSE_DONE;
	enum clickhouse_end end = clickhouse_schema_make(&s->here->schema, s->client, a);
	clickhouse_sender_heard(s, a);
	s->here->is_ready = end == CLICKHOUSE_DONE;
	return end;
}

static void servers_begin(
	struct clickhouse_sender *s, const struct clickhouse_schema_settings *schema)
{
	s->urls = clickhouse_client_urls(s->client);
	s->here = s->server;
	s->tried = s->taken_at = 0;
	for (unsigned i = 0; i < s->urls; i++) {
		s->server[i].schema.settings = *schema;
		s->server[i].schema.box = s->settings.box;
		s->server[i].schema.instance = s->settings.instance;
		s->server[i].schema.has_peers = s->urls > 1;
		s->server[i].is_ready = false;
		s->server[i].contact_ms = 0;
		s->server[i].tidy_why[0] = '\0';
	}
}

void clickhouse_sender_renew(struct clickhouse_sender *s)
{
	if (!s->is_renewed)
		return;
	pthread_mutex_lock(&s->lock);
	struct clickhouse_client *before = s->client;
	s->client = s->next_client;
	s->next_client = NULL;
	servers_begin(s, &s->next_schema);
	s->is_renewed = false;
	pthread_mutex_unlock(&s->lock);
	clickhouse_client_close(before);
	s->renewals++;
	s->backoff_ms = s->wait_ms = s->retry_at_ms = s->tidy_at_ms = 0;
}

// With nothing to send: the tables are there before the first row, do not grow for ever, and a
// server that is back is known to be.
static void idle(struct clickhouse_sender *s)
{
	struct clickhouse_answer a;
	uint64_t now_ms = clock_mono_ms();
	if (s->now.is_failing && now_ms >= s->retry_at_ms)
		s->here->is_ready = false;
	if (!s->here->is_ready && now_ms >= s->retry_at_ms) {
		if (clickhouse_sender_schema(s, &a) == CLICKHOUSE_DONE)
			clickhouse_sender_succeeded(s);
		else if (!s->stop && !s->is_closing)
			clickhouse_sender_failed(s, CLICKHOUSE_STEP_SCHEMA, a.why, false);
	}
	show(s);
}

static void *sender_run(void *arg)
{
	struct clickhouse_sender *s = arg;
	thread_background();
	while (!s->stop) {
		struct clickhouse_parcel p;
		clickhouse_sender_renew(s);
		int rc = clickhouse_outbox_take(s->settings.outbox, TAKE_MS, &p);
		if (rc == 0 && !clickhouse_deliver(s, &p)) {
			clickhouse_outbox_give_back(s->settings.outbox, &p);
			break;
		}
		if (s->is_closing && (rc < 0 || s->now.is_failing))
			break;
		if (rc < 0)
			idle(s);
		if (rc < 0 && rc != -ENOENT)
			clickhouse_sender_pause(s, s->settings.retry_min_ms);
		if (clickhouse_expire(s))
			show(s);
	}
	show(s);
	pthread_mutex_lock(&s->lock);
	s->is_ended = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void sender_free(struct clickhouse_sender *s)
{
	clickhouse_client_close(s->client);
	clickhouse_client_close(s->next_client);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	heap_free(s);
}

int clickhouse_sender_open(
	struct clickhouse_sender **out, const struct clickhouse_sender_settings *settings)
{
	struct clickhouse_sender *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	thread_cond_init(&s->changed);
	s->settings = *settings;
	atomic_store(&s->rows_max, CLICKHOUSE_ROWS_MAX);
	struct clickhouse_client_settings client = settings->client;
	client.post.stop = &s->stop;
	int rc = clickhouse_client_open(&s->client, &client);
	// The client has copied the caller's texts.
	s->settings.client = (struct clickhouse_client_settings){0};
	if (rc == 0) {
		servers_begin(s, &settings->schema);
		rc = thread_start(&s->thread, "weir-ch-send", sender_run, s);
	}
	if (rc) {
		sender_free(s);
		return rc;
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

int clickhouse_sender_reconfigure(struct clickhouse_sender *s,
	const struct clickhouse_client_settings *client,
	const struct clickhouse_schema_settings *schema)
{
	struct clickhouse_client_settings settings = *client;
	struct clickhouse_client *next;
	settings.post.stop = &s->stop;
	int rc = clickhouse_client_open(&next, &settings);
	if (rc)
		return rc;
	pthread_mutex_lock(&s->lock);
	struct clickhouse_client *unused = s->next_client;
	s->next_client = next;
	s->next_schema = *schema;
	s->is_renewed = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	clickhouse_client_close(unused);
	return 0;
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
	uint64_t now_ms = clock_mono_ms();
	out->retry_in_ms =
		out->is_failing && out->retry_at_ms > now_ms ? out->retry_at_ms - now_ms : 0;
}
