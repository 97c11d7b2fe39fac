// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What http_server.c (connections, requests) and http_reply.c (replies, streams) share.

#include "base/age_list.h"
#include "base/url_fields.h"
#include "http_server.h"

#include <sys/queue.h>

struct evconnlistener;
struct evhttp;
struct evhttp_request;
struct event;

struct http_exchange {
	LIST_ENTRY(http_exchange) link;
	struct age_link age;
	struct http_server *server;     // NULL: it is gone
	struct evhttp_request *request; // NULL: replied to (too late), or the server is gone
	struct event *deadline;
	struct ucred peer;
	struct sockaddr_storage source; // of a unix socket: the family alone
	const void *note;
	char who[HTTP_WHO_MAX], from[HTTP_FROM_MAX];
	uint64_t right;
	uint64_t asks[HTTP_TURNS_MAX]; // keys of http_rate.h; 0: none
	struct url_fields params, form;
	bool is_form_read, is_admin;
	int form_err;
};

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
	struct http_turn turn; // of the request that is being handled
	LIST_HEAD(, http_stream) streams;
};

// Takes a request from its sender's allowance. False: that is used up, and 429 is the reply.
bool http_sender_may_ask(struct http_exchange *x);
struct bufferevent *http_request_buffer(struct evhttp_request *r);
// The request is evhttp's again, which frees it when the reply has left or cannot. `body`: a
// constant.
void http_request_reply(struct evhttp_request *r, unsigned status, const char *body);
// From its server, which may be closing: nothing of the base is held any longer.
void http_exchange_detach(struct http_exchange *x);
// The client gets this status, or has it: tells the owner, once.
void http_exchange_replied(struct http_exchange *x, unsigned status);
