// SPDX-License-Identifier: BSD-3-Clause
// The frontend's part of the statistics: answers to its clients, and its sockets.

#include "api_server.h"

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

// One for each frontend.
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

// "front" is the former name, for one version.
static void frontend_out(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	engine_out(o, root, "frontend", l);
	engine_out(o, root, "front", l);
	fallback_out(o, root, l);
}

const struct api_part api_frontend_part = {.status = fallback_out, .stats = frontend_out};
