// SPDX-License-Identifier: BSD-3-Clause

// Replies, and streams.
#include "http_internal.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

struct http_stream {
	struct evhttp_request *request;
	LIST_ENTRY(http_stream) link;
	const struct http_server *server;
	struct http_stream_user user;
	uint64_t since_ms;
	bool is_over;
};

struct bufferevent *http_request_buffer(struct evhttp_request *r)
{
	return evhttp_connection_get_bufferevent(evhttp_request_get_connection(r));
}

static void body_free(const void *body, size_t, void *)
{
	heap_free((void *)(uintptr_t)body);
}

static void body_wipe(const void *body, size_t len, void *)
{
	explicit_bzero((void *)(uintptr_t)body, len);
	heap_free((void *)(uintptr_t)body);
}

// What a body would have: evhttp counts the bytes that it sends.
static int length_add(struct evhttp_request *r, size_t len)
{
	char text[24];
	snprintf(text, sizeof(text), "%zu", len);
	return evhttp_add_header(evhttp_request_get_output_headers(r), "Content-Length", text);
}

// `end`: of the body, once it has left or cannot; NULL: none.
static void request_reply_as(struct evhttp_request *r, unsigned status, const char *type,
	const char *body, size_t len, evbuffer_ref_cleanup_cb end)
{
	struct evbuffer *out = evbuffer_new();
	// From here on the connection's own time counts (http_conns.h). evhttp would end it after
	// HTTP_TIMEOUT_S without input, however well the client reads.
	bufferevent_set_timeouts(http_request_buffer(r), NULL, NULL);
	const bool is_head = evhttp_request_get_command(r) == EVHTTP_REQ_HEAD;
	const bool is_held =
		out && len && !is_head && evbuffer_add_reference(out, body, len, end, NULL) == 0;
	if (!is_held && end)
		end(body, len, NULL);
	if (out && (is_held || is_head || len == 0) && (!is_head || !len || length_add(r, len) == 0)
		&& evhttp_add_header(evhttp_request_get_output_headers(r), "Content-Type", type)
			   == 0)
		evhttp_send_reply(r, (int)status, NULL, out);
	else
		evhttp_send_error(r, HTTP_INTERNAL, NULL);
	if (out)
		evbuffer_free(out);
}

void http_request_reply(struct evhttp_request *r, unsigned status, const char *body)
{
	request_reply_as(r, status, "application/json", body, strlen(body), NULL);
}

void http_exchange_replied(struct http_exchange *x, unsigned status)
{
	const struct http_settings *s = &x->server->settings;
	if (s->replied)
		s->replied(s->arg, x, status);
}

// From its server, which may be closing: nothing of the base is held any longer.
void http_exchange_detach(struct http_exchange *x)
{
	LIST_REMOVE(x, link);
	age_remove(&x->server->ages, &x->age);
	x->server->exchanges--;
	event_free(x->deadline);
	x->server = NULL;
	x->request = NULL;
}

static void exchange_free(struct http_exchange *x)
{
	if (x->server)
		http_exchange_detach(x);
	url_fields_end(&x->params);
	url_fields_end(&x->form);
	heap_free(x);
}

void http_reply(struct http_exchange *x, unsigned status, char *body)
{
	http_reply_text(x, status, "application/json", body);
}

void http_reply_text(struct http_exchange *x, unsigned status, const char *type, char *body)
{
	http_reply_bytes(x, status, type, body, body ? strlen(body) : 0);
}

static unsigned refusal_weight(unsigned status)
{
	return status == 429 ? HTTP_FAST_WEIGHT : status == 401 || status == 403;
}

static void body_reply(struct http_exchange *x, unsigned status, const char *type, char *body,
	size_t len, evbuffer_ref_cleanup_cb end)
{
	if (x->request) {
		const unsigned weight = refusal_weight(status);
		if (http_conns_replied(x->server->conns, http_request_buffer(x->request), weight)
			>= HTTP_REFUSALS_MAX)
			http_reply_header(x, "Connection", "close");
		http_exchange_replied(x, body ? status : 500);
	} else if (x->server && x->server->settings.late) {
		x->server->settings.late(x->server->settings.arg, x, body ? status : 500);
	}
	if (x->request && body)
		request_reply_as(x->request, status, type, body, len, end);
	else if (x->request)
		http_request_reply(x->request, 500, "{\"error\":\"out of memory\"}");
	else if (body)
		end(body, len, NULL);
	exchange_free(x);
}

