// SPDX-License-Identifier: BSD-3-Clause
// Endpoints for health and recent errors; the reasons for not being ready.

#include "api/metrics/metrics.h"
#include "api_param.h"
#include "api_tables.h"
#include "base/clock_grace.h"
#include "base/state_file.h"
#include "events/events.h"
#include "memory/memory_meter.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/log_recent.h>
#include <weir/stats_read.h>

enum { HEALTH_SILENT_MS = 5000, HEALTH_RULES_LAG_MS = 1000, READINESS_VERSION = 1 };

// Says that the control plane answers. The reply shows that the service loop runs; the heartbeat
// shows that the resolver's loop does, once the control plane serves.
static void serve_health(struct api *a, struct http_exchange *x)
{
	const struct directory *d = publisher_directory(a->deps.publisher);
	uint64_t beat_ms = atomic_load_explicit(&d->heartbeat_ms, memory_order_relaxed);
	uint64_t now_ms = clock_mono_ms(), age_ms = now_ms > beat_ms ? now_ms - beat_ms : 0;
	bool serves = atomic_load_explicit(&d->state, memory_order_relaxed) == CP_SERVING;
	bool ok = !serves || age_ms < HEALTH_SILENT_MS;
	struct json_out *o = json_out_new();
	json_out_bool(o, json_out_root(o), "ok", ok);
	if (!ok)
		json_out_count(o, json_out_root(o), "resolver_silent_ms", age_ms);
	http_reply(x, ok ? 200 : 503, json_out_finish(o));
}

static void buffers_look(struct api_reasons *r, const struct stats_copy *c)
{
	uint32_t by[MBUF_OWNERS], missing = stats_mbufs_missing(c, by);
	char owners[STATS_OWNERS_TEXT];
	if (!missing)
		return;
	stats_owners_text(by, owners);
	api_reason_add(r, API_REASON_buffers_missing, "",
		"packet buffers are missing: %u; last owners: %s", missing, owners);
}

static void dataplane_look(struct api_reasons *r, const struct api_look *l)
{
	const struct api *a = l->api;
	const struct stats_copy *c = api_look_stats(l);
	bool up = c && dataplane_state(publisher_paths(a->deps.publisher), c) == PROCESS_UP;
	bool answers = up && l->resolver->link_up && c->control_seen && c->config_generation
		       && c->policy_generation;
	if (!answers && l->frontends.udp.bound == 0)
		api_reason_block(r, API_REASON_dataplane,
			up ? "the data plane has not activated its settings yet"
			   : "no data plane, and no fallback of the control plane");
	else if (!answers)
		api_reason_add(r, API_REASON_dataplane, "",
			"no data plane; the control plane answers queries");
	char why[SHM_WHY_MAX];
	if (up && publisher_huge_apart(a->deps.publisher, why))
		api_reason_add(
			r, API_REASON_hugepages, "", "%s: cache and rules are on a tmpfs", why);
	struct publish_status p;
	publish_status(a->deps.publisher, &p);
	if (answers && !c->rule_image_generation
		&& publisher_closes(a->deps.publisher, clock_mono_ms()))
		api_reason_block(r, API_REASON_rules_none,
			"the data plane has no rules yet (blocking.closed)");
	else if (up && p.rules_lag_ms >= HEALTH_RULES_LAG_MS)
		api_reason_add(r, API_REASON_rules_lag, "", "%s",
			c->rule_image_generation
				? "the data plane blocks by older rules"
				: "the data plane has no rules, so nothing is blocked");
	if (up && p.policy_lag_ms >= HEALTH_RULES_LAG_MS)
		api_reason_add(r, API_REASON_policy_lag, "",
			"the data plane has not activated the newest groups and limits");
	if (up && c->verdict_gap)
		api_reason_add(r, API_REASON_verdict_gap, "", "frames without a verdict");
	if (up)
		buffers_look(r, c);
}

