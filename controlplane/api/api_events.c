// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of events: a stream of server-sent events until the client hangs up, or one document
// with the events in the ring. A reader has a place in the ring and no buffer. weir hangs up on a
// stuck client (api_lines.h), and counts it.

#include "api/metrics/metrics.h"
#include "api_lines.h"
#include "api_param.h"
#include "events/events.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum {
	READERS_MAX = 8,
	EVENTS_PENDING_MAX = 64 * 1024,
	HEARTBEAT_MS = 15000,
	NUMBER_DIGITS_MAX = 18,
	AT_ONCE_MAX = 64, // events in a tick
};

struct api_events_reader {
	LIST_ENTRY(api_events_reader) link;
	struct api *api;
	struct api_lines out;
	uint64_t after; // number of the last event sent
	uint64_t since_ms, sent_ms;
};

static void reader_free(struct api_events_reader *w)
{
	if (w)
		api_lines_end(&w->out);
	heap_free(w);
}

static void reader_end(struct api_events_reader *w)
{
	w->api->event_reader_count--;
	LIST_REMOVE(w, link);
	reader_free(w);
}

static bool put(struct api_events_reader *w, const char *text, size_t len)
{
	w->sent_ms = clock_mono_ms();
	return api_lines_put(&w->out, text, len);
}

static bool missed_send(struct api_events_reader *w, uint64_t missed)
{
	char text[96];
	int len = snprintf(
		text, sizeof(text), "event: missed\ndata: {\"missed\":%" PRIu64 "}\n\n", missed);
	return put(w, text, (size_t)len);
}

// Control characters are escaped, as six bytes at most, so the document is one line.
static bool event_send(struct api_events_reader *w, const struct event_record *e)
{
	enum { ROOM = 8192 };
	static_assert(6 * (EVENT_TEXT_MAX + EVENT_FIELDS_MAX * EVENT_VALUE_MAX) + 1024 < ROOM);
	char text[ROOM];
	struct json_out *o = json_out_new();
	event_json(o, json_out_root(o), e);
	char *data = json_out_finish(o);
	if (!data)
		return false;
	int len = snprintf(text, sizeof(text), "id: %" PRIu64 "\nevent: %s\ndata: %s\n\n",
		e->number, event_kind_names[e->kind], data);
	heap_free(data);
	return put(w, text, (size_t)len);
}

static bool events_send(struct api_events_reader *w)
{
	uint64_t missed;
	for (unsigned i = 0; i < AT_ONCE_MAX && w->out.pending < EVENTS_PENDING_MAX; i++) {
		const struct event_record *e = events_next(w->api->deps.events, w->after, &missed);
		if (!e)
			break;
		if ((missed && !missed_send(w, missed)) || !event_send(w, e))
			return false;
		w->after = e->number;
	}
	return clock_mono_ms() - w->sent_ms < HEARTBEAT_MS || put(w, ": heartbeat\n\n", 13);
}

static void on_tick(int, short, void *arg)
{
	struct api_events_reader *w = arg;
	struct api *a = w->api;
	enum api_lines_state state = api_lines_look(&w->out, EVENTS_PENDING_MAX, clock_mono_ms());
	if (state == API_LINES_GONE) {
		reader_end(w);
	} else if (state == API_LINES_STUCK || (state == API_LINES_ROOM && !events_send(w))) {
		a->event_readers_cut++;
		reader_end(w);
	}
}

// Reads a number of digits alone. after_take ignores a Last-Event-ID that is no number: browsers
// send any id that they have received.
static bool number_parse(const char *text, uint64_t *out)
{
	size_t len = strspn(text, "0123456789");
	if (len == 0 || len > NUMBER_DIGITS_MAX || text[len])
		return false;
	*out = strtoull(text, NULL, 10);
	return true;
}

// Reads the number of the last event that the client has. False: the reply is sent.
static bool after_take(struct http_exchange *x, uint64_t *after)
{
	const char *text = http_param(x, "after"), *last = http_header(x, "Last-Event-ID");
	*after = 0;
	if (last && number_parse(last, after))
		return true;
	if (!text || number_parse(text, after))
		return true;
	api_refuse(x, 400, "after: must be the number of an event");
	return false;
}

// Replies with the events of the ring after number `after`.
static void events_list(const struct api *a, struct http_exchange *x, uint64_t after)
{
	const struct events *events = a->deps.events;
	const struct event_record *e;
	uint64_t missed, first_missed = 0;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o), *list = json_out_array(o, root, "events");
	for (unsigned n = 0; (e = events_next(events, after, &missed)); n++) {
		event_json(o, json_out_object(o, list, NULL), e);
		first_missed = n == 0 ? missed : first_missed;
		after = e->number;
	}
	json_out_count(o, root, "missed", first_missed);
	json_out_count(o, root, "newest", events_newest(events));
	http_reply(x, 200, json_out_finish(o));
}

