// SPDX-License-Identifier: BSD-3-Clause
// GET /upstreams: every server of every set. POST /upstream/drain, /upstream/undrain: takes a
// server out of use, and back into use. POST /upstream/test: a server's reply to a query; POST
// /upstreams/test: that of a server which is in no set.

#include "api_upstreams.h"

#include "api_lines.h"
#include "api_param.h"
#include "api_server.h"
#include "base/rdata_text.h"
#include "resolver/resolvers.h"
#include "route/host_board.h"
#include "route/route_board.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/heap_site.h>
#include <weir/known.h>
#include <weir/text.h>

enum { API_SERVER_TEXT_MAX = 512 };

static uint64_t seconds_since(uint64_t then_ms, uint64_t now_ms)
{
	return then_ms && now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;
}

static void host_out(struct json_out *o, struct json_node *list, const struct host_state *h)
{
	struct json_node *n = json_out_object(o, list, NULL);
	char text[CONFIG_HOST_TEXT_MAX], one[SOCKET_ADDRESS_TEXT_MAX];
	uint64_t now_ms = clock_mono_ms();

	snprintf(text, sizeof(text), "%s:%u", h->host, h->port);
	json_out_text(o, n, "host", text);
	json_out_bool(o, n, "resolved", h->count > 0);
	struct json_node *addresses = json_out_array(o, n, "addresses");
	for (unsigned i = 0; i < h->count; i++)
		json_out_text(o, addresses, NULL, ip_address_text(&h->address[i], false, one));
	json_out_bool(o, n, "drained", h->is_drained);
	json_out_count(o, n, "since_s", seconds_since(h->since_ms, now_ms));
	json_out_count(o, n, "resolved_s", seconds_since(h->resolved_ms, now_ms));
	json_out_count(o, n, "next_s", seconds_since(now_ms, h->next_ms));
	JSON_COUNTS(o, n, h, lookups, failures, changes, refused, left_out, unreachable);
	json_out_text(o, n, "error", h->why);
}

void api_hosts_out(struct json_out *o, struct json_node *root)
{
	struct json_node *list = json_out_array(o, root, "hosts");
	struct host_state h;

	for (unsigned i = 0; host_board_at(i, &h); i++)
		host_out(o, list, &h);
}

// A request on its way to the resolvers' loops and back.
struct upstreams_look {
	const struct api *api;
	struct events *events; // outlives the API
	struct http_exchange *exchange;
	char server[API_SERVER_TEXT_MAX];
	bool is_drained;
};

static const char *state_text(const struct upstream_status *s)
{
	return s->drained      ? "drained"
	       : s->is_nowhere ? "no address"
	       : !s->up        ? "down"
	       : s->failing    ? "failing"
	       : s->suspect    ? "suspect"
			       : "up";
}

// Writes whose questions go to the set, such as "everyone" or "group kids".
static void set_text(
	const struct api *a, const struct resolvers_upstream *row, char *out, size_t cap)
{
	const struct config *c = a->deps.config_current(a->deps.reload_arg);
	char zone[DNS_NAME_TEXT_MAX] = "";
	const char *group = "";

	if (row->zone.len)
		dns_name_to_text(&row->zone, zone);
	if (row->group > 0 && row->group <= c->group_count)
		group = c->groups[row->group - 1].name;
	snprintf(out, cap, "%s%s%s%s%s%s",
		row->group      ? "group "
		: row->zone.len ? ""
				: "everyone",
		group, row->group && row->zone.len ? ", " : "", row->zone.len ? "zone " : "", zone,
		row->is_safe ? ", safe search" : "");
}

// The upper bound, in microseconds, of the bucket of round trips with this percentile; 0: there
// were no round trips, or it is the last bucket, which has no bound.
static uint64_t quantile_us(const struct took *t, unsigned percent)
{
	uint64_t total = 0, sum = 0;

	for (unsigned i = 0; i < TOOK_BUCKETS; i++)
		total += t->bucket[i];
	for (unsigned i = 0; total && i + 1 < TOOK_BUCKETS; i++) {
		sum += t->bucket[i];
		if (sum * 100 >= total * percent)
			return took_bound_ns(i) / 1000;
	}
	return 0;
}