static void clock_look(struct api_reasons *r)
{
	const uint64_t left_ms = clock_grace_left_ms();
	if (left_ms)
		api_reason_add(r, API_REASON_clock, "",
			"the clock is behind: for up to %" PRIu64
			" s dates of signatures and certificates are not checked",
			(left_ms + 999) / 1000);
	else if (clock_is_behind())
		api_reason_add(r, API_REASON_clock, "",
			"the clock is behind: signatures and certificates are checked by it");
}

// One reason for all failing lists, because a load balancer reads the reply every second.
static void failing_look(struct api_reasons *r, const struct rules_status *rules)
{
	unsigned n = rules_failing(rules);
	if (n)
		api_reason_add(r, API_REASON_lists, "",
			"%u list%s not updated (weirctl blocklist status)", n,
			n == 1 ? " is" : "s are");
}

static void rest_look(struct api_reasons *r, const struct api_look *l)
{
	const struct api *a = l->api;
	const struct resolver_status *s = l->resolver;
	unsigned up = 0;
	struct rules_status rules;
	rules_status(a->deps.rules, &rules);
	const struct config *c = a->deps.config_current(a->deps.reload_arg);
	for (unsigned i = 0; i < s->upstream_count && i < CONFIG_UPSTREAMS_MAX; i++)
		up += s->upstream[i].up;
	if (s->upstream_count && up == 0 && c->metrics.ready_needs_upstream)
		api_reason_block(r, API_REASON_upstreams,
			"no upstream answers (metrics.ready_needs_upstream)");
	else if (s->upstream_count && up == 0)
		api_reason_add(r, API_REASON_upstreams, "", "no upstream answers");
	else if (s->upstream_sets_down)
		api_reason_add(r, API_REASON_upstream_sets, "",
			"no server of a group or a forwarding zone answers");
	if (c->blocking.enabled && c->blocking.list_count && rules.loaded_unix_s == 0)
		api_reason_add(r, API_REASON_lists_none, "", "no list is loaded");
	failing_look(r, &rules);
	if (rules.outcome == RULES_FAILED)
		api_reason_add(r, API_REASON_rules, "", "the last reload of the lists failed");
	if (a->listener.error)
		api_reason_add(
			r, API_REASON_metrics_listen, "", "metrics.listen cannot be listened on");
	for (const struct api_part *const *p = api_parts; *p; p++)
		if ((*p)->degraded)
			(*p)->degraded(r, l);
}

// Adds reasons of memory: unexplained growth, unaccounted bytes, tables without a row.
static void memory_look(struct api_reasons *r, const struct api_look *l)
{
	const struct api *a = l->api;
	struct table_registry tables;
	api_tables_look(l, &tables);
	if (tables.dropped)
		api_reason_add(r, API_REASON_tables, "", "more tables than the registry shows");
	if (a->watch && mem_watch_last(a->watch)->alarming)
		api_reason_add(
			r, API_REASON_memory_unaccounted, "", "memory that no account explains");
	if (a->deps.meter && memory_meter_alarms(a->deps.meter)->count)
		api_reason_add(r, API_REASON_memory_grows, "", "memory grows (weirctl mem alarms)");
}

void api_reasons_find(const struct api_look *l, struct api_reasons *r)
{
	const struct directory *d = publisher_directory(l->api->deps.publisher);
	r->count = r->blocking = r->left_out = 0;
	if (atomic_load_explicit(&d->state, memory_order_relaxed) != CP_SERVING)
		api_reason_block(
			r, API_REASON_serving, "the control plane is starting or stopping");
	dataplane_look(r, l);
	clock_look(r);
	rest_look(r, l);
	memory_look(r, l);
}

static void error_out(
	struct json_out *o, struct json_node *list, const char *process, const struct log_recent *k)
{
	char id[16];
	struct json_node *n = json_out_object(o, list, NULL);
	snprintf(id, sizeof(id), "%c%08" PRIx32, k->level <= LOG_LEVEL_ERROR ? 'E' : 'W', k->id);
	json_out_text(o, n, "id", id);
	json_out_text(o, n, "process", process);
	json_out_text(o, n, "level", k->level <= LOG_LEVEL_ERROR ? "error" : "warning");
	json_out_count(o, n, "count", k->count);
	json_out_signed(o, n, "first_unix_ms", k->first_unix_ms);
	json_out_signed(o, n, "last_unix_ms", k->last_unix_ms);
	json_out_text(o, n, "text", k->text);
}

