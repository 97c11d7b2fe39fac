// SPDX-License-Identifier: BSD-3-Clause

#include "http_server.h"

#include "http_request.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

enum { HTTP_PATH_MAX = 64 };

struct http_client {
	LIST_ENTRY(http_client) link;
	struct http_server *server;
	struct bufferevent *bev;
	struct event *deadline;
	struct http_exchange *exchange; // being answered later, or NULL
	struct ucred peer;
	bool replied; // the reply is on its way out; closes when it has left
};

struct http_exchange {
	struct http_client *client; // NULL: hung up, timed out, or the server is gone
	struct ucred peer;
	bool post;
	char path[HTTP_PATH_MAX];
	struct evkeyvalq params;
};

struct http_server {
	struct http_settings settings;
	struct evconnlistener *listener;
	unsigned clients;
	LIST_HEAD(, http_client) client_list;
	struct http_counts counts;
};

static void client_free(struct http_client *c)
{
	if (c->exchange)
		c->exchange->client = NULL;
	LIST_REMOVE(c, link);
	c->server->clients--;
	if (c->deadline)
		event_free(c->deadline);
	if (c->bev)
		bufferevent_free(c->bev);
	free(c);
}

static void client_arm(struct http_client *c, unsigned ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
	(void)event_add(c->deadline, &tv);
}

static const char *status_text(unsigned status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 503:
		return "Service Unavailable";
	case 504:
		return "Gateway Timeout";
	default:
		return status < 500 ? "Refused" : "Failed";
	}
}

// Queues the reply; the connection is closed once it has left, or after HTTP_WRITE_MS.
static void client_send(struct http_client *c, unsigned status, const char *body)
{
	c->replied = true;
	bufferevent_disable(c->bev, EV_READ);
	struct evbuffer *out = bufferevent_get_output(c->bev);
	int ret = evbuffer_add_printf(out,
		"HTTP/1.1 %u %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n",
		status, status_text(status), strlen(body));
	if (ret < 0 || evbuffer_add(out, body, strlen(body)) < 0) {
		client_free(c);
		return;
	}
	client_arm(c, HTTP_WRITE_MS);
}

static void client_refuse(struct http_client *c, unsigned status)
{
	char body[96];
	snprintf(body, sizeof body, "{\"error\": \"%s\"}", status_text(status));
	client_send(c, status, body);
}

static void exchange_free(struct http_exchange *x)
{
	if (x->client)
		x->client->exchange = NULL;
	evhttp_clear_headers(&x->params);
	free(x);
}

// Splits and decodes the target. NULL with *status when it cannot be.
static struct http_exchange *exchange_new(
	struct http_client *c, const struct http_head *head, unsigned *status)
{
	*status = 500;
	struct http_exchange *x = calloc(1, sizeof *x);
	if (!x)
		return NULL;
	TAILQ_INIT(&x->params);
	x->post = head->post;
	x->peer = c->peer;

	*status = 400;
	struct evhttp_uri *uri = evhttp_uri_parse(head->target);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	bool ok = path && strlen(path) < sizeof x->path;
	if (ok)
		memcpy(x->path, path, strlen(path) + 1);
	if (ok && query)
		ok = evhttp_parse_query_str(query, &x->params) == 0;
	if (uri)
		evhttp_uri_free(uri);
	if (!ok) {
		exchange_free(x);
		return NULL;
	}
	x->client = c;
	c->exchange = x;
	return x;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct http_client *c = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	if (c->exchange || c->replied) { // nothing more is expected: a second request is dropped
		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	struct http_head head;
	size_t len = evbuffer_get_length(in);
	size_t head_len = len < HTTP_HEADER_MAX ? len : HTTP_HEADER_MAX;
	const char *text = (const char *)evbuffer_pullup(in, (ev_ssize_t)head_len);
	if (!text)
		return;
	unsigned status = http_head_parse(text, head_len, HTTP_HEADER_MAX, HTTP_BODY_MAX, &head);
	if (status == 0 || (status == 200 && len - head.head_len < head.body_len))
		return;

	struct http_exchange *x = status == 200 ? exchange_new(c, &head, &status) : NULL;
	evbuffer_drain(in, len); // no request of ours has a body that matters
	if (!x) {
		c->server->counts.bad_requests++;
		client_refuse(c, status);
		return;
	}
	event_del(c->deadline);
	c->server->settings.handle(c->server->settings.arg, x);
}

// Called when the output has drained.
static void on_written(struct bufferevent *, void *arg)
{
	struct http_client *c = arg;
	if (c->replied)
		client_free(c);
}

static void on_event(struct bufferevent *, short, void *arg)
{
	client_free(arg); // hung up, or an error of the socket
}

static void on_deadline(evutil_socket_t, short, void *arg)
{
	struct http_client *c = arg;
	c->server->counts.timeouts++;
	if (c->replied || !c->exchange) { // a client that neither sends nor reads gets no answer
		client_free(c);
		return;
	}
	c->exchange->client = NULL;
	c->exchange = NULL;
	client_refuse(c, 504);
}

static bool peer_admitted(struct http_server *s, int fd, struct ucred *peer)
{
	socklen_t len = sizeof *peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) == 0
	       && s->settings.admit(s->settings.arg, peer, fd);
}

