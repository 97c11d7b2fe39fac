// SPDX-License-Identifier: BSD-3-Clause

#include "base/json_out.h"
#include "http_internal.h"
#include "tls/tls_server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <weir/heap_site.h>

static_assert((int)HTTP_CONNS_INPUT_MAX > (int)HTTP_HEADER_MAX + (int)HTTP_BODY_MAX);

static void on_deadline(evutil_socket_t, short, void *arg)
{
	struct http_exchange *x = arg;
	x->server->counts.timeouts++;
	(void)http_conns_replied(x->server->conns, http_request_buffer(x->request), 0);
	http_exchange_replied(x, 504);
	http_request_reply(x->request, 504, "{\"error\":\"no answer in time\"}");
	x->request = NULL;
}

// Who it is by the kernel's word.
static void origin_fill(struct http_exchange *x)
{
	socklen_t len = sizeof(x->source);
	struct sockaddr_storage *a = &x->source;
	if (getpeername(
		    bufferevent_getfd(http_request_buffer(x->request)), (struct sockaddr *)a, &len)
		< 0)
		a->ss_family = AF_UNSPEC;
	if (a->ss_family == AF_UNIX) {
		snprintf(x->who, sizeof(x->who), "uid %u", x->peer.uid);
		snprintf(x->from, sizeof(x->from), "pid %d", x->peer.pid);
	} else if (a->ss_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, x->from,
			sizeof(x->from));
	} else if (a->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr, x->from,
			sizeof(x->from));
	}
}

static struct http_exchange *exchange_new(
	struct http_server *s, struct evhttp_request *r, const struct ucred *peer)
{
	struct http_exchange *x = heap_calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	x->deadline = evtimer_new(s->settings.base, on_deadline, x);
	if (!x->deadline) {
		heap_free(x);
		return NULL;
	}
	x->server = s;
	x->request = r;
	x->peer = *peer;
	origin_fill(x);
	LIST_INSERT_HEAD(&s->exchange_list, x, link);
	http_conns_asked(s->conns, http_request_buffer(r));
	age_add(&s->ages, &x->age);
	if (++s->exchanges > s->counts.waiting_most)
		s->counts.waiting_most = s->exchanges;
	return x;
}

static void fault_reply(struct http_exchange *x, const char *fault)
{
	x->server->counts.bad_requests++;
	http_reply(x, 400, json_out_error("malformed request: %s", fault));
}

static int params_read(struct http_exchange *x)
{
	const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(x->request));
	return query ? url_fields_read(&x->params, query, strlen(query)) : 0;
}

static void params_refuse(struct http_exchange *x, int err)
{
	const char *last = x->params.count ? x->params.field[x->params.count - 1].name : "";
	x->server->counts.bad_requests++;
	http_reply(x, err == -ENOMEM ? 500 : 400,
		err == -EEXIST   ? json_out_error("the parameter \"%s\" is there twice", last)
		: err == -E2BIG  ? json_out_error("more than %d parameters", URL_FIELDS_MAX)
		: err == -EINVAL ? json_out_error(
			  "malformed query: a parameter is NAME=VALUE, without a zero byte")
				 : NULL);
}

// Its user may be known only meanwhile, and `x` have ended behind it.
static void handle(struct http_server *s, struct http_exchange *x)
{
	s->turn = http_turn_begin(x);
	s->settings.handle(s->settings.arg, x);
	http_turn_end(&s->turn);
}

static bool peer_admitted(
	const struct http_settings *t, struct evhttp_request *r, struct ucred *peer)
{
	int fd = bufferevent_getfd(http_request_buffer(r));
	socklen_t len = sizeof(*peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) == 0
	       && t->admit(t->arg, peer, fd);
}

static void on_request(struct evhttp_request *r, void *arg)
{
	struct http_server *s = arg;
	struct ucred peer;
	const char *fault = http_conns_fault(s->conns, http_request_buffer(r));
	s->counts.requests++;
	(void)http_conns_replied(s->conns, http_request_buffer(r), 0); // unless it goes on
	const bool is_admitted = peer_admitted(&s->settings, r, &peer);
	// The last reply of its connection: where the next one begins nobody can say, or who may
	// not ask need not ask again.
	if (fault || !is_admitted)
		(void)evhttp_add_header(
			evhttp_request_get_output_headers(r), "Connection", "close");
	if (!is_admitted) {
		s->counts.refused_peer++;
		http_request_reply(r, 403, "{\"error\":\"not permitted\"}");
		return;
	}
	if (evhttp_request_get_command(r) == EVHTTP_REQ_CONNECT) { // which evhttp keeps open
		http_conns_end(s->conns, http_request_buffer(r));
		http_request_reply(r, 501, "{\"error\":\"use GET or POST\"}");
		return;
	}
	if (s->exchanges >= s->settings.exchanges_max) {
		s->counts.refused_full++;
		(void)evhttp_add_header(evhttp_request_get_output_headers(r), "Retry-After", "1");
		http_request_reply(r, 503, "{\"error\":\"too busy: try again\"}");
		return;
	}
	struct http_exchange *x = exchange_new(s, r, &peer);
	const int rc = x ? params_read(x) : -ENOMEM;
	if (!x)
		http_request_reply(r, 500, "{\"error\":\"out of memory\"}");
	else if (!http_sender_may_ask(x))
		; // it has its reply
	else if (fault)
		fault_reply(x, fault);
	else if (rc < 0)
		params_refuse(x, rc);
	else
		handle(s, x);
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
		.life_ms = s->settings.connection_ms,
		.source_max = s->settings.source_max,
		.rate_max = s->settings.rate_max,
		.source_rate_max = s->settings.source_rate_max,
		.lend = s->settings.lend,
		.refuses = s->settings.refuses,
		.arg = s->settings.arg};
	if (http_conns_new(&s->conns, &settings) < 0)
		return false;
	evhttp_set_bevcb(evhttp, http_conns_make, s->conns);
	return true;
}