// Copies a text. Texts in another process' memory are not trusted: only printable ASCII is shown.
static void text_take(char to[LOG_RECENT_TEXT_MAX], const char from[STATS_ERROR_TEXT])
{
	unsigned i = 0;
	for (; i < STATS_ERROR_TEXT - 1 && from[i]; i++)
		to[i] = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
	to[i] = '\0';
}

static uint64_t dataplane_errors(struct json_out *o, struct json_node *list, struct api *a)
{
	char why[SHM_WHY_MAX];
	const struct stats_copy *c = api_stats_read(a, why);
	for (unsigned i = 0; c && i < c->errors; i++) {
		const struct stats_error *e = &c->error[i];
		struct log_recent k = {.id = e->id,
			.level = e->level,
			.count = e->count,
			.first_unix_ms = e->first_unix_ms,
			.last_unix_ms = e->last_unix_ms};
		text_take(k.text, e->text);
		error_out(o, list, "dataplane", &k);
	}
	return c ? c->errors_replaced : 0;
}

// Adds each list that weir cannot read or fetch at present.
static unsigned list_errors(struct json_out *o, struct json_node *list, const struct api *a)
{
	char text[RULES_LIST_TEXT_MAX];
	struct rules_status r;
	rules_status(a->deps.rules, &r);
	for (unsigned i = 0; i < r.list_count; i++) {
		const struct rules_list_status *l = &r.lists[i];
		if (!rules_list_failing(l))
			continue;
		struct log_recent k = {.id = rules_failing_id(),
			.level = LOG_LEVEL_WARNING,
			.count = l->failures ? l->failures : 1,
			.last_unix_ms = (int64_t)l->last_try_unix_s * 1000};
		k.first_unix_ms = k.last_unix_ms;
		snprintf(k.text, sizeof(k.text), "%s", rules_list_text(l, text, sizeof(text)));
		error_out(o, list, "controlplane", &k);
	}
	return rules_failing(&r);
}

// Replies with the errors and warnings of both processes, by kind.
static void serve_errors(struct api *a, struct http_exchange *x)
{
	static struct log_recent kind[LOG_RECENT_MAX]; // only this loop's thread uses it
	uint64_t replaced = 0;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o), *list = json_out_array(o, root, "errors");
	unsigned count = log_recent_copy(kind, LOG_RECENT_MAX, &replaced);
	unsigned failing = list_errors(o, list, a);
	for (unsigned i = 0; i < count; i++)
		if (!failing || kind[i].id != rules_failing_id())
			error_out(o, list, "controlplane", &kind[i]);
	replaced += dataplane_errors(o, list, a);
	json_out_count(o, root, "replaced", replaced);
	http_reply(x, 200, json_out_finish(o));
}

const struct api_part api_health_part = {
	.endpoint = {{"/health", serve_health, API_ALWAYS | API_NETWORK, CONTROL_READ, ""},
		{"/errors", serve_errors, API_GET, CONTROL_READ, ""}},
};

// Endpoints of readiness: whether this box may get queries, for a load balancer, an anycast route
// or a person; and an operator's command that it should get no queries.

enum ready_for { FOR_BALANCER, FOR_ANYCAST, FOR_HUMAN };

// Has an operator taken the box out of service?
static bool is_out(const struct api *a)
{
	return a->drain.state != DRAIN_OFF;
}

static bool answers_clients(const struct api *a, const struct api_reasons *r)
{
	return r->blocking == (is_out(a) ? 1U : 0U);
}

