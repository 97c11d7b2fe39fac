// SPDX-License-Identifier: BSD-3-Clause
// What the control plane answered to clients of its own, and its sockets for that.

#include "api_internal.h"

static void counts_out(struct json_out *o, struct json_node *frontend, const char *name,
	const struct frontend_counts *c)
{
	struct json_node *n = json_out_object(o, frontend, name);
	struct json_node *verdicts = json_out_object(o, n, "verdicts");
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		if (c->verdict[v])
			json_out_count(o, verdicts, verdict_names[v], c->verdict[v]);
	json_out_count(o, n, "answers", c->answers);
	json_out_count(o, n, "answers_stale", c->answers_stale);
	json_out_count(o, n, "answers_servfail", c->answers_servfail);
	json_out_count(o, n, "answers_blocked", c->answers_blocked);
	json_out_count(o, n, "left", c->left);
	json_out_count(o, n, "lost", c->lost);
	json_out_count(o, n, "truncated", c->truncated);
	json_out_count(o, n, "cookies_good", c->cookies_good);
	json_out_count(o, n, "cookies_bad", c->cookies_bad);
	json_out_count(o, n, "cookies_alone", c->cookies_alone);
	json_out_count(o, n, "cookies_exempt", c->cookies_exempt);
}

void api_frontend_out(struct json_out *o, struct json_node *root, const struct frontend_status *s)
{
	struct json_node *n = json_out_object(o, root, "frontend");
	counts_out(o, n, "udp", &s->of[FRONTEND_UDP]);
	counts_out(o, n, "tcp", &s->of[FRONTEND_TCP]);
	json_out_count(o, n, "pending", s->pending);
	json_out_count(o, n, "pending_max", s->pending_max);
	json_out_count(o, n, "pending_cap", FRONTEND_PENDING_MAX);
	json_out_count(o, n, "macs_unasked", s->macs_unasked);
}

void api_fallback_out(
	struct json_out *o, struct json_node *root, const struct frontend_udp_status *u)
{
	struct json_node *n = json_out_object(o, root, "fallback");
	json_out_count(o, n, "addresses", u->sockets);
	json_out_count(o, n, "bound", u->bound);
	json_out_count(o, n, "received", u->received);
	json_out_count(o, n, "alone", u->alone);
	json_out_count(o, n, "sent", u->sent);
	json_out_count(o, n, "send_full", u->send_full);
	json_out_count(o, n, "send_errors", u->send_errors);
	json_out_count(o, n, "too_long", u->too_long);
	json_out_count(o, n, "bad_source", u->bad_source);
	json_out_count(o, n, "kernel_drops", u->kernel_drops);
}