void http_reply_bytes(
	struct http_exchange *x, unsigned status, const char *type, char *body, size_t len)
{
	body_reply(x, status, type, body, len, body_free);
}

void http_reply_secret(struct http_exchange *x, unsigned status, char *body)
{
	body_reply(x, status, "application/json", body, body ? strlen(body) : 0, body_wipe);
}

// Input of a client in its stream is not read: it may fill this much, and wait.
enum { STREAM_INPUT_MAX = 4096 };

static struct bufferevent *stream_buffer(const struct http_stream *s)
{
	struct evhttp_connection *c = evhttp_request_get_connection(s->request);
	return c ? evhttp_connection_get_bufferevent(c) : NULL;
}

struct http_stream *http_stream_begin(struct http_exchange *x, const char *type)
{
	if (x->request && evhttp_request_get_command(x->request) == EVHTTP_REQ_HEAD) {
		http_reply_text(x, HTTP_OK, type, heap_strdup(""));
		return NULL;
	}
	struct http_stream *s = x->request ? heap_calloc(1, sizeof(*s)) : NULL;
	if (!s
		|| evhttp_add_header(
			   evhttp_request_get_output_headers(x->request), "Content-Type", type)
			   < 0) {
		heap_free(s);
		http_reply(x, 500, NULL);
		return NULL;
	}
	http_exchange_replied(x, HTTP_OK);
	s->request = x->request;
	s->server = x->server;
	LIST_INSERT_HEAD(&x->server->streams, s, link);
	memcpy(s->user.who, x->who, sizeof(s->user.who));
	s->user.right = x->right;
	s->since_ms = clock_mono_ms();
	exchange_free(x);
	struct bufferevent *b = stream_buffer(s);
	bufferevent_set_timeouts(b, NULL, NULL);
	bufferevent_setwatermark(b, EV_READ, 0, STREAM_INPUT_MAX);
	evhttp_send_reply_start(s->request, HTTP_OK, NULL);
	return s;
}

// Asks the kernel, because the loop may not have handled the event yet. Less than 0: a signal came
// in between (SIGHUP), so the state is unknown.
static bool is_over(const struct http_stream *s)
{
	const unsigned life_ms = s->server->settings.stream_ms;
	return s->is_over || (life_ms && clock_mono_ms() - s->since_ms >= life_ms);
}

bool http_stream_is_live(const struct http_stream *s)
{
	if (is_over(s))
		return false;
	struct bufferevent *b = stream_buffer(s);
	struct pollfd p = {.fd = b ? bufferevent_getfd(b) : -1, .events = POLLRDHUP};
	return b && poll(&p, 1, 0) <= 0;
}

const struct http_stream_user *http_stream_user(const struct http_stream *s)
{
	return &s->user;
}

void http_streams_end(
	struct http_server *s, bool (*keeps)(const void *arg, uint64_t right), const void *arg)
{
	struct http_stream *one;
	if (!s)
		return;
	LIST_FOREACH (one, &s->streams, link)
		one->is_over |= !keeps || !keeps(arg, one->user.right);
}

bool http_stream_send(struct http_stream *s, const char *data, size_t len)
{
	struct evbuffer *out = evbuffer_new();
	bool ok = out && evbuffer_add(out, data, len) == 0;
	if (ok)
		evhttp_send_reply_chunk(s->request, out);
	if (out)
		evbuffer_free(out);
	return ok;
}

size_t http_stream_pending(const struct http_stream *s)
{
	struct bufferevent *b = stream_buffer(s);
	return b ? evbuffer_get_length(bufferevent_get_output(b)) : 0;
}

void http_stream_close(struct http_stream *s)
{
	struct evhttp_connection *c = evhttp_request_get_connection(s->request);
	LIST_REMOVE(s, link);
	if (c)
		evhttp_connection_free(c); // and with it the request
	else
		evhttp_request_free(s->request);
	heap_free(s);
}
