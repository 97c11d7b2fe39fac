// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of readiness: may this box get queries, for a load balancer, for an anycast route, or
// for people; and the operator's word that it should get none.

#include "api/metrics/metrics.h"
#include "api_param.h"
#include "events/event_conditions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>

enum ready_for { FOR_BALANCER, FOR_ANYCAST, FOR_HUMAN };

static bool answers_clients(const struct api *a, const struct api_reasons *r)
{
	return r->blocking == (a->is_drained ? 1U : 0U);
}

void api_reasons(struct api *a, const struct resolver_status *s, const struct frontends_status *f,
	struct api_reasons *out)
{
	const struct api_look l = {.api = a, .resolver = s, .frontends = *f};
	a->looks++;
	api_reasons_find(&l, out);
	ready_hold_see(&a->hold, clock_mono_ms(), answers_clients(a, out));
	a->reasons_left_out += out->left_out;
	a->is_ready = out->blocking == 0;
	memset(a->reason_count, 0, sizeof(a->reason_count));
	for (unsigned i = 0; i < out->count; i++)
		a->reason_count[out->one[i].id]++;
}

static int64_t unix_ms_of(uint64_t mono_ms)
{
	const uint64_t age_ms = clock_mono_ms() - mono_ms;
	return (int64_t)(clock_ms_of(CLOCK_REALTIME) - age_ms);
}

static void kind_out(struct json_out *o, struct json_node *n, const char *name,
	enum event_severity severity, bool has_advice)
{
	const struct api_reason_kind *kind = api_reason_kind_of(name);
	const char *about = strchr(name, ' ');
	json_out_text(o, n, "id", kind ? kind->id : name);
	json_out_text(o, n, "about", about ? about + 1 : "");
	json_out_text(o, n, "severity", event_severity_names[severity]);
	if (has_advice)
		json_out_text(o, n, "advice", kind ? kind->advice : "");
}

// Alarms have begun when the second's look saw them first; one of this moment begins now.
static void reason_out(struct json_out *o, struct json_node *list, const struct api *a,
	const struct api_reason *r, bool is_human)
{
	char name[EVENT_ABOUT_MAX];
	struct json_node *n = json_out_object(o, list, NULL);
	api_reason_name(r, name, sizeof(name));
	kind_out(o, n, name, api_reason_severity(r), is_human);
	json_out_bool(o, n, "blocks", r->is_blocking);
	json_out_text(o, n, "text", r->text);
	if (!is_human)
		return;
	const struct event_condition *c = a->deps.conditions ? event_conditions_find(
						  a->deps.conditions, EVENT_alarm_raised, name)
							     : NULL;
	json_out_signed(o, n, "begin_unix_ms", unix_ms_of(c ? c->since_ms : clock_mono_ms()));
}

static void condition_out(
	struct json_out *o, struct json_node *list, const struct event_condition *c)
{
	struct json_node *n = json_out_object(o, list, NULL);
	kind_out(o, n, c->about, c->kind->severity, true);
	json_out_bool(o, n, "blocks", false);
	json_out_text(o, n, "text", c->text);
	json_out_signed(o, n, "begin_unix_ms", unix_ms_of(c->since_ms));
	if (c->until_ms)
		json_out_signed(o, n, "end_unix_ms", unix_ms_of(c->until_ms));
}

// Alarms of memory, which are no reasons by themselves; and alarms that ended, the latest first.
static void conditions_out(struct json_out *o, struct json_node *root, struct json_node *reasons,
	const struct event_conditions *c)
{
	const struct api_reason_kind *memory = &api_reason_kinds[API_REASON_memory];
	struct json_node *ended = json_out_array(o, root, "ended");
	for (unsigned i = 0; c && i < c->count; i++)
		if (c->one[i].kind->begins == EVENT_alarm_raised
			&& api_reason_kind_of(c->one[i].about) == memory)
			condition_out(o, reasons, &c->one[i]);
	for (uint64_t i = 0; c && i < c->ended_count && i < EVENT_CONDITIONS_ENDED; i++) {
		const struct event_condition *one =
			&c->ended[(c->ended_count - 1 - i) % EVENT_CONDITIONS_ENDED];
		if (one->kind->begins == EVENT_alarm_raised)
			condition_out(o, ended, one);
	}
}

static void hold_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	const uint64_t back_ms = ready_hold_back_in_ms(&a->hold, clock_mono_ms());
	struct json_node *n = json_out_object(o, root, "anycast");
	json_out_bool(o, n, "announced", a->hold.is_announced);
	json_out_count(o, n, "back_in_ms", back_ms);
	json_out_count(o, n, "withdrawals", a->hold.leaves);
}

static bool for_param(struct http_exchange *x, enum ready_for *out)
{
	static const char *const names[] = {"balancer", "anycast", "human"};
	const char *text = http_param(x, "for");
	*out = FOR_BALANCER;
	for (unsigned i = 0; text && i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*out = (enum ready_for)i;
		return true;
	}
	if (!text)
		return true;
	api_refuse(x, 400, "for: must be balancer, anycast or human");
	return false;
}

