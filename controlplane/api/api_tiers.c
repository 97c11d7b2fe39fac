// SPDX-License-Identifier: BSD-3-Clause
// The two cache tiers' counters: their endpoint, and in the status.

#include "api_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

static void l0_out(struct json_out *o, struct json_node *root, const struct resolver_status *s)
{
	struct json_node *n = json_out_object(o, root, "l0");
	counts_json(o, n, "", l0_rows(), &s->l0);
	json_out_count(o, n, "bytes", s->l0_bytes);
	json_out_count(o, n, "private_bytes", s->l0_private_bytes);
}

// What keeps the housekeeping of L1 from running; "": nothing.
static const char *sweep_error(const struct resolver_status *s)
{
	const struct l1_sweep_status *w = &s->l1_sweep;
	return w->failed_in_a_row >= SWEEP_FAILURES_MAX ? w->error : "";
}

static void redis_degraded(struct api_reasons *reasons, const struct api_look *l)
{
	const struct resolver_status *s = l->resolver;
	static const struct {
		const char *state, *text;
	} states[] = {
		{"connecting", "Redis has not answered yet"},
		{"away", "Redis is away"},
		{"partial", "a part of the Redis cluster is away"},
		{"refusing", "Redis refuses every write"},
	};
	const struct redis_status *r = &s->l1.redis;
	const char *error = sweep_error(s);
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (strcmp(r->state, states[i].state) != 0)
			continue;
		api_reason_add(reasons, API_REASON_redis, states[i].state, "%s%s%s", states[i].text,
			*r->error ? ": " : "", r->error);
	}
	if (*error)
		api_reason_add(reasons, API_REASON_redis_sweep, "",
			"the housekeeping of Redis fails: %s", error);
}

static void redis_out(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	const struct resolver_status *s = l->resolver;
	const struct redis_status *r = &s->l1.redis;
	struct json_node *n = json_out_object(o, root, "redis");
	json_out_text(o, n, "state", r->state);
	json_out_text(o, n, "server", r->server);
	json_out_text(o, n, "error", r->error);
	json_out_count(o, n, "error_ms", r->error_ms ? clock_mono_ms() - r->error_ms : 0);
	json_out_count(o, n, "away_ms", r->away_since_ms ? clock_mono_ms() - r->away_since_ms : 0);
	json_out_count(o, n, "keys", s->l1_sweep.keys);
	json_out_count(o, n, "keys_cap", s->l1_sweep.max_keys);
	json_out_bool(o, n, "keys_known", s->l1_sweep.rounds > 0);
	json_out_text(o, n, "housekeeping_error", sweep_error(s));
	json_out_count(o, n, "refused_in_a_row", s->l1.refused_in_a_row);
	counts_json(o, n, "", redis_rows(), r);
}

static void l1_out(struct json_out *o, struct json_node *root, const struct resolver_status *s)
{
	struct json_node *n = json_out_object(o, root, "l1");
	counts_json(o, n, "", l1_rows(), &s->l1);
	json_out_count(o, n, "too_large", s->l1.too_large + s->l1_too_large);
	json_out_count(o, n, "answers", s->l1_answers);
	json_out_count(o, n, "refreshed_elsewhere", s->refreshed_elsewhere);
	counts_json(o, n, "", l1_sweep_rows(), &s->l1_sweep);
}

static void flush_out(struct json_out *o, struct json_node *root, const struct flush_status *f)
{
	struct json_node *n = json_out_object(o, root, "flush");
	counts_json(o, n, "", flush_rows(), f);
}

// Objects "l0", "redis", "l1" and "flush".
static void tiers_out(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	l0_out(o, root, l->resolver);
	redis_out(o, root, l);
	l1_out(o, root, l->resolver);
	flush_out(o, root, &l->resolver->flush);
}

static void tiers_reply(const struct api_look *l)
{
	struct json_out *o = json_out_new();
	tiers_out(o, json_out_root(o), l);
	http_reply(l->exchange, 200, json_out_finish(o));
}

static void serve_cache_stats(struct api *a, struct http_exchange *x)
{
	api_look(a, x, tiers_reply);
}

const struct api_part api_tiers_part = {
	.endpoint = {{"/cache/stats", serve_cache_stats, API_GET, CONTROL_READ, ""}},
	.status = redis_out,
	.stats = tiers_out,
	.degraded = redis_degraded,
};