static void drain_follow(struct api *a)
{
	static const enum frontend_tcp_drain does[] = {
		[DRAIN_OFF] = FRONTEND_TCP_STAYS,
		[DRAIN_GRACE] = FRONTEND_TCP_STAYS,
		[DRAIN_PARTS] = FRONTEND_TCP_PARTS,
		[DRAIN_CUTS] = FRONTEND_TCP_CUTS,
		[DRAIN_DONE] = FRONTEND_TCP_CUTS,
	};
	frontends_drain(a->deps.frontends, does[a->drain.state]);
}

// State of readiness for the next process, in the runtime directory, which a boot empties: a
// control plane that dies forgets neither the hold-down of the anycast route nor an operator's
// drain.
static bool saved_path(const struct api *a, char path[PATH_MAX])
{
	const struct publisher *p = a->deps.publisher;
	if (p)
		(void)snprintf(
			path, PATH_MAX, "%s/" SHM_CONTROL "/readiness", publisher_paths(p)->run);
	return p != NULL;
}

static void readiness_save(struct api *a, bool is_drained)
{
	struct state_file f;
	char path[PATH_MAX], why[STATE_FILE_WHY_MAX];
	struct ready_hold *s = &a->saved_hold;
	const struct ready_hold *h = &a->hold;
	// A drain has withdrawn the route already: a restart after it withdraws nothing.
	const bool is_announced = h->is_announced && !is_out(a);
	const bool same = is_announced == s->is_announced && h->left_ms == s->left_ms
			  && h->wait_ms == s->wait_ms && is_drained == a->saved_drained;
	if (same || !saved_path(a, path))
		return;
	state_file_begin(&f, "readiness", READINESS_VERSION);
	state_file_number(&f, "announced", is_announced);
	state_file_number(&f, "left_ms", h->left_ms);
	state_file_number(&f, "wait_ms", h->wait_ms);
	state_file_number(&f, "drained", is_drained);
	const bool is_saved = state_file_write(&f, path, why) == 0;
	if (!is_saved && !a->is_unsaved)
		log_warning("readiness not saved: %s; a control plane that dies forgets its drain "
			    "and the hold-down of anycast",
			why);
	a->is_unsaved = !is_saved;
	if (!is_saved)
		return; // the next look tries again
	*s = *h;
	s->is_announced = is_announced;
	a->saved_drained = is_drained;
}

static int ready_open(struct api *a)
{
	struct state_file f;
	char path[PATH_MAX];
	const uint64_t now_ms = clock_mono_ms();
	if (!saved_path(a, path) || state_file_read(&f, path, "readiness", READINESS_VERSION) < 0)
		return 0;
	a->saved_hold = (struct ready_hold){
		.is_announced = state_file_get_number(&f, "announced") != 0,
		.left_ms = state_file_get_number(&f, "left_ms"),
		.wait_ms = state_file_get_number(&f, "wait_ms"),
	};
	ready_hold_resume(&a->hold, now_ms, &a->saved_hold);
	a->saved_drained = state_file_get_number(&f, "drained") != 0;
	if (!a->saved_drained)
		return 0;
	log_info("still drained: the control plane before this one died");
	drain_begin(&a->drain, now_ms, 0);
	return 0;
}

// An orderly stop ends a drain; a start that fails does not.
static void ready_close(struct api *a)
{
	readiness_save(a, is_out(a) && a->looks == 0);
}