static void held_out(struct json_out *o, struct json_node *why, const struct api *a)
{
	char text[128];
	(void)snprintf(text, sizeof(text),
		"withdrawn until clients have got answers for a while: %" PRIu64 " s to go",
		(ready_hold_back_in_ms(&a->hold, clock_mono_ms()) + 999) / 1000);
	json_out_text(o, why, NULL, text);
}

// The parameters were good when the request came. With `strict` what is degraded is not good
// enough.
static void ready_reply(const struct api_look *l)
{
	static struct api_reasons r; // of this loop's thread alone
	const struct api *a = l->api;
	const char *strict = http_param(l->exchange, "strict");
	enum ready_for whom;
	if (!for_param(l->exchange, &whom))
		return;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct json_node *why = json_out_array(o, root, "why");
	struct json_node *degraded = json_out_array(o, root, "degraded");
	struct json_node *reasons = json_out_array(o, root, "reasons");
	unsigned news = 0; // reasons that impair nothing
	api_reasons_find(l, &r);
	const bool is_ready =
		whom == FOR_ANYCAST ? a->hold.is_announced && !a->is_drained : r.blocking == 0;
	for (unsigned i = 0; i < r.count; i++) {
		const bool is_why = r.one[i].is_blocking && !is_ready;
		const bool is_news =
			api_reason_severity(&r.one[i]) == EVENT_IS_info && !r.one[i].is_blocking;
		if (!is_news)
			json_out_text(o, is_why ? why : degraded, NULL, r.one[i].text);
		news += is_news;
		reason_out(o, reasons, a, &r.one[i], whom == FOR_HUMAN);
	}
	if (whom == FOR_ANYCAST && !a->hold.is_announced)
		held_out(o, why, a);
	if (whom == FOR_HUMAN)
		conditions_out(o, root, reasons, a->deps.conditions);
	if (whom != FOR_BALANCER)
		hold_out(o, root, a);
	json_out_bool(o, root, "ready", is_ready);
	json_out_bool(o, root, "drained", a->is_drained);
	const bool is_strict = strict && *strict == '1';
	const bool good = is_ready && !(is_strict && r.count > news);
	http_reply(l->exchange, good ? 200 : 503, json_out_finish(o));
}

static void serve_ready(struct api *a, struct http_exchange *x)
{
	bool strict;
	enum ready_for whom;
	if (api_param_flag(x, "strict", &strict) && for_param(x, &whom))
		api_look(a, x, ready_reply);
}

static void drain_set(struct api *a, struct http_exchange *x, bool is_drained)
{
	struct json_out *o = json_out_new();
	a->is_drained = is_drained;
	json_out_bool(o, json_out_root(o), "drained", is_drained);
	http_reply(x, 200, json_out_finish(o));
}

static void serve_drain(struct api *a, struct http_exchange *x)
{
	drain_set(a, x, true);
}

static void serve_undrain(struct api *a, struct http_exchange *x)
{
	drain_set(a, x, false);
}

static void drained_look(struct api_reasons *r, const struct api_look *l)
{
	if (l->api->is_drained)
		api_reason_block(
			r, API_REASON_drained, "an operator has taken this box out of service");
}

static void ready_metrics(struct metrics_text *t, const struct api *a)
{
	metrics_family(t, METRICS_GAUGE, "weir_ready",
		"1: /ready says that the box may get queries, by profile.");
	metrics_count(t, METRICS_LABELS({"for", "balancer"}), a->is_ready);
	metrics_count(
		t, METRICS_LABELS({"for", "anycast"}), a->hold.is_announced && !a->is_drained);
	metrics_family(t, METRICS_GAUGE, "weir_reason",
		"Reasons of /ready that hold, by id (docs/reference/reasons.md).");
	for (unsigned i = 0; i < API_REASON_IDS; i++)
		if (i != API_REASON_memory) // they have weir_memory_alarm
			metrics_count(t, METRICS_LABELS({"id", api_reason_kinds[i].id}),
				a->reason_count[i]);
	metrics_one(t, METRICS_COUNTER, "weir_reasons_left_out_total",
		"Reasons of the looks of each second without room: over 32 at once.",
		a->reasons_left_out);
	metrics_one(t, METRICS_COUNTER, "weir_anycast_withdrawals_total",
		"Times that /ready?for=anycast withdrew the box because it gave no answers.",
		a->hold.leaves);
}

static void ready_status(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	const struct api *a = l->api;
	struct json_node *n = json_out_object(o, root, "readiness");
	json_out_bool(o, n, "ready", a->is_ready);
	json_out_bool(o, n, "drained", a->is_drained);
	struct json_node *ids = json_out_array(o, n, "reasons");
	for (unsigned i = 0; i < API_REASON_IDS; i++)
		if (a->reason_count[i])
			json_out_text(o, ids, NULL, api_reason_kinds[i].id);
}

const struct api_part api_ready_part = {
	.endpoint = {{"/ready", serve_ready, API_ALWAYS | API_NETWORK, CONTROL_READ, "for strict"},
		{"/drain", serve_drain, API_POST, CONTROL_OPERATE, ""},
		{"/undrain", serve_undrain, API_POST, CONTROL_OPERATE, ""}},
	.status = ready_status,
	.degraded = drained_look,
	.metrics = ready_metrics,
};
