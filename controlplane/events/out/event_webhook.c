// SPDX-License-Identifier: BSD-3-Clause
#include "event_webhook.h"

#include "base/json.h"
#include "events/events.h"
#include "querylog/sinks/webhook.h"
#include "querylog/sinks/webhook_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

struct target {
	const struct config_event_webhook *config;
	struct webhook_post to;
	uint64_t after; // number of the last event that the target got or does not want
};

// The events of a message.
struct batch {
	struct event_record event[EVENT_WEBHOOK_EVENTS_MAX];
	unsigned count;
	uint64_t missed;
	uint64_t after; // number of the last event read
};

struct event_webhook {
	struct event_sink *sink;
	struct events *events;
	const char *box;
	const _Atomic bool *single;
	unsigned count;
	struct target target[CONFIG_WEBHOOKS_MAX];
	struct batch batch; // events of the message being made
	struct sink_status now;
};

static bool wants(const struct config_event_webhook *c, const struct event_record *e)
{
	return (c->kinds & (UINT32_C(1) << e->kind)) && e->severity >= c->severity;
}

// Collects the next events that the target wants. False: no such event.
static bool batch_fill(struct event_webhook *w, const struct target *t)
{
	struct batch *b = &w->batch;
	struct event_record e;
	uint64_t missed;
	*b = (struct batch){.after = t->after};
	while (b->count < EVENT_WEBHOOK_EVENTS_MAX
		&& events_copy(w->events, b->after, &e, &missed)) {
		b->missed += missed;
		b->after = e.number;
		if (wants(t->config, &e))
			b->event[b->count++] = e;
	}
	return b->count > 0;
}

static char *batch_discord(const struct event_webhook *w)
{
	const struct batch *b = &w->batch;
	struct webhook_content c = {0};
	char text[EVENT_TEXT_MAX];
	webhook_content_line(&c, "**%s**\n", w->box);
	if (b->missed)
		webhook_content_line(&c, "%" PRIu64 " events missed\n", b->missed);
	for (unsigned i = 0; i < b->count; i++)
		webhook_content_line(&c, "%s %s: `%s`\n",
			event_severity_names[b->event[i].severity],
			event_kind_names[b->event[i].kind],
			webhook_harmless(b->event[i].text, text, sizeof(text)));
	return webhook_discord(&c);
}

static char *batch_text(const struct event_webhook *w, enum webhook_form form)
{
	const struct batch *b = &w->batch;
	if (form == WEBHOOK_DISCORD)
		return batch_discord(w);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "kind", "events");
	json_out_text(o, root, "box", w->box);
	json_out_count(o, root, "missed", b->missed);
	struct json_node *list = json_out_array(o, root, "events");
	for (unsigned i = 0; i < b->count; i++)
		event_json(o, json_out_object(o, list, NULL), &b->event[i]);
	return json_out_finish(o);
}

// Sends the next message to a target. True: it was sent, or failed. False: no event for it. `after`
// moves past events that the target does not want, too.
static bool tell(struct event_webhook *w, struct target *t, uint64_t now_ms, unsigned timeout_ms)
{
	if (!batch_fill(w, t)) {
		w->now.lost += w->batch.missed;
		t->after = w->batch.after;
		return false;
	}
	char *text = batch_text(w, t->config->to.form);
	if (text && webhook_post_send(&t->to, text, now_ms, timeout_ms, &w->now)) {
		w->now.lost += w->batch.missed;
		t->after = w->batch.after;
	}
	heap_free(text);
	return true;
}

// The status shows the failing target that is tried next.
static bool show(struct event_webhook *w)
{
	const struct webhook_post *next = NULL;
	for (unsigned i = 0; i < w->count; i++) {
		const struct webhook_post *to = &w->target[i].to;
		if (to->retry.wait_ms && (!next || to->retry.at_ms < next->retry.at_ms))
			next = to;
	}
	w->now.failing = next != NULL;
	(void)snprintf(w->now.why, sizeof(w->now.why), "%s", next ? next->why : "");
	w->now.retry_at_ms = next ? next->retry.at_ms : 0;
	event_sink_show(w->sink, &w->now);
	return next != NULL;
}

// Sends at most one message to each target, because other targets wait while a slow one is served.
static bool on_beat(void *arg, uint64_t now_ms)
{
	struct event_webhook *w = arg;
	bool waits = false;
	for (unsigned i = 0; i < w->count; i++) {
		struct target *t = &w->target[i];
		if (webhook_post_may_send(&t->to, now_ms))
			waits |= tell(w, t, now_ms, WEBHOOK_TIMEOUT_MS);
		else
			waits |= batch_fill(w, t);
	}
	return show(w) || waits;
}

static void targets_close(struct event_webhook *w)
{
	for (unsigned i = 0; i < w->count; i++)
		webhook_post_close(&w->target[i].to);
	w->count = 0;
}

static uint64_t after_of(const struct event_webhook *w, const char *url, uint64_t newest)
{
	for (unsigned i = 0; i < w->count; i++)
		if (strcmp(w->target[i].config->to.url, url) == 0)
			return w->target[i].after;
	return newest;
}

// A target whose URL was configured before keeps its position in the ring.
static void on_apply(void *arg, const struct event_sink_settings *s)
{
	struct event_webhook *w = arg;
	uint64_t after[CONFIG_WEBHOOKS_MAX];
	const unsigned count = s->config.webhook_count;
	const struct http_post_settings post = {.server_count = s->server_count,
		.servers = s->server,
		.single = w->single,
		.stop = event_sink_is_ending(w->sink)};
	for (unsigned i = 0; i < count; i++)
		after[i] = after_of(w, s->config.webhooks[i].to.url, s->newest);
	targets_close(w);
	for (unsigned i = 0; i < count; i++) {
		struct target *t = &w->target[w->count];
		*t = (struct target){.config = &s->config.webhooks[i], .after = after[i]};
		if (webhook_post_open(&t->to, &t->config->to, &post) == 0)
			w->count++;
		else
			log_error("events: no memory for webhook %s; it gets none", t->to.shown);
	}
	(void)snprintf(w->now.target, sizeof(w->now.target), "%u targets", w->count);
}

static void on_end(void *arg)
{
	struct event_webhook *w = arg;
	const uint64_t until_ms = clock_mono_ms() + WEBHOOK_END_MS;
	uint64_t now_ms;
	for (unsigned i = 0; i < w->count; i++) {
		struct target *t = &w->target[i];
		while ((now_ms = clock_mono_ms()) < until_ms && webhook_post_has_room(&t->to)
			&& tell(w, t, now_ms, (unsigned)(until_ms - now_ms)))
			;
	}
	targets_close(w);
	heap_free(w);
}

int event_webhook_start(struct event_sink **out, struct events *events, const char *box,
	const _Atomic bool *single, const struct event_sink_settings *s)
{
	struct event_webhook *w = heap_calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->events = events;
	w->box = box;
	w->single = single;
	const struct event_sink_work work = {.name = "webhooks",
		.bytes = sizeof(*w),
		.apply = on_apply,
		.beat = on_beat,
		.end = on_end,
		.arg = w};
	int rc = event_sink_start(&w->sink, events, &work, s);
	if (rc < 0)
		heap_free(w);
	else
		*out = w->sink;
	return rc;
}
