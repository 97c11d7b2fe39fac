// SPDX-License-Identifier: BSD-3-Clause
// Endpoint that shows queries as workers see them (watch.h), a line of JSON each, for `seconds`.
// A client that takes nothing for WATCH_STUCK_MS is hung up on, and with it the watch ends.

#include "api_internal.h"
#include "watch.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/keyhash.h>
#include <weir/log.h>

enum {
	WATCH_TICK_MS = 100,
	WATCH_STUCK_MS = 2000,
	WATCH_LATE_MS = 500,
	WATCH_PENDING_MAX = 256 * 1024
};

struct api_watch {
	struct api *api;
	struct http_stream *stream;
	struct event *tick;
	size_t pending;
	bool is_over;
	uint64_t moved_ms, until_ms;
	char lines[WATCH_BUFFER_MAX];
};

static void watch_stop(struct api_watch *w)
{
	static const struct dp_watch none;
	publish_watch(w->api->deps.publisher, &none);
	watch_end(w->api->deps.watch);
	w->api->watcher = NULL;
	if (w->stream)
		http_stream_close(w->stream);
	event_free(w->tick);
	free(w);
}

static bool lines_send(struct api_watch *w)
{
	char told[64];
	uint64_t missed;
	size_t len = watch_take(w->api->deps.watch, w->lines, &missed);
	if (len > 0 && !http_stream_send(w->stream, w->lines, len))
		return false;
	if (missed == 0)
		return true;
	int n = snprintf(told, sizeof told, "{\"missed\":%" PRIu64 "}\n", missed);
	return http_stream_send(w->stream, told, (size_t)n);
}

static void on_tick(evutil_socket_t, short, void *arg)
{
	struct api_watch *w = arg;
	uint64_t now_ms = clock_mono_ms();
	size_t pending = http_stream_pending(w->stream);
	if (pending == 0 || pending < w->pending)
		w->moved_ms = now_ms;
	bool ok = http_stream_is_live(w->stream) && now_ms - w->moved_ms < WATCH_STUCK_MS;
	if (ok && w->is_over)
		ok = pending > 0;
	else if (ok && pending < WATCH_PENDING_MAX)
		ok = lines_send(w);
	// What was shown up to the end is on its way to the log thread for a moment.
	if (ok && !w->is_over && now_ms > w->until_ms + WATCH_LATE_MS) {
		w->is_over = true;
		ok = http_stream_send(w->stream, "{\"end\":true}\n", 13);
	}
	if (ok)
		w->pending = http_stream_pending(w->stream);
	else
		watch_stop(w);
}

// False: it has been replied to.
static bool filter_take(struct http_exchange *x, struct dp_watch *f, unsigned *seconds)
{
	char verdict[QUERY_TEXT_MAX], client[QUERY_TEXT_MAX];
	bool frames;
	struct ip_address source;
	*f = (struct dp_watch){0};
	if (!api_text(x, "verdict", verdict, sizeof verdict)
		|| !api_text(x, "client", client, sizeof client) || !api_flag(x, "frames", &frames)
		|| !api_number(x, "seconds", WATCH_SECONDS_MAX, seconds))
		return false;
	if (verdict[0] && !watch_verdicts(verdict, &f->verdicts)) {
		api_refuse(x, 400, "verdict: must be a verdict, malformed or dropped");
		return false;
	}
	if (client[0] && ip_address_parse(client, &source) < 0) {
		api_refuse(x, 400, "client: is not an IP address, with or without /prefix length");
		return false;
	}
	if (client[0]) {
		f->client_version = source.version;
		f->client_bits = source.prefix_len;
		memcpy(f->client, source.bytes, sizeof f->client);
	}
	if (http_param(x, "name")) {
		struct dns_name name;
		if (!api_name(x, &name))
			return false;
		f->name_hash = contenthash(name.wire, name.len);
	}
	f->frames = frames;
	return true;
}

void api_watch(struct api *a, struct http_exchange *x)
{
	static const struct timeval every = {.tv_usec = WATCH_TICK_MS * 1000};
	struct dp_watch filter;
	unsigned seconds;
	if (!filter_take(x, &filter, &seconds))
		return;
	int err = a->deps.watch ? watch_begin(a->deps.watch) : -ENOENT;
	if (err < 0) {
		api_refuse(
			x, 503, "%s", err == -EBUSY ? "somebody watches already" : strerror(-err));
		return;
	}
	struct api_watch *w = malloc(sizeof *w);
	struct event *tick =
		w ? event_new(loop_base(a->deps.service), -1, EV_PERSIST, on_tick, w) : NULL;
	if (!tick) {
		free(w);
		watch_end(a->deps.watch);
		http_reply(x, 500, NULL);
		return;
	}
	w->api = a;
	w->tick = tick;
	w->pending = 0;
	w->is_over = false;
	w->moved_ms = clock_mono_ms();
	w->until_ms = w->moved_ms + UINT64_C(1000) * seconds;
	const struct ucred *peer = http_peer(x);
	log_info("control: a watch%s of %u s by uid %u, pid %d",
		filter.frames ? " with frames" : "", seconds, peer->uid, peer->pid);
	w->stream = http_stream_begin(x);
	a->watcher = w;
	if (!w->stream) {
		watch_stop(w);
		return;
	}
	filter.until_ms = w->until_ms;
	publish_watch(a->deps.publisher, &filter);
	(void)event_add(w->tick, &every);
}

void api_watch_close(struct api *a)
{
	if (a->watcher)
		watch_stop(a->watcher);
}

void api_watch_tables(struct api *a, struct table_registry *tables)
{
	struct watch_counts c;
	if (!a->deps.watch)
		return;
	watch_counts(a->deps.watch, &c);
	table_register(tables, &(struct table_info){.name = "watch",
				       .owner = "query log",
				       .eviction = "one more is refused; queries are missed",
				       .lifetime = "of its connection, 600 s at most",
				       .cap = 1,
				       .used = c.is_watched,
				       .bytes = c.is_watched ? 2 * WATCH_BUFFER_MAX : 0});
}
