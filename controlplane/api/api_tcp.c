// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of connections of clients: listeners, connections, refusals, and why connections ended.

#include "api_clients.h"
#include "api_server.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <weir/heap_site.h>

// The frontends in the statistics: answers to their clients, and their sockets.

static void counts_out(struct json_out *o, struct json_node *frontend, const char *name,
	const struct frontend_counts *c)
{
	struct json_node *n = json_out_object(o, frontend, name);
	struct json_node *verdicts = json_out_object(o, n, "verdicts");
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		if (c->verdict[v])
			json_out_count(o, verdicts, verdict_names[v], c->verdict[v]);
	counts_json(o, n, "", frontend_rows(), c);
}

static void fallback_out(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	counts_json(
		o, json_out_object(o, root, "fallback"), "", fallback_rows(), &l->frontends.udp);
}

// Adds the load of each frontend.
static void each_out(struct json_out *o, struct json_node *under, const struct frontends_status *s)
{
	struct json_node *list = json_out_array(o, under, "each");
	for (unsigned i = 0; i < s->count; i++) {
		const struct frontends_load *load = &s->each[i];
		struct json_node *n = json_out_object(o, list, NULL);
		JSON_COUNTS(o, n, load, udp_received, tcp_queries, pending, tcp_open, lag_p99_us);
		json_out_bool(o, n, "hangs", load->hangs);
	}
}

static void engine_out(
	struct json_out *o, struct json_node *root, const char *name, const struct api_look *l)
{
	const struct frontend_status *s = &l->frontends.engine;
	struct json_node *n = json_out_object(o, root, name);
	for (unsigned t = 0; t < FRONTEND_TRANSPORTS; t++)
		counts_out(o, n, frontend_transport_names[t], &s->of[t]);
	JSON_COUNTS(o, n, s, pending, pending_max);
	json_out_count(o, n, "pending_cap", FRONTEND_PENDING_MAX);
	json_out_count(o, n, "macs_unasked", s->macs_unasked);
	json_out_count(o, n, "record_anomalies", s->record_anomalies);
	counts_json(o, n, "loop_lag_", lag_rows(), &l->frontends.lag);
	each_out(o, n, &l->frontends);
}

// "front" is the former name of "frontend", kept for one version.
static void frontend_out(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	engine_out(o, root, "frontend", l);
	engine_out(o, root, "front", l);
	fallback_out(o, root, l);
}

const struct api_part api_frontend_part = {.status = fallback_out, .stats = frontend_out};

enum { NUMBER_TEXT = 8 };

static void listeners_out(
	struct json_out *o, struct json_node *root, const struct frontend_tcp_status *s)
{
	struct json_node *list = json_out_array(o, root, "listeners");
	char text[SOCKET_ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < s->listener_count; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "address", socket_address_text(&s->listener[i].address, text));
		json_out_text(o, n, "kind", frontend_tcp_kind_names[s->listener[i].kind]);
		json_out_text(o, n, "error",
			s->listener[i].err ? frontend_tcp_listen_error(s->listener[i].err) : "");
	}
}

void api_certificate_out(
	struct json_out *o, struct json_node *list, const struct tls_certificate_about *c)
{
	struct json_node *one = json_out_object(o, list, NULL);
	const int64_t now_s = time(NULL);
	json_out_text(o, one, "names", c->names);
	json_out_count(o, one, "until", (uint64_t)c->until_unix_s);
	json_out_count(o, one, "left_s",
		c->until_unix_s > now_s ? (uint64_t)(c->until_unix_s - now_s) : 0);
}

static void tls_out(struct json_out *o, struct json_node *root, const struct frontend_tls_status *s)
{
	struct json_node *n = json_out_object(o, root, "tls");

	counts_json(o, n, "", frontend_tls_rows(), s);
	struct json_node *failed = json_out_object(o, n, "failed");
	for (unsigned i = 0; i < TLS_REFUSAL_COUNT; i++)
		json_out_count(o, failed, tls_refusal_names[i], s->failed[i]);
	struct json_node *list = json_out_array(o, n, "certificates");
	for (unsigned i = 0; i < s->certificates; i++)
		api_certificate_out(o, list, &s->certificate[i]);
	json_out_text(o, n, "error", s->why);
}

