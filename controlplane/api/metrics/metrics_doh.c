// SPDX-License-Identifier: BSD-3-Clause
// DNS over HTTPS of clients.
#include "metrics.h"

#include <stdio.h>

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

void metrics_doh(struct metrics_text *t, const struct doh_status_now *s)
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