static void histogram_out(struct json_out *o, struct json_node *n, const struct took *t)
{
	struct json_node *list = json_out_array(o, n, "rtt");

	for (unsigned i = 0; i + 1 < TOOK_BUCKETS; i++) {
		if (!t->bucket[i])
			continue;
		struct json_node *b = json_out_object(o, list, NULL);
		json_out_count(o, b, "below_us", took_bound_ns(i) / 1000);
		json_out_count(o, b, "count", t->bucket[i]);
	}
}

static void tls_out(struct json_out *o, struct json_node *row, const struct upstream_status *s)
{
	struct json_node *n = json_out_object(o, row, "tls");

	json_out_text(o, n, "about", s->tls_about);
	json_out_text(o, n, "error", s->tls_why);
	json_out_count(o, n, "handshakes", s->tls_handshakes);
	json_out_count(o, n, "resumed", s->tls_resumed);
	json_out_count(o, n, "sessions", s->tls_sessions);
	json_out_count(o, n, "failed_handshake", s->tls_failed[TLS_FAILURE_handshake]);
	json_out_count(o, n, "failed_certificate", s->tls_failed[TLS_FAILURE_certificate]);
	json_out_count(o, n, "failed_name", s->tls_failed[TLS_FAILURE_name]);
	json_out_count(o, n, "failed_pin", s->tls_failed[TLS_FAILURE_pin]);
}

static void https_out(struct json_out *o, struct json_node *row, const struct upstream_status *s)
{
	const struct upstream_https_counts *h = &s->https;
	struct json_node *n = json_out_object(o, row, "https");

	json_out_count(o, n, "version", h->version);
	json_out_text(o, n, "error", h->why);
	json_out_count(o, n, "replies", h->replies);
	json_out_count(o, n, "status", h->status);
	json_out_count(o, n, "failed_status", h->failed[UPSTREAM_HTTPS_status]);
	json_out_count(o, n, "failed_type", h->failed[UPSTREAM_HTTPS_type]);
	json_out_count(o, n, "failed_body", h->failed[UPSTREAM_HTTPS_body]);
	json_out_count(o, n, "failed_connection", h->failed[UPSTREAM_HTTPS_connection]);
}

static const char *via_text(const struct upstream_status *s)
{
	return s->is_https ? "https" : s->is_tls ? "tls" : s->way == ROUTE_port ? "port" : "kernel";
}

static void row_out(struct json_out *o, struct json_node *list, const struct api *a,
	const struct resolvers_upstream *row)
{
	const struct upstream_status *s = &row->status;
	struct json_node *n = json_out_object(o, list, NULL);
	char set[DNS_NAME_TEXT_MAX + 300];

	set_text(a, row, set, sizeof(set));
	json_out_text(o, n, "set", set);
	json_out_text(o, n, "name", s->name);
	json_out_text(o, n, "address", s->address);
	json_out_text(o, n, "state", state_text(s));
	json_out_text(o, n, "via", via_text(s));
	json_out_text(o, n, "via_kernel_why", route_way_why((enum route_way)s->way));
	json_out_count(o, n, "share_percent", (s->share * 100u + 32767) / 65535);
	JSON_COUNTS(o, n, s, srtt_us);
	json_out_count(o, n, "p50_us", quantile_us(&s->took, 50));
	json_out_count(o, n, "p99_us", quantile_us(&s->took, 99));
	JSON_COUNTS(o, n, s, sent, sent_port, answered, timeouts, refused, failures, bad_replies,
		case_changed, send_errors, tcp_retries, tcp_opened, checks, checks_failed);
	if (s->is_tls)
		tls_out(o, n, s);
	if (s->is_https)
		https_out(o, n, s);
	json_out_bool(o, n, "sends_client_subnet", s->sends_subnet);
	json_out_count(o, n, "client_subnet_ipv4", s->subnet.ipv4);
	json_out_count(o, n, "client_subnet_ipv6", s->subnet.ipv6);
	histogram_out(o, n, &s->took);
}

static void look_end(struct upstreams_look *l, struct json_out *o)
{
	http_reply(l->exchange, 200, json_out_finish(o));
	heap_free(l);
}

static void on_upstreams(void *arg, const struct resolvers_upstreams *u)
{
	struct upstreams_look *l = arg;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct json_node *list = json_out_array(o, root, "upstreams");

	for (unsigned i = 0; i < u->count; i++)
		row_out(o, list, l->api, &u->row[i]);
	json_out_count(o, root, "left_out", u->left_out);
	api_hosts_out(o, root);
	look_end(l, o);
}

