// SPDX-License-Identifier: BSD-3-Clause

#include "http_server.h"

#include "base/age_list.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

struct http_exchange {
	LIST_ENTRY(http_exchange) link;
	struct age_link age;
	struct http_server *server;     // NULL: it is gone
	struct evhttp_request *request; // NULL: replied to (too late), or the server is gone
	struct event *deadline;
	struct ucred peer;
	struct evkeyvalq params;
};

struct http_stream {
	struct evhttp_request *request;
};

static_assert((int)HTTP_CONNS_INPUT_MAX > (int)HTTP_HEADER_MAX + (int)HTTP_BODY_MAX);

struct http_server {
	struct http_settings settings;
	struct evhttp *evhttp;
	struct evconnlistener *listener; // evhttp's
	struct event *accept_again;
	unsigned exchanges;
	struct age_list ages;
	LIST_HEAD(, http_exchange) exchange_list;
	struct http_counts counts;
	struct http_conns *conns;
};

static struct bufferevent *buffer_of(struct evhttp_request *r)
{
	return evhttp_connection_get_bufferevent(evhttp_request_get_connection(r));
}

// The request is evhttp's again, which frees it when the reply has left or cannot.
static void request_reply_as(
	struct evhttp_request *r, unsigned status, const char *type, const char *body, size_t len)
{
	struct evbuffer *out = evbuffer_new();
	// From here on the connection's own time counts (http_conns.h). evhttp would end it after
	// HTTP_TIMEOUT_S without input, however well the client reads.
	bufferevent_set_timeouts(buffer_of(r), NULL, NULL);
	if (out && evbuffer_add(out, body, len) == 0
		&& evhttp_add_header(evhttp_request_get_output_headers(r), "Content-Type", type)
			   == 0)
		evhttp_send_reply(r, (int)status, NULL, out);
	else
		evhttp_send_error(r, HTTP_INTERNAL, NULL);
	if (out)
		evbuffer_free(out);
}

static void request_reply(struct evhttp_request *r, unsigned status, const char *body)
{
	request_reply_as(r, status, "application/json", body, strlen(body));
}

static void on_deadline(evutil_socket_t, short, void *arg)
{
	struct http_exchange *x = arg;
	x->server->counts.timeouts++;
	http_conns_replied(x->server->conns, buffer_of(x->request));
	request_reply(x->request, 504, "{\"error\":\"no answer in time\"}");
	x->request = NULL;
}

// From its server, which may be closing: nothing of the base is held any longer.
static void exchange_detach(struct http_exchange *x)
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
		exchange_detach(x);
	evhttp_clear_headers(&x->params);
	free(x);
}

static struct http_exchange *exchange_new(
	struct http_server *s, struct evhttp_request *r, const struct ucred *peer)
{
	struct http_exchange *x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->deadline = evtimer_new(s->settings.base, on_deadline, x);
	if (!x->deadline) {
		free(x);
		return NULL;
	}
	TAILQ_INIT(&x->params);
	x->server = s;
	x->request = r;
	x->peer = *peer;
	LIST_INSERT_HEAD(&s->exchange_list, x, link);
	http_conns_asked(s->conns, buffer_of(r));
	age_add(&s->ages, &x->age);
	if (++s->exchanges > s->counts.waiting_most)
		s->counts.waiting_most = s->exchanges;
	return x;
}

static bool params_read(struct http_exchange *x)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(x->request));
	// A zero byte would end the decoded string early, at another name than the client sent.
	return !query || (!strstr(query, "%00") && evhttp_parse_query_str(query, &x->params) == 0);
}

static bool peer_admitted(
	const struct http_settings *t, struct evhttp_request *r, struct ucred *peer)
{
	int fd = bufferevent_getfd(buffer_of(r));
	socklen_t len = sizeof(*peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) == 0
	       && t->admit(t->arg, peer, fd);
}