static int client_new(struct http_server *s, evutil_socket_t fd, const struct ucred *peer)
{
	struct http_client *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->server = s;
	c->peer = *peer;
	LIST_INSERT_HEAD(&s->client_list, c, link);
	s->clients++;
	c->deadline = evtimer_new(s->settings.base, on_deadline, c);
	c->bev = c->deadline ? bufferevent_socket_new(s->settings.base, fd, BEV_OPT_CLOSE_ON_FREE)
			     : NULL;
	if (!c->bev) {
		client_free(c);
		return -ENOMEM;
	}
	bufferevent_setcb(c->bev, on_read, on_written, on_event, c);
	// No more than the longest request and one octet is ever held for a client.
	bufferevent_setwatermark(c->bev, EV_READ, 0, HTTP_HEADER_MAX + HTTP_BODY_MAX + 1);
	client_arm(c, HTTP_READ_MS);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	return 0;
}

static void on_accept(
	struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int, void *arg)
{
	struct http_server *s = arg;
	struct ucred peer;
	if (s->clients >= s->settings.clients_max) {
		s->counts.refused_full++;
		close(fd);
	} else if (!peer_admitted(s, fd, &peer)) {
		s->counts.refused_peer++;
		close(fd);
	} else if (client_new(s, fd, &peer) < 0) {
		s->counts.refused_full++;
		close(fd);
	} else {
		s->counts.accepted++;
	}
}

int http_server_open(struct http_server **out, int fd, const struct http_settings *settings)
{
	struct http_server *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->settings = *settings;
	LIST_INIT(&s->client_list);
	s->listener = evconnlistener_new(
		settings->base, on_accept, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!s->listener) {
		free(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

void http_server_close(struct http_server *s)
{
	if (!s)
		return;
	evconnlistener_free(s->listener);
	struct http_client *c;
	while ((c = LIST_FIRST(&s->client_list))) {
		static const char gone[] = "HTTP/1.1 503 Service Unavailable\r\n"
					   "Content-Type: application/json\r\n"
					   "Content-Length: 24\r\nConnection: close\r\n\r\n"
					   "{\"error\": \"is stopping\"}";
		int fd = bufferevent_getfd(c->bev);
		if (!c->replied) {
			ssize_t n = send(fd, gone, sizeof gone - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
			(void)n; // whoever cannot take it sees the connection close
		}
		// libevent closes it only in a later turn of a loop that may have had its last.
		shutdown(fd, SHUT_RDWR);
		client_free(c);
	}
	free(s);
}

void http_server_counts(const struct http_server *s, struct http_counts *out)
{
	*out = s->counts;
}

bool http_is_post(const struct http_exchange *x)
{
	return x->post;
}

const char *http_path(const struct http_exchange *x)
{
	return x->path;
}

const char *http_param(const struct http_exchange *x, const char *name)
{
	return evhttp_find_header(&x->params, name);
}

const struct ucred *http_peer(const struct http_exchange *x)
{
	return &x->peer;
}

bool http_is_live(const struct http_exchange *x)
{
	return x->client != NULL;
}

void http_defer(struct http_exchange *x, unsigned deadline_ms)
{
	if (x->client)
		client_arm(x->client, deadline_ms);
}

void http_reply(struct http_exchange *x, unsigned status, char *body)
{
	struct http_client *c = x->client;
	exchange_free(x);
	if (c && body)
		client_send(c, status, body);
	else if (c)
		client_refuse(c, 500);
	free(body);
}
