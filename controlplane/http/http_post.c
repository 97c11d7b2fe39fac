// SPDX-License-Identifier: BSD-3-Clause
#include "http_post.h"

#include "http_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

struct http_post {
	struct http_transfer *transfer;
	struct bootstrap ask;
	const _Atomic bool *single;
	const char *ca_file;
	struct http_url host;               // that `addresses` are of
	char addresses[HTTP_HOST_LINE_MAX]; // ""; it needs none
	uint64_t addresses_until_ms;        // 0: not resolved yet
	struct http_post_reply *reply;
	char *keep;
	size_t keep_cap;
	size_t got;
};

int http_post_open(struct http_post **out, const struct http_post_settings *s)
{
	struct http_post *p = heap_calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	int err = http_transfer_open(&p->transfer);
	if (err) {
		heap_free(p);
		return err;
	}
	p->ask.stop = s->stop;
	p->single = s->single;
	p->ca_file = s->ca_file && *s->ca_file ? s->ca_file : NULL;
	http_post_name_servers(p, s->servers, s->server_count);
	*out = p;
	return 0;
}

void http_post_name_servers(
	struct http_post *p, const struct socket_address *servers, unsigned count)
{
	p->ask.server_count = 0;
	for (unsigned i = 0; i < count && i < ARRAY_LEN(p->ask.server); i++)
		p->ask.server[p->ask.server_count++] = servers[i];
	p->addresses_until_ms = 0;
}

void http_post_close(struct http_post *p)
{
	if (!p)
		return;
	http_transfer_close(p->transfer);
	heap_free(p);
}

// Puts bytes of the body, `got` of which came before, into a text as far as they fit.
static void bytes_keep(char *out, size_t cap, size_t got, const char *bytes, size_t len)
{
	const size_t kept = got < cap - 1 ? got : cap - 1;
	const size_t n = len < cap - 1 - kept ? len : cap - 1 - kept;
	memcpy(out + kept, bytes, n);
	out[kept + n] = '\0';
}

static bool on_body(void *arg, unsigned, const char *bytes, size_t len)
{
	struct http_post *p = arg;
	bytes_keep(p->reply->body, sizeof(p->reply->body), p->got, bytes, len);
	if (p->keep)
		bytes_keep(p->keep, p->keep_cap, p->got, bytes, len);
	p->got += len;
	return p->got <= HTTP_POST_REPLY_MAX;
}

static bool stopped(const struct http_post *p)
{
	return p->ask.stop && atomic_load_explicit(p->ask.stop, memory_order_relaxed);
}

static bool on_wait(void *arg, uint64_t)
{
	return !stopped(arg);
}

static int addresses_find(
	struct http_post *p, const char *url, uint64_t deadline_ms, char why[HTTP_POST_WHY_MAX])
{
	struct http_url host;
	uint64_t now_ms = clock_mono_ms();
	if (http_url_split(url, &host) < 0) {
		snprintf(why, HTTP_POST_WHY_MAX, "not a URL with a host");
		return -EPROTO;
	}
	if (now_ms < p->addresses_until_ms && strcmp(host.host, p->host.host) == 0
		&& strcmp(host.port, p->host.port) == 0)
		return 0;
	p->addresses_until_ms = 0;
	p->ask.deadline_ms = deadline_ms;
	static_assert((int)HTTP_HOST_WHY_MAX <= (int)HTTP_POST_WHY_MAX);
	int err = http_host_addresses(&host, &p->ask, p->addresses, why);
	if (err)
		return err;
	p->host = host;
	p->addresses_until_ms = now_ms + HTTP_POST_ADDRESS_S * 1000;
	return 0;
}

static int transfer(struct http_post *p, const struct http_post_request *r, uint64_t deadline_ms,
	struct http_post_reply *out)
{
	struct http_transfer_result got;
	uint64_t now_ms = clock_mono_ms();
	struct http_transfer_request request = {.url = r->url,
		.addresses = *p->addresses ? p->addresses : NULL,
		.ca_file = p->ca_file,
		.body = r->body,
		.len = r->len,
		.connect_ms = HTTP_POST_CONNECT_MS,
		.timeout_ms = now_ms < deadline_ms ? (unsigned)(deadline_ms - now_ms) : 1,
		.idle_s = HTTP_POST_IDLE_S,
		.single = p->single && atomic_load_explicit(p->single, memory_order_relaxed),
		.hooks = {.on_body = on_body, .on_wait = on_wait},
		.arg = p};
	memcpy(request.header, r->header, sizeof(request.header));
	int err = http_transfer(p->transfer, &request, &got);
	out->status = got.status;
	out->is_unsent = got.sent == 0;
	out->retry_after_s = got.retry_after_s;
	snprintf(out->why, sizeof(out->why), "%s", got.why);
	if (err == -ECANCELED && p->got > HTTP_POST_REPLY_MAX) {
		snprintf(out->why, sizeof(out->why), "a reply that is too long");
		err = -EFBIG;
	}
	return err;
}

int http_post(
	struct http_post *p, const struct http_post_request *request, struct http_post_reply *out)
{
	uint64_t deadline_ms = clock_mono_ms() + request->timeout_ms;
	*out = (struct http_post_reply){.is_unsent = true, .why = "stopped"};
	p->reply = out;
	p->got = 0;
	p->keep = request->keep;
	p->keep_cap = request->keep_cap;
	if (p->keep)
		p->keep[0] = '\0';
	if (stopped(p))
		return -ECANCELED;
	int err = addresses_find(p, request->url, deadline_ms, out->why);
	if (err == 0)
		err = transfer(p, request, deadline_ms, out);
	if (err)
		p->addresses_until_ms = 0;
	p->reply = NULL;
	return err;
}