static void on_request(struct evhttp_request *r, void *arg)
{
	struct http_server *s = arg;
	struct ucred peer;
	s->counts.requests++;
	http_conns_replied(s->conns, buffer_of(r)); // unless it goes on
	if (!peer_admitted(&s->settings, r, &peer)) {
		s->counts.refused_peer++;
		request_reply(r, 403, "{\"error\":\"not permitted\"}");
		return;
	}
	if (s->exchanges >= s->settings.exchanges_max) {
		s->counts.refused_full++;
		request_reply(r, 503, "{\"error\":\"too busy: try again\"}");
		return;
	}
	struct http_exchange *x = exchange_new(s, r, &peer);
	if (!x) {
		request_reply(r, 500, "{\"error\":\"out of memory\"}");
	} else if (!params_read(x)) {
		s->counts.bad_requests++;
		http_reply(x, 400, strdup("{\"error\":\"malformed query\"}"));
	} else {
		s->settings.handle(s->settings.arg, x);
	}
}

// No file descriptor or memory. A waiting client would make the loop spin. evhttp uses the
// listener's argument for itself, so this function cannot reach the server's timer: that one runs
// all the time.
static void on_accept_error(struct evconnlistener *listener, void *)
{
	evconnlistener_disable(listener);
}

static void on_accept_again(evutil_socket_t, short, void *arg)
{
	struct http_server *s = arg;
	if (http_conns_has_place(s->conns))
		evconnlistener_enable(s->listener); // nothing, while it is
}

static bool accept_again_start(struct http_server *s, struct evconnlistener *listener)
{
	const struct timeval pause = {.tv_usec = HTTP_ACCEPT_PAUSE_MS * 1000};
	s->listener = listener;
	evconnlistener_set_error_cb(listener, on_accept_error);
	s->accept_again = event_new(s->settings.base, -1, EV_PERSIST, on_accept_again, s);
	if (s->accept_again && event_add(s->accept_again, &pause) == 0)
		return true;
	if (s->accept_again)
		event_free(s->accept_again);
	return false;
}

static bool conns_start(
	struct http_server *s, struct evhttp *evhttp, struct evconnlistener *listener)
{
	const struct http_conns_settings settings = {.base = s->settings.base,
		.listener = listener,
		.max = s->settings.connections_max,
		.life_ms = s->settings.connection_ms};
	if (http_conns_new(&s->conns, &settings) < 0)
		return false;
	evhttp_set_bevcb(evhttp, http_conns_make, s->conns);
	return true;
}

int http_server_open(struct http_server **out, int fd, const struct http_settings *settings)
{
	struct http_server *s = calloc(1, sizeof(*s));
	struct evhttp *evhttp = s ? evhttp_new(settings->base) : NULL;
	struct evconnlistener *listener =
		evhttp ? evconnlistener_new(settings->base, NULL, NULL,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd)
		       : NULL;
	if (s)
		s->settings = *settings;
	bool is_ready =
		listener && conns_start(s, evhttp, listener) && accept_again_start(s, listener);
	if (!is_ready || !evhttp_bind_listener(evhttp, listener)) {
		if (is_ready)
			event_free(s->accept_again);
		if (listener)
			evconnlistener_free(listener);
		else
			close(fd);
		if (evhttp)
			evhttp_free(evhttp);
		if (s)
			http_conns_free(s->conns);
		free(s);
		return -ENOMEM;
	}
	evhttp_set_max_headers_size(evhttp, HTTP_HEADER_MAX);
	evhttp_set_max_body_size(evhttp, HTTP_BODY_MAX);
	evhttp_set_timeout(evhttp, HTTP_TIMEOUT_S);
	evhttp_set_allowed_methods(evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_gencb(evhttp, on_request, s);
	s->evhttp = evhttp;
	LIST_INIT(&s->exchange_list);
	*out = s;
	return 0;
}

void http_server_close(struct http_server *s)
{
	if (!s)
		return;
	struct http_exchange *x;
	while ((x = LIST_FIRST(&s->exchange_list)))
		exchange_detach(x);
	event_free(s->accept_again);
	evhttp_free(s->evhttp); // and with it the listener, connections and requests
	http_conns_free(s->conns);
	free(s);
}

void http_server_counts(const struct http_server *s, struct http_counts *out)
{
	*out = s->counts;
	out->waiting = s->exchanges;
	out->waiting_max = s->settings.exchanges_max;
	out->since_ms = age_since(&s->ages);
	out->bytes = sizeof(struct http_exchange);
	http_conns_counts(s->conns, &out->conns);
	out->conns.bytes += sizeof(*s);
}

unsigned http_server_waiting(const struct http_server *s, const struct http_exchange *but,
	struct http_waiting *out, unsigned max)
{
	unsigned n = 0;
	for (const struct age_link *k = s->ages.oldest; k && n < max; k = k->newer) {
		const struct http_exchange *x =
			(const void *)((const char *)k - offsetof(struct http_exchange, age));
		if (x == but)
			continue;
		out[n] = (struct http_waiting){
			.uid = x->peer.uid, .pid = (unsigned)x->peer.pid, .since_ms = k->since_ms};
		if (x->request)
			snprintf(out[n].path, sizeof(out->path), "%.63s", http_path(x));
		n++;
	}
	return n;
}

bool http_is_post(const struct http_exchange *x)
{
	return evhttp_request_get_command(x->request) == EVHTTP_REQ_POST;
}

const char *http_path(const struct http_exchange *x)
{
	return evhttp_uri_get_path(evhttp_request_get_evhttp_uri(x->request));
}

const char *http_param(const struct http_exchange *x, const char *name)
{
	return evhttp_find_header(&x->params, name);
}

const char *http_header(const struct http_exchange *x, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(x->request), name);
}