static struct api_events_reader *reader_new(struct api *a, uint64_t after)
{
	struct api_events_reader *w = heap_calloc(1, sizeof(*w));
	if (!w || api_lines_init(&w->out, a->deps.service, on_tick, w) < 0) {
		heap_free(w);
		return NULL;
	}
	w->api = a;
	w->after = after;
	w->since_ms = w->sent_ms = clock_mono_ms();
	return w;
}

// Whether there is a place for one more reader. False: the request is refused.
static bool reader_admit(struct api *a, struct http_exchange *x)
{
	const struct api_events_reader *w;
	struct api_places places = {0};
	LIST_FOREACH (w, &a->event_readers, link)
		api_places_count(&places, &w->out, x);
	return api_places_admit(
		&places, x, READERS_MAX, "readers of events", &a->event_readers_refused);
}

static void events_follow(struct api *a, struct http_exchange *x, uint64_t after)
{
	if (!reader_admit(a, x))
		return;
	struct api_events_reader *w = reader_new(a, after);
	if (!w) {
		http_reply(x, 500, NULL);
		return;
	}
	if (!api_lines_begin(&w->out, x, "text/event-stream")) {
		reader_free(w);
		return;
	}
	LIST_INSERT_HEAD(&a->event_readers, w, link);
	a->event_reader_count++;
	// The client learns at once that it is connected, also while nothing happens.
	if (!put(w, ": weir\n\n", 8))
		reader_end(w);
}

// Streams all events, or with follow=0 replies with the newest.
static void serve_events(struct api *a, struct http_exchange *x)
{
	const char *follow = http_param(x, "follow");
	uint64_t after;
	bool is_follow = true;
	if (!after_take(x, &after) || (follow && !api_param_flag(x, "follow", &is_follow)))
		return;
	if (!a->deps.events)
		api_refuse(x, 409, "there are no events");
	else if (is_follow)
		events_follow(a, x, after);
	else
		events_list(a, x, after);
}

static void events_end(struct api *a)
{
	while (!LIST_EMPTY(&a->event_readers))
		reader_end(LIST_FIRST(&a->event_readers));
}

static void events_tables(struct api *a, struct table_registry *tables)
{
	const struct api_events_reader *w;
	struct events_counts c;
	uint64_t since_ms = 0;
	if (!a->deps.events)
		return;
	events_counts(a->deps.events, &c);
	if (a->deps.event_outs)
		event_outs_tables(a->deps.event_outs, tables);
	LIST_FOREACH (w, &a->event_readers, link)
		since_ms = w->since_ms; // the newest come first
	table_register(tables, &(struct table_info){.name = "events",
				       .owner = "control API",
				       .eviction = "overwrite the oldest",
				       .lifetime = "life of the process",
				       .kind = TABLE_CACHE,
				       .cap = EVENTS_MAX,
				       .used = c.used,
				       .high = c.used,
				       .bytes = c.bytes,
				       .evicted = c.overwritten,
				       .has = TABLE_EVICTS});
	table_register(tables, &(struct table_info){.name = "event_readers",
				       .owner = "control API",
				       .eviction = "refuse; close a stalled reader",
				       .lifetime = "life of the connection",
				       .kind = TABLE_WORK,
				       .cap = READERS_MAX,
				       .used = a->event_reader_count,
				       .bytes = a->event_reader_count * sizeof(*w),
				       .evicted = a->event_readers_cut,
				       .refused = a->event_readers_refused,
				       .oldest_ms = table_age(since_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
}

static void events_metrics(struct metrics_text *t, const struct api *a)
{
	struct sink_status s[EVENT_OUTS];
	if (a->deps.events)
		metrics_events(t, a->deps.events, a->event_readers_cut);
	metrics_event_outputs(t, s, event_outs_status(a->deps.event_outs, s));
}

static void outputs_status(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	struct sink_status s[EVENT_OUTS];
	const unsigned count = event_outs_status(l->api->deps.event_outs, s);
	struct json_node *list = json_out_array(o, root, "event_outputs");
	for (unsigned i = 0; i < count; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", s[i].name);
		json_out_text(o, n, "target", s[i].target);
		json_out_text(o, n, "state", s[i].failing ? "failing" : "up");
		json_out_text(o, n, "why", s[i].why);
		JSON_COUNTS(o, n, &s[i], retry_in_ms, written, lost, bytes, failures, untrusted);
	}
}

static void outputs_degraded(struct api_reasons *reasons, const struct api_look *l)
{
	struct sink_status s[EVENT_OUTS];
	const unsigned count = event_outs_status(l->api->deps.event_outs, s);
	for (unsigned i = 0; i < count; i++)
		if (s[i].failing)
			api_reason_add(reasons, API_REASON_event_output, s[i].name,
				"events do not reach the %s: %s", s[i].name, s[i].why);
}

const struct api_part api_events_part = {
	.endpoint = {{"/events", serve_events, API_GET, CONTROL_READ, "after follow"}},
	.status = outputs_status,
	.degraded = outputs_degraded,
	.metrics = events_metrics,
	.tables = events_tables,
	.close = events_end,
};