int http_server_open(struct http_server **out, int fd, const struct http_settings *settings)
{
	struct http_server *s = heap_calloc(1, sizeof(*s));
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
		heap_free(s);
		return -ENOMEM;
	}
	evhttp_set_max_headers_size(evhttp, HTTP_HEADER_MAX);
	evhttp_set_max_body_size(evhttp, HTTP_BODY_MAX);
	evhttp_set_timeout(evhttp, HTTP_TIMEOUT_S);
	evhttp_set_allowed_methods(
		evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_CONNECT);
	evhttp_set_gencb(evhttp, on_request, s);
	s->evhttp = evhttp;
	LIST_INIT(&s->exchange_list);
	LIST_INIT(&s->streams);
	*out = s;
	return 0;
}

void http_server_close(struct http_server *s)
{
	if (!s)
		return;
	struct http_exchange *x;
	while ((x = LIST_FIRST(&s->exchange_list))) {
		if (x->request)
			http_exchange_replied(x, 503);
		http_exchange_detach(x);
	}
	event_free(s->accept_again);
	evhttp_free(s->evhttp); // and with it the listener, connections and requests
	http_conns_free(s->conns);
	heap_free(s);
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

// The beginning of the older one; 0: none.
static uint64_t older(uint64_t a, uint64_t b)
{
	return !a || (b && b < a) ? b : a;
}

void http_counts_add(struct http_counts *sum, const struct http_counts *one)
{
	sum->requests += one->requests;
	sum->refused_full += one->refused_full;
	sum->refused_peer += one->refused_peer;
	sum->refused_rate += one->refused_rate;
	sum->bad_requests += one->bad_requests;
	sum->timeouts += one->timeouts;
	sum->waiting += one->waiting;
	sum->waiting_max += one->waiting_max;
	sum->waiting_most += one->waiting_most;
	sum->since_ms = older(sum->since_ms, one->since_ms);
	sum->bytes = one->bytes;
	sum->conns.live += one->conns.live;
	sum->conns.most += one->conns.most;
	sum->conns.max += one->conns.max;
	sum->conns.made += one->conns.made;
	sum->conns.refused += one->conns.refused;
	sum->conns.cut += one->conns.cut;
	sum->conns.shut_out += one->conns.shut_out;
	sum->conns.since_ms = older(sum->conns.since_ms, one->conns.since_ms);
	sum->conns.bytes += one->conns.bytes;
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

const char *http_method(const struct http_exchange *x)
{
	return http_is_post(x)                                             ? "POST"
	       : evhttp_request_get_command(x->request) == EVHTTP_REQ_HEAD ? "HEAD"
									   : "GET";
}

const char *http_path(const struct http_exchange *x)
{
	return evhttp_uri_get_path(evhttp_request_get_evhttp_uri(x->request));
}

const char *http_param(const struct http_exchange *x, const char *name)
{
	return url_fields_get(&x->params, name);
}

const struct url_fields *http_params(const struct http_exchange *x)
{
	return &x->params;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(x->request), name);
}

const struct sockaddr_storage *http_source(const struct http_exchange *x)
{
	return &x->source;
}

const char *http_client_name(const struct http_exchange *x)
{
	struct ssl_st *ssl = bufferevent_openssl_get_ssl(http_request_buffer(x->request));
	return ssl ? tls_lent_client_name(ssl) : NULL;
}

bool http_client_is_current(const struct http_exchange *x, const struct tls_server *s)
{
	struct ssl_st *ssl = bufferevent_openssl_get_ssl(http_request_buffer(x->request));
	return ssl && tls_lent_is_current(ssl, s);
}

const char *http_who(const struct http_exchange *x)
{
	return x->who;
}

const char *http_from(const struct http_exchange *x)
{
	return x->from;
}

void http_set_who(struct http_exchange *x, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(x->who, sizeof(x->who), fmt, args);
	va_end(args);
}

void http_set_right(struct http_exchange *x, uint64_t right)
{
	x->right = right;
}

uint64_t http_right(const struct http_exchange *x)
{
	return x->right;
}

static void form_read(struct http_exchange *x)
{
	static const char type[] = "application/x-www-form-urlencoded";
	struct evbuffer *body = evhttp_request_get_input_buffer(x->request);
	const size_t len = evbuffer_get_length(body);
	const char *is = http_header(x, "Content-Type");
	char text[HTTP_FORM_MAX + 1];
	x->is_form_read = true;
	if (!is || strncasecmp(is, type, sizeof(type) - 1) != 0 || len == 0 || len > HTTP_FORM_MAX)
		return;
	evbuffer_remove(body, text, len);
	x->form_err = url_fields_read(&x->form, text, len);
	explicit_bzero(text, sizeof(text));
}

int http_form_read(struct http_exchange *x, const struct url_fields **out)
{
	if (!x->is_form_read)
		form_read(x);
	*out = &x->form;
	return x->form_err;
}

const char *http_form(const struct http_exchange *x, const char *name)
{
	return url_fields_get(&x->form, name);
}

void http_set_note(struct http_exchange *x, const void *note)
{
	x->note = note;
}

const void *http_note(const struct http_exchange *x)
{
	return x->note;
}

void http_reply_header(struct http_exchange *x, const char *name, const char *value)
{
	if (x->request)
		(void)evhttp_add_header(evhttp_request_get_output_headers(x->request), name, value);
}

bool http_is_served(const struct http_exchange *x)
{
	return x->server != NULL;
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