static void doh_out(struct json_out *o, struct json_node *root, const struct doh_status_now *s)
{
	struct json_node *n = json_out_object(o, root, "doh");
	char number[NUMBER_TEXT];

	JSON_COUNTS(o, n, s, connections, bytes);
	struct json_node *requests = json_out_object(o, n, "requests");
	for (unsigned v = 0; v < DOH_VERSION_COUNT; v++) {
		struct json_node *one = json_out_object(o, requests, doh_http_versions[v]);
		for (unsigned m = 0; m < DOH_METHOD_COUNT; m++)
			json_out_count(o, one, doh_http_methods[m], s->counts.requests[v][m]);
	}
	struct json_node *responses = json_out_object(o, n, "responses");
	for (unsigned i = 0; i < DOH_STATUS_COUNT; i++) {
		snprintf(number, sizeof(number), "%u", doh_http_numbers[i]);
		json_out_count(o, responses, number, s->counts.responses[i]);
	}
	JSON_COUNTS(o, n, &s->counts, resets_client, resets_server, goaways, unwanted);
}

// The client with the most connections, which of IPv6 is a network.
static const char *busiest_text(
	const struct api *a, const struct ip_address *busiest, char out[SOCKET_ADDRESS_TEXT_MAX])
{
	struct querylog_hiding hiding;
	static_assert((int)SOCKET_ADDRESS_TEXT_MAX >= (int)QUERYLOG_CLIENT_TEXT_MAX);
	if (busiest->version == 0)
		return "";
	if (api_anonymize(a) == LOG_CLIENTS_WHOLE)
		return ip_address_text(busiest, busiest->version == 6, out);
	api_hiding(a, &hiding);
	return api_hidden_text(&hiding, busiest->version, busiest->bytes, out);
}

static void now_out(const struct api *a, struct json_out *o, struct json_node *root,
	const struct frontend_tcp_status *s)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];

	counts_json(o, root, "", frontend_tcp_rows(), s);
	json_out_text(o, root, "busiest", busiest_text(a, &s->busiest, text));
}

struct tcp_look {
	const struct api *api;
	struct http_exchange *exchange;
};

static void on_report(void *arg, const struct frontends_status *frontends)
{
	const struct tcp_look l = *(struct tcp_look *)arg;
	const struct frontend_tcp_status *s = &frontends->tcp;
	heap_free(arg);
	if (!http_is_live(l.exchange)) { // the API may be closed
		api_busy(l.exchange, -ECANCELED);
		return;
	}
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);

	now_out(l.api, o, root, s);
	struct json_node *errors = json_out_object(o, root, "accept_errors");
	for (unsigned i = 0; i < FRONTEND_TCP_ACCEPT_ERROR_COUNT; i++)
		json_out_count(o, errors, frontend_tcp_accept_error_names[i], s->accept_errors[i]);
	struct json_node *ended = json_out_object(o, root, "ended");
	for (unsigned i = FRONTEND_TCP_OPEN + 1; i < FRONTEND_TCP_END_COUNT; i++)
		json_out_count(o, ended, frontend_tcp_end_names[i], s->ended[i]);
	tls_out(o, root, &s->tls);
	doh_out(o, root, &s->doh);
	listeners_out(o, root, s);
	http_reply(l.exchange, 200, json_out_finish(o));
}

// Replies with the state of connections over TCP, TLS and HTTPS.
static void serve_tcp(struct api *a, struct http_exchange *x)
{
	struct tcp_look *l = heap_malloc(sizeof(*l));
	if (!l) {
		http_reply(x, 500, NULL);
		return;
	}
	*l = (struct tcp_look){.api = a, .exchange = x};
	http_defer(x, API_SHORT_MS);
	int rc = frontends_report(a->deps.frontends, a->deps.service, on_report, l);
	if (rc < 0) {
		heap_free(l);
		api_busy(x, rc);
	}
}

const struct api_part api_tcp_part = {.endpoint = {{"/tcp", serve_tcp, API_GET, CONTROL_READ, ""}}};
