// SPDX-License-Identifier: BSD-3-Clause
#include "event_sink.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

struct event_sink {
	struct event_sink_work work;
	struct events *events;
	pthread_t thread;
	_Atomic bool is_ending;
	struct event_sink_settings *settings; // used by the thread alone
	pthread_mutex_t lock;                 // protects the fields below
	struct event_sink_settings *next;     // settings not applied yet; NULL: no new ones
	struct sink_status status;
};

static void settings_free(struct event_sink_settings *s)
{
	if (!s)
		return;
	for (unsigned i = 0; s->config.webhooks && i < s->config.webhook_count; i++) {
		FREE_AND_NULL(s->config.webhooks[i].to.url);
		FREE_AND_NULL(s->config.webhooks[i].to.ca_file);
	}
	FREE_AND_NULL(s->config.webhooks);
	FREE_AND_NULL(s->config.syslog);
	heap_free(s);
}

static bool webhooks_copy(struct config_events *to, const struct config_events *from)
{
	const size_t bytes = from->webhook_count * sizeof(*to->webhooks);
	to->webhooks = NULL;
	if (bytes == 0)
		return true;
	to->webhooks = heap_malloc(bytes);
	if (!to->webhooks)
		return false;
	memcpy(to->webhooks, from->webhooks, bytes);
	bool whole = true;
	for (unsigned i = 0; i < from->webhook_count; i++) {
		const struct config_webhook_to *w = &from->webhooks[i].to;
		struct config_webhook_to *copy = &to->webhooks[i].to;
		copy->url = heap_strdup(w->url);
		copy->ca_file = w->ca_file ? heap_strdup(w->ca_file) : NULL;
		whole &= copy->url && (copy->ca_file || !w->ca_file);
	}
	return whole;
}

static struct event_sink_settings *settings_copy(const struct event_sink_settings *s)
{
	struct event_sink_settings *copy = heap_malloc(sizeof(*copy));
	if (!copy)
		return NULL;
	*copy = *s;
	copy->config.syslog = heap_strdup(s->config.syslog);
	if (webhooks_copy(&copy->config, &s->config) && copy->config.syslog)
		return copy;
	settings_free(copy);
	return NULL;
}

static void settings_take(struct event_sink *k)
{
	pthread_mutex_lock(&k->lock);
	struct event_sink_settings *next = k->next;
	k->next = NULL;
	pthread_mutex_unlock(&k->lock);
	if (!next)
		return;
	k->work.apply(k->work.arg, next);
	settings_free(k->settings);
	k->settings = next;
}

static void *run(void *arg)
{
	struct event_sink *k = arg;
	uint64_t newest = 0;
	thread_background();
	while (!atomic_load(&k->is_ending)) {
		settings_take(k);
		const bool waits = k->work.beat(k->work.arg, clock_mono_ms());
		newest = events_wait(
			k->events, newest, waits ? EVENT_SINK_BEAT_MS : EVENT_SINK_REST_MS);
	}
	atomic_store(&k->is_ending, false);
	k->work.end(k->work.arg);
	return NULL;
}

static void sink_free(struct event_sink *k)
{
	settings_free(k->settings);
	settings_free(k->next);
	pthread_mutex_destroy(&k->lock);
	heap_free(k);
}

int event_sink_start(struct event_sink **out, struct events *events,
	const struct event_sink_work *work, const struct event_sink_settings *s)
{
	struct event_sink *k = heap_calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->work = *work;
	k->events = events;
	k->status.name = work->name;
	pthread_mutex_init(&k->lock, NULL);
	k->next = settings_copy(s);
	*out = k; // the thread may read *out
	int rc = k->next ? thread_start(&k->thread, "weir-events", run, k) : -ENOMEM;
	if (rc == 0)
		return 0;
	*out = NULL;
	sink_free(k);
	return rc;
}

int event_sink_configure(struct event_sink *k, const struct event_sink_settings *s)
{
	struct event_sink_settings *next = settings_copy(s);
	if (!next)
		return -ENOMEM;
	pthread_mutex_lock(&k->lock);
	struct event_sink_settings *unused = k->next;
	k->next = next;
	pthread_mutex_unlock(&k->lock);
	settings_free(unused);
	events_poke(k->events);
	return 0;
}

void event_sink_stop(struct event_sink *k)
{
	if (!k)
		return;
	atomic_store(&k->is_ending, true);
	events_poke(k->events);
	pthread_join(k->thread, NULL);
	sink_free(k);
}

const _Atomic bool *event_sink_is_ending(const struct event_sink *k)
{
	return &k->is_ending;
}

size_t event_sink_bytes(const struct event_sink *k)
{
	return sizeof(*k) + sizeof(*k->settings) + k->work.bytes;
}

void event_sink_show(struct event_sink *k, const struct sink_status *s)
{
	pthread_mutex_lock(&k->lock);
	k->status = *s;
	k->status.name = k->work.name;
	pthread_mutex_unlock(&k->lock);
}

void event_sink_status(struct event_sink *k, struct sink_status *out)
{
	const uint64_t now_ms = clock_mono_ms();
	pthread_mutex_lock(&k->lock);
	*out = k->status;
	pthread_mutex_unlock(&k->lock);
	const bool waits = out->failing && out->retry_at_ms > now_ms;
	out->retry_in_ms = waits ? out->retry_at_ms - now_ms : 0;
}

static void well(struct event_each *c)
{
	if (c->now.failing)
		log_info("events: %s takes them again", c->name);
	c->retry = (struct sink_retry){0};
	c->now.failing = false;
	c->now.why[0] = '\0';
}

static void failed(struct event_each *c, int rc)
{
	sink_thread_retry_after(&c->retry, clock_mono_ms());
	c->now.failures++;
	(void)snprintf(c->now.why, sizeof(c->now.why), "%s", strerror(-rc));
	if (!c->now.failing)
		log_warning("events: %s does not take them: %s; they wait", c->name, c->now.why);
	c->now.failing = true;
}

void event_each_apply(struct event_each *c, bool is_on, uint64_t newest)
{
	if (is_on && !c->is_on)
		c->after = newest;
	c->is_on = is_on;
	c->retry = (struct sink_retry){0};
	c->now.failing = false;
	c->now.why[0] = '\0';
}

bool event_each_beat(struct event_each *c, uint64_t now_ms)
{
	struct event_record e;
	uint64_t missed;
	if (!c->is_on) {
		event_sink_show(c->sink, &c->now);
		return false;
	}
	while (now_ms >= c->retry.at_ms && clock_mono_ms() < now_ms + EVENT_SINK_TURN_MS
		&& events_copy(c->events, c->after, &e, &missed)) {
		const int rc = c->send(c->arg, &e);
		if (rc < 0) {
			failed(c, rc);
			break;
		}
		well(c);
		c->now.lost += missed;
		c->now.written++;
		c->now.bytes += (uint64_t)rc;
		c->after = e.number;
	}
	c->now.retry_at_ms = c->now.failing ? c->retry.at_ms : 0;
	event_sink_show(c->sink, &c->now);
	return c->now.failing;
}