// NULL: the reply is sent.
static struct upstreams_look *look_begin(
	struct api *a, struct http_exchange *x, unsigned deadline_ms)
{
	struct upstreams_look *l = heap_calloc(1, sizeof(*l));
	if (!l) {
		http_reply(x, 500, NULL);
		return NULL;
	}
	l->api = a;
	l->events = a->deps.events;
	l->exchange = x;
	http_defer(x, deadline_ms);
	return l;
}

static void look_refused(struct upstreams_look *l, int err)
{
	if (err >= 0)
		return;
	api_busy(l->exchange, err);
	heap_free(l);
}

// Replies with the upstream servers and their state.
static void serve_upstreams(struct api *a, struct http_exchange *x)
{
	struct upstreams_look *l = look_begin(a, x, API_SHORT_MS);
	if (l)
		look_refused(l,
			resolvers_upstreams(a->deps.resolvers, a->deps.service, on_upstreams, l));
}

static void servers_try(struct text_near *n, const struct config_upstream *s, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		text_near_try(n, s[i].name);
}

static void no_server(struct upstreams_look *l)
{
	const struct api_deps *d = &l->api->deps;
	const struct config *c = d->config_current ? d->config_current(d->reload_arg) : NULL;
	struct text_near near;
	text_near_begin(&near, l->server);
	if (c)
		servers_try(&near, c->upstreams.server, c->upstreams.count);
	for (unsigned i = 0; c && i < c->group_count; i++)
		servers_try(&near, c->groups[i].upstreams, c->groups[i].upstream_count);
	for (unsigned i = 0; c && i < c->forward_count; i++)
		servers_try(&near, c->forwards[i].servers, c->forwards[i].server_count);
	if (near.best)
		api_refuse(l->exchange, 404, "no server \"%s\"; did you mean \"%s\"?", l->server,
			near.best);
	else
		api_refuse(l->exchange, 404,
			"no server \"%s\": name one of weirctl upstreams, or its address",
			l->server);
	heap_free(l);
}

// Begins a request that names a server. NULL: the reply is sent.
static struct upstreams_look *server_begin(
	struct api *a, struct http_exchange *x, unsigned deadline_ms)
{
	char server[API_SERVER_TEXT_MAX];
	if (!api_param_text(x, "server", server, sizeof(server)))
		return NULL;
	const size_t len = strlen(server);
	if (len == 0) {
		api_refuse(x, 400, "server: is empty");
		return NULL;
	}
	if (len >= RESOLVERS_SERVER_MAX) {
		api_refuse(x, 404, "no server of weir has a name or an address of %zu bytes", len);
		return NULL;
	}
	struct upstreams_look *l = look_begin(a, x, deadline_ms);
	if (l)
		memcpy(l->server, server, len + 1);
	return l;
}

static void drain_event(const struct upstreams_look *l, unsigned sets)
{
	char count[16];
	(void)snprintf(count, sizeof(count), "%u", sets);
	events_add(l->events, l->is_drained ? EVENT_upstream_drained : EVENT_upstream_undrained,
		EVENT_FIELDS({"server", l->server}, {"sets", count}), "upstream server %s %s",
		l->server, l->is_drained ? "gets no more questions" : "gets questions again");
}

static void on_drained(void *arg, unsigned sets)
{
	struct upstreams_look *l = arg;
	if (sets == 0) {
		no_server(l);
		return;
	}
	drain_event(l, sets);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "server", l->server);
	json_out_bool(o, root, "drained", l->is_drained);
	json_out_count(o, root, "sets", sets);
	look_end(l, o);
}

static void drain_call(struct api *a, struct http_exchange *x, bool is_drained)
{
	struct upstreams_look *l = server_begin(a, x, API_SHORT_MS);
	if (!l)
		return;
	l->is_drained = is_drained;
	look_refused(l, resolvers_drain(a->deps.resolvers, l->server, is_drained, a->deps.service,
				on_drained, l));
}

// Sends no more questions to a server.
static void serve_drain(struct api *a, struct http_exchange *x)
{
	drain_call(a, x, true);
}

// Sends questions to a server again.
static void serve_undrain(struct api *a, struct http_exchange *x)
{
	drain_call(a, x, false);
}