void api_reasons(struct api *a, const struct resolver_status *s, const struct frontends_status *f,
	struct api_reasons *out)
{
	const struct api_look l = {.api = a, .resolver = s, .frontends = *f};
	a->looks++;
	api_reasons_find(&l, out);
	ready_hold_see(&a->hold, clock_mono_ms(), answers_clients(a, out));
	a->drain_leaving = a->drain.state == DRAIN_GRACE ? f->tcp.open : f->tcp.leaving;
	if (drain_see(&a->drain, clock_mono_ms(), f->tcp.leaving))
		drain_follow(a);
	readiness_save(a, is_out(a));
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

// An alarm began when api_reasons() first found its reason; a reason without an alarm begins now.
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

// Adds alarms of memory, which api_reasons_find() does not find; and ended alarms, the latest
// first.
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

static void drain_out(struct json_out *o, struct json_node *root, const struct api *a)
{
	json_out_bool(o, root, "drained", a->drain.state == DRAIN_DONE);
	struct json_node *n = json_out_object(o, root, "drain");
	json_out_text(o, n, "state", drain_name(&a->drain));
	json_out_count(o, n, "grace_left_ms", drain_grace_left_ms(&a->drain, clock_mono_ms()));
	json_out_count(o, n, "connections", a->drain_leaving);
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

// serve_ready() has checked the parameters. With `strict` an impaired box is not ready, either.
static void ready_reply(const struct api_look *l)
{
	static struct api_reasons r; // only this loop's thread uses it
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
		whom == FOR_ANYCAST ? a->hold.is_announced && !is_out(a) : r.blocking == 0;
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
	drain_out(o, root, a);
	const bool is_strict = strict && *strict == '1';
	const bool good = is_ready && !(is_strict && r.count > news);
	http_reply(l->exchange, good ? 200 : 503, json_out_finish(o));
}

// Says whether this box can serve, and if not, why.
static void serve_ready(struct api *a, struct http_exchange *x)
{
	bool strict;
	enum ready_for whom;
	if (api_param_flag(x, "strict", &strict) && for_param(x, &whom))
		api_look(a, x, ready_reply);
}

static void drain_reply(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	drain_out(o, json_out_root(o), a);
	http_reply(x, 200, json_out_finish(o));
}

// Makes this box say that it is not ready, and ends connections of clients after a grace, of 10 s
// unless `grace_s` gives another; it goes on answering.
static void serve_drain(struct api *a, struct http_exchange *x)
{
	unsigned grace_s = DRAIN_GRACE_S;
	if (http_param(x, "grace_s")
		&& !api_param_number(x, "grace_s", DRAIN_GRACE_MAX_S, &grace_s))
		return;
	drain_begin(&a->drain, clock_mono_ms(), grace_s);
	readiness_save(a, true);
	drain_reply(a, x);
}

// Ends the drain of this box.
static void serve_undrain(struct api *a, struct http_exchange *x)
{
	a->drain = (struct drain){0};
	a->drain_leaving = 0;
	drain_follow(a);
	readiness_save(a, false);
	drain_reply(a, x);
}

static void drained_look(struct api_reasons *r, const struct api_look *l)
{
	if (is_out(l->api))
		api_reason_block(
			r, API_REASON_drained, "an operator has taken this box out of service");
}

static void ready_metrics(struct metrics_text *t, const struct api *a)
{
	metrics_family(t, METRICS_GAUGE, "weir_ready",
		"1: /ready says that the box may get queries, by profile.");
	metrics_count(t, METRICS_LABELS({"for", "balancer"}), a->is_ready);
	metrics_count(t, METRICS_LABELS({"for", "anycast"}), a->hold.is_announced && !is_out(a));
	metrics_family(t, METRICS_GAUGE, "weir_reason",
		"Reasons of /ready that hold, by id (docs/reference/reasons.md).");
	for (unsigned i = 0; i < API_REASON_IDS; i++)
		if (i != API_REASON_memory) // weir_memory_alarm has those
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
	drain_out(o, n, a);
	struct json_node *ids = json_out_array(o, n, "reasons");
	for (unsigned i = 0; i < API_REASON_IDS; i++)
		if (a->reason_count[i])
			json_out_text(o, ids, NULL, api_reason_kinds[i].id);
}

const struct api_part api_ready_part = {
	.endpoint = {{"/ready", serve_ready, API_ALWAYS | API_NETWORK, CONTROL_READ, "for strict"},
		{"/drain", serve_drain, API_POST, CONTROL_OPERATE, "grace_s"},
		{"/undrain", serve_undrain, API_POST, CONTROL_OPERATE, ""}},
	.status = ready_status,
	.degraded = drained_look,
	.metrics = ready_metrics,
	.open = ready_open,
	.close = ready_close,
};