const struct ucred *http_peer(const struct http_exchange *x)
{
	return &x->peer;
}

bool http_is_live(const struct http_exchange *x)
{
	return x->request != NULL;
}

void http_defer(struct http_exchange *x, unsigned deadline_ms)
{
	struct timeval tv = {.tv_sec = deadline_ms / 1000, .tv_usec = (deadline_ms % 1000) * 1000};
	(void)event_add(x->deadline, &tv);
}

void http_reply(struct http_exchange *x, unsigned status, char *body)
{
	http_reply_text(x, status, "application/json", body);
}

void http_reply_text(struct http_exchange *x, unsigned status, const char *type, char *body)
{
	http_reply_bytes(x, status, type, body, body ? strlen(body) : 0);
}

void http_reply_bytes(
	struct http_exchange *x, unsigned status, const char *type, char *body, size_t len)
{
	if (x->request)
		http_conns_replied(x->server->conns, buffer_of(x->request));
	if (x->request && body)
		request_reply_as(x->request, status, type, body, len);
	else if (x->request)
		request_reply(x->request, 500, "{\"error\":\"out of memory\"}");
	exchange_free(x);
	free(body);
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
	struct http_stream *s = x->request ? calloc(1, sizeof(*s)) : NULL;
	if (!s
		|| evhttp_add_header(
			   evhttp_request_get_output_headers(x->request), "Content-Type", type)
			   < 0) {
		free(s);
		http_reply(x, 500, NULL);
		return NULL;
	}
	s->request = x->request;
	exchange_free(x);
	struct bufferevent *b = stream_buffer(s);
	bufferevent_set_timeouts(b, NULL, NULL);
	bufferevent_setwatermark(b, EV_READ, 0, STREAM_INPUT_MAX);
	evhttp_send_reply_start(s->request, HTTP_OK, NULL);
	return s;
}

// Asks the kernel, because the loop may not have handled the event yet. Less than 0: a signal came
// in between (SIGHUP), so the state is unknown.
bool http_stream_is_live(const struct http_stream *s)
{
	struct bufferevent *b = stream_buffer(s);
	struct pollfd p = {.fd = b ? bufferevent_getfd(b) : -1, .events = POLLRDHUP};
	return b && poll(&p, 1, 0) <= 0;
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
	if (c)
		evhttp_connection_free(c); // and with it the request
	else
		evhttp_request_free(s->request);
	free(s);
}
