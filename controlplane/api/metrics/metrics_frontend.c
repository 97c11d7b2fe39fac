// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the frontends and of their clients, and of the lag of loops.

#include "metrics.h"

#include <stdio.h>

static void metrics_doh(struct metrics_text *t, const struct doh_status_now *s);

static void metrics_frontend(struct metrics_text *t, const struct frontend_status *s)
{
	metrics_family(t, METRICS_COUNTER, "weir_frontend_queries_total",
		"Queries that the frontend received, by verdict.");
	for (unsigned i = 0; i < FRONTEND_TRANSPORTS; i++)
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			if (s->of[i].verdict[v])
				metrics_count(t,
					METRICS_LABELS({"transport", frontend_transport_names[i]},
						{"verdict", verdict_names[v]}),
					s->of[i].verdict[v]);
	struct metrics_labels labels[FRONTEND_TRANSPORTS];
	for (unsigned i = 0; i < FRONTEND_TRANSPORTS; i++)
		labels[i] = METRICS_LABEL("transport", frontend_transport_names[i]);
	metrics_counts_rows(
		t, frontend_rows(), s->of, FRONTEND_TRANSPORTS, sizeof(s->of[0]), labels);
}

static void metrics_tls(struct metrics_text *t, const struct frontend_tls_status *s)
{
	metrics_counts(t, frontend_tls_rows(), s);
	metrics_family(t, METRICS_COUNTER, "weir_tls_failed_total",
		"TLS handshakes of clients that failed, by reason.");
	for (unsigned i = 0; i < TLS_REFUSAL_COUNT; i++)
		metrics_count(t, METRICS_LABELS({"why", tls_refusal_names[i]}), s->failed[i]);
}

static void metrics_tcp(struct metrics_text *t, const struct frontend_tcp_status *s)
{
	metrics_counts(t, frontend_tcp_rows(), s);
	metrics_family(t, METRICS_COUNTER, "weir_tcp_ended_total",
		"TCP connections that ended, by reason.");
	for (unsigned i = FRONTEND_TCP_OPEN + 1; i < FRONTEND_TCP_END_COUNT; i++)
		metrics_count(t, METRICS_LABELS({"why", frontend_tcp_end_names[i]}), s->ended[i]);
	metrics_family(t, METRICS_COUNTER, "weir_tcp_accept_errors_total",
		"TCP connections that weir could not accept, by reason.");
	for (unsigned i = 0; i < FRONTEND_TCP_ACCEPT_ERROR_COUNT; i++)
		metrics_count(t, METRICS_LABELS({"why", frontend_tcp_accept_error_names[i]}),
			s->accept_errors[i]);
}

static void lag_put(struct metrics_text *t, const char *loop, const struct loop_lag_minute *l)
{
	metrics_real(t, METRICS_LABELS({"loop", loop}, {"of", "p50"}), (double)l->p50_us / 1e6);
	metrics_real(t, METRICS_LABELS({"loop", loop}, {"of", "p99"}), (double)l->p99_us / 1e6);
	metrics_real(t, METRICS_LABELS({"loop", loop}, {"of", "max"}), (double)l->max_us / 1e6);
}

void metrics_lag(struct metrics_text *t, const struct loop_lag_minute *resolver,
	const struct loop_lag_minute *frontend, const struct loop_lag_minute *service)
{
	metrics_family(t, METRICS_GAUGE, "weir_loop_lag_seconds",
		"How late an event loop ran its timers in the last minute.");
	lag_put(t, "resolver", resolver);
	lag_put(t, "frontend", frontend);
	lag_put(t, "service", service);
}

void metrics_frontends(struct metrics_text *t, const struct frontends_status *s)
{
	metrics_frontend(t, &s->engine);
	metrics_counts(t, fallback_rows(), &s->udp);
	metrics_tcp(t, &s->tcp);
	metrics_tls(t, &s->tcp.tls);
	metrics_doh(t, &s->tcp.doh);
}

// Metrics of clients' DNS over HTTPS.

enum { NUMBER_TEXT = 8 };

static void requests_out(struct metrics_text *t, const struct doh_counts *n)
{
	metrics_family(t, METRICS_COUNTER, "weir_doh_requests_total",
		"Requests over HTTPS that were whole or refused, by version of HTTP and method.");
	for (unsigned v = 0; v < DOH_VERSION_COUNT; v++)
		for (unsigned m = 0; m < DOH_METHOD_COUNT; m++)
			metrics_count(t,
				METRICS_LABELS({"version", doh_http_versions[v]},
					{"method", doh_http_methods[m]}),
				n->requests[v][m]);
}

static void responses_out(struct metrics_text *t, const struct doh_counts *n)
{
	char number[NUMBER_TEXT];

	metrics_family(
		t, METRICS_COUNTER, "weir_doh_responses_total", "Responses over HTTPS, by status.");
	for (unsigned i = 0; i < DOH_STATUS_COUNT; i++) {
		snprintf(number, sizeof(number), "%u", doh_http_numbers[i]);
		metrics_count(t, METRICS_LABELS({"status", number}), n->responses[i]);
	}
}

static void metrics_doh(struct metrics_text *t, const struct doh_status_now *s)
{
	metrics_family(t, METRICS_GAUGE, "weir_doh_connections",
		"Connections of clients over HTTPS, after their TLS handshake.");
	metrics_count(t, NULL, s->connections);
	requests_out(t, &s->counts);
	responses_out(t, &s->counts);
	metrics_family(t, METRICS_COUNTER, "weir_doh_resets_total",
		"Streams of HTTP/2 that were reset, by which side.");
	metrics_count(t, METRICS_LABELS({"by", "client"}), s->counts.resets_client);
	metrics_count(t, METRICS_LABELS({"by", "server"}), s->counts.resets_server);
	metrics_family(t, METRICS_COUNTER, "weir_doh_goaways_total",
		"Connections that weir ended with ENHANCE_YOUR_CALM.");
	metrics_count(t, NULL, s->counts.goaways);
	metrics_family(t, METRICS_COUNTER, "weir_doh_unwanted_total",
		"Answers to requests that their client had reset.");
	metrics_count(t, NULL, s->counts.unwanted);
}