static void tried_out(struct json_out *o, struct json_node *root, const char *transport,
	const struct upstream_tried *t)
{
	struct json_node *n = json_out_object(o, root, transport);

	json_out_bool(o, n, "sent", t->is_sent);
	json_out_bool(o, n, "answered", t->is_answered);
	if (!t->is_answered && t->why[0])
		json_out_text(o, n, "why", t->why);
	if (!t->is_answered)
		return;
	json_out_text(o, n, "rcode", dns_rcode_text(t->flags & DNS_FLAG_RCODE));
	json_out_bool(o, n, "truncated", (t->flags & DNS_FLAG_TC) != 0);
	JSON_COUNTS(o, n, t, bytes, took_us);
}

static void tries_out(struct json_out *o, struct json_node *root,
	const struct upstream_tried t[UPSTREAM_TRANSPORTS])
{
	if (t[1].is_https) {
		tried_out(o, root, "https", &t[1]);
	} else if (t[1].is_tls) {
		tried_out(o, root, "tls", &t[1]);
	} else {
		tried_out(o, root, "udp", &t[0]);
		tried_out(o, root, "tcp", &t[1]);
	}
}

static void on_tried(void *arg, const struct resolvers_tried *t)
{
	struct upstreams_look *l = arg;
	if (t->err == -ENOENT) {
		no_server(l);
		return;
	}
	if (t->err < 0) {
		look_refused(l, t->err);
		return;
	}
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "server", l->server);
	tries_out(o, root, t->tried);
	look_end(l, o);
}

// Asks a server one question over UDP and one over TCP.
static void serve_test(struct api *a, struct http_exchange *x)
{
	struct upstreams_look *l = server_begin(a, x, API_FLUSH_MS);
	if (l)
		look_refused(l,
			resolvers_try(a->deps.resolvers, l->server, a->deps.service, on_tried, l));
}

// Signed: the answer has RRSIG records; AD: the server says that it has validated the answer.
static void on_candidate(void *arg, const struct resolvers_tried *t)
{
	struct upstreams_look *l = arg;
	if (t->err == -EBUSY)
		api_refuse(l->exchange, 503, "another server is being tested: try again");
	else if (t->err < 0)
		api_busy(l->exchange, t->err);
	if (t->err < 0) {
		heap_free(l);
		return;
	}
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "server", l->server);
	tries_out(o, root, t->tried);
	json_out_bool(o, root, "signed", t->tried[0].is_signed || t->tried[1].is_signed);
	json_out_bool(o, root, "ad", (t->tried[0].flags | t->tried[1].flags) & DNS_FLAG_AD);
	look_end(l, o);
}

// Asks a server that weir does not use one question over UDP and one over TCP, or over TLS or
// HTTPS. The name of a public resolver stands for its first server.
static void serve_candidate(struct api *a, struct http_exchange *x)
{
	const struct api_deps *d = &a->deps;
	const struct config *c = d->config_current(d->reload_arg);
	const char *server = http_param(x, "server");
	const char *const *known = known_resolver(server, false);
	struct config_upstream s;
	char why[CONFIG_WHY_MAX];
	if (known)
		server = known[0];
	if (strlen(server) >= API_SERVER_TEXT_MAX) {
		api_refuse(x, 400, "server: must have 1 to %d bytes", API_SERVER_TEXT_MAX - 1);
		return;
	}
	if (config_server_parse(c, server, &s, why) < 0) {
		api_refuse(x, 400, "server: %s", why);
		return;
	}
	struct upstreams_look *l = look_begin(a, x, API_FLUSH_MS);
	if (!l)
		return;
	snprintf(l->server, sizeof(l->server), "%s", server);
	look_refused(l, resolvers_try_candidate(
				d->resolvers, &c->upstreams, &s, d->service, on_candidate, l));
}

const struct api_part api_upstreams_part = {
	.endpoint = {{"/upstreams", serve_upstreams, API_GET, CONTROL_READ, ""},
		{"/upstream/drain", serve_drain, API_POST, CONTROL_OPERATE, "server!"},
		{"/upstream/undrain", serve_undrain, API_POST, CONTROL_OPERATE, "server!"},
		{"/upstream/test", serve_test, API_POST, CONTROL_OPERATE, "server!"},
		{"/upstreams/test", serve_candidate, API_POST, CONTROL_ADMIN, "server!"}},
};
