// SPDX-License-Identifier: BSD-3-Clause
#include "api_lines.h"

#include "api_server.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>

int api_lines_init(
	struct api_lines *l, struct loop *service, void (*tick)(int, short, void *), void *arg)
{
	*l = (struct api_lines){.moved_ms = clock_mono_ms()};
	if (tick)
		l->tick = event_new(loop_base(service), -1, EV_PERSIST, tick, arg);
	return !tick || l->tick ? 0 : -ENOMEM;
}

bool api_lines_begin(struct api_lines *l, struct http_exchange *x, const char *type)
{
	static const struct timeval every = {.tv_usec = API_LINES_TICK_MS * 1000};
	l->stream = http_stream_begin(x, type);
	if (!l->stream)
		return false;
	if (l->tick)
		(void)event_add(l->tick, &every);
	return true;
}

void api_places_count(
	struct api_places *p, const struct api_lines *l, const struct http_exchange *x)
{
	api_places_add(p, http_stream_user(l->stream), x);
}

void api_places_add(
	struct api_places *p, const struct http_stream_user *u, const struct http_exchange *x)
{
	p->all++;
	p->remote += u->right != 0;
	p->own += u->right != 0 && strcmp(u->who, http_who(x)) == 0;
}

bool api_places_admit(const struct api_places *p, struct http_exchange *x, unsigned max,
	const char *what, uint64_t *refused)
{
	const bool is_remote = http_right(x) != 0;
	if (p->all >= max)
		api_refuse(x, 503, "%u %s are there already", max, what);
	else if (is_remote && p->own >= max / 2)
		api_refuse(x, 503, "%u %s of this user are there already", p->own, what);
	else if (is_remote && p->remote >= max - max / 4)
		api_refuse(x, 503, "%u %s over the network are there already", p->remote, what);
	else
		return true;
	*refused += 1;
	return false;
}

void api_lines_end(struct api_lines *l)
{
	if (l->stream)
		http_stream_close(l->stream);
	if (l->tick)
		event_free(l->tick);
}

enum api_lines_state api_lines_look(struct api_lines *l, size_t pending_max, uint64_t now_ms)
{
	size_t pending = http_stream_pending(l->stream);
	if (pending == 0 || pending < l->pending)
		l->moved_ms = now_ms;
	l->pending = pending;
	if (!http_stream_is_live(l->stream))
		return API_LINES_GONE;
	if (now_ms - l->moved_ms >= API_LINES_STUCK_MS)
		return API_LINES_STUCK;
	return pending < pending_max ? API_LINES_ROOM : API_LINES_FULL;
}

bool api_lines_put(struct api_lines *l, const char *text, size_t len)
{
	bool sent = http_stream_send(l->stream, text, len);
	l->pending = http_stream_pending(l->stream);
	return sent;
}

bool api_lines_send(struct api_lines *l, const char *text, size_t len, uint64_t missed)
{
	char notice[64];
	if (len > 0 && !api_lines_put(l, text, len))
		return false;
	if (missed == 0)
		return true;
	int n = snprintf(notice, sizeof(notice), "{\"missed\":%" PRIu64 "}\n", missed);
	return api_lines_put(l, notice, (size_t)n);
}
