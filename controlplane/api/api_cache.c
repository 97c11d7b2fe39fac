// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of the answer cache: what both tiers have for a name, flushing, refresh-ahead,
// counters; and the endpoint of pending work.

#include "api_param.h"
#include "api_server.h"
#include "base/age_list.h"
#include "base/rdata_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/l0_table.h>
#include <weir/log_msg.h>

static void records_out(struct json_out *o, struct json_node *entry, const struct cache_entry *e)
{
	struct json_node *list = json_out_array(o, entry, "records");
	struct rd msg = rd_init(e->answer, e->answer_len);
	uint16_t ancount;
	bool whole = rdata_answer_begin(&msg, &ancount);
	for (unsigned i = 0; whole && i < ancount; i++) {
		struct rdata_record r;
		char name[DNS_NAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
		whole = rdata_record_read(&msg, &r);
		if (!whole)
			break;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", dns_name_to_text(&r.name, name));
		json_out_count(o, n, "ttl", r.ttl_s);
		json_out_text(o, n, "type", dns_type_text(r.type, type));
		json_out_text(o, n, "data", r.data);
	}
	json_out_bool(o, entry, "records_complete", whole);
}

static void entry_out(struct json_out *o, struct json_node *list, const struct cache_entry *e)
{
	static const char *const heats[] = {
		[REFRESH_COLD] = "cold", [REFRESH_WARM] = "warm", [REFRESH_HOT] = "hot"};
	char type[DNS_TYPE_TEXT_MAX], subnet[SOCKET_ADDRESS_TEXT_MAX];
	struct json_node *n = json_out_object(o, list, NULL);
	json_out_text(o, n, "tier", e->in_l1 ? "L1" : "L0");
	json_out_text(o, n, "type", dns_type_text(e->qtype, type));
	json_out_count(o, n, "class", e->qclass);
	json_out_count(o, n, "view", e->view);
	if (e->subnet.version)
		json_out_text(o, n, "subnet", ip_address_text(&e->subnet, true, subnet));
	json_out_bool(o, n, "do", e->key_flags & L0_KEY_DO);
	json_out_bool(o, n, "cd", e->key_flags & L0_KEY_CD);
	json_out_text(o, n, "rcode", dns_rcode_text(e->rcode));
	json_out_count(o, n, "answer_count", e->ancount);
	json_out_count(o, n, "authority_count", e->nscount);
	json_out_count(o, n, "additional_count", e->arcount);
	json_out_count(o, n, "units", e->units);
	json_out_count(o, n, "bytes", (uint64_t)e->units * L0_UNIT);
	json_out_count(o, n, "message_bytes", e->message_len);
	json_out_count(o, n, "age_ms", e->age_ms);
	json_out_signed(o, n, "soft_left_ms", e->soft_left_ms);
	json_out_signed(o, n, "hard_left_ms", e->hard_left_ms);
	json_out_count(o, n, "authoritative_ttl", e->auth_ttl_s);
	json_out_bool(o, n, "visited", e->visited);
	json_out_count(o, n, "hits_per_minute", e->hits_per_minute);
	json_out_text(o, n, "heat", heats[e->heat]);
	json_out_bool(o, n, "refresh_asked", e->refresh_asked);
	json_out_bool(o, n, "inflight", e->inflight);
	json_out_bool(o, n, "held_back", e->held_back);
	if (e->refresh_left_ms != INT64_MAX)
		json_out_signed(o, n, "refresh_left_ms", e->refresh_left_ms);
	records_out(o, n, e);
}

static void l1_out(struct json_out *o, struct json_node *root, const struct cache_look *look)
{
	struct json_node *n = json_out_object(o, root, "l1");
	char type[DNS_TYPE_TEXT_MAX];
	json_out_count(o, n, "asked", look->l1_asked);
	json_out_count(o, n, "views", look->l1_views);
	json_out_count(o, n, "lost", look->l1_lost);
	json_out_count(o, n, "bad", look->l1_bad);
	struct json_node *types = json_out_array(o, n, "types");
	for (unsigned i = 0; i < look->l1_type_count; i++)
		json_out_text(o, types, NULL, dns_type_text(look->l1_types[i], type));
}

static void on_looked(void *arg, int err, const struct cache_look *look)
{
	if (err < 0) {
		api_busy(arg, err);
		return;
	}
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct json_node *list = json_out_array(o, root, "entries");
	for (unsigned i = 0; i < look->count && i < 2 * CACHE_GET_MAX; i++)
		entry_out(o, list, &look->entry[i]);
	json_out_count(o, root, "entries_left_out", look->left_out);
	l1_out(o, root, look);
	json_out_count(o, root, "resolvers_hung", look->hung);
	http_reply(arg, 200, json_out_finish(o));
}

static bool lives(const void *exchange)
{
	return http_is_live(exchange);
}

// Replies with what the cache has of a name.
static void serve_cache_get(struct api *a, struct http_exchange *x)
{
	struct cache_wish wish = {
		.from = http_source(x)->ss_family == AF_UNIX ? LOOK_SOCKET : LOOK_NETWORK,
		.lives = lives};
	const char *type = http_param(x, "type");
	if (!api_param_name(x, &wish.name))
		return;
	if (type && !dns_type_from_text(type, &wish.qtype)) {
		api_refuse(x, 400, "type: is not a record type");
		return;
	}
	http_defer(x, API_FLUSH_MS);
	int rc = resolvers_cache_get(a->deps.resolvers, &wish, a->deps.service, on_looked, x);
	if (rc < 0)
		api_busy(x, rc);
}

static void on_flushed(void *arg, int err, const struct cache_flushed *f)
{
	static const char *const ends[] = {[L1_FLUSH_DONE] = "done",
		[L1_FLUSH_PARTLY] = "partly",
		[L1_FLUSH_AWAY] = "away",
		[L1_FLUSH_OFF] = "off"};
	if (err < 0) {
		api_busy(arg, err);
		return;
	}
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_count(o, root, "l0_removed", f->l0);
	json_out_count(o, root, "l1_removed", f->l1);
	json_out_text(o, root, "l1", ends[f->l1_end]);
	json_out_bool(o, root, "boxes_told", f->told);
	json_out_bool(o, root, "recursion_failed", f->recursion_failed);
	json_out_count(o, root, "resolvers_hung", f->hung);
	http_reply(arg, 200, json_out_finish(o));
}

// Reads what to flush: a name, the name and all below it, or all names. False: the reply is sent.
static bool flush_take(struct http_exchange *x, struct flush *out)
{
	bool below, all;
	if (!api_param_flag(x, "below", &below) || !api_param_flag(x, "all", &all))
		return false;
	if (!all) {
		out->kind = below ? FLUSH_BELOW : FLUSH_NAME;
		return api_param_name(x, &out->name);
	}
	if (below || http_param(x, "name")) {
		api_refuse(x, 400, "all: leaves nothing for name and below to say");
		return false;
	}
	*out = (struct flush){.kind = FLUSH_ALL};
	return dns_name_from_text(".", 1, &out->name) == 0;
}

// Removes a name, a name and all below it, or all names from the cache.
static void serve_cache_flush(struct api *a, struct http_exchange *x)
{
	struct flush what;
	if (!flush_take(x, &what))
		return;
	http_defer(x, API_CACHE_FLUSH_MS); // RECURSOR_DRAIN_MS and L1_FLUSH_MAX_MS
	int rc = resolvers_cache_flush(
		a->deps.resolvers, &what, true, a->deps.service, on_flushed, x);
	if (rc < 0)
		api_busy(x, rc);
}

const struct api_part api_cache_part = {
	.endpoint = {{"/cache", serve_cache_get, API_GET, CONTROL_READ, "name! type"},
		{"/cache/flush", serve_cache_flush, API_POST, CONTROL_OPERATE, "name below all"}},
};

// Endpoint of refresh-ahead: its settings, its present state, and the last 24 h by the minute.

struct refresh_call {
	struct http_exchange *exchange;
	unsigned minutes;
};

static void now_out(struct json_out *o, struct json_node *root, const struct refresh_report *r)
{
	const struct refresh_policy *p = &r->policy;

	json_out_bool(o, root, "enabled", p->enabled);
	json_out_count(o, root, "hot_per_minute", refresh_rate(p, p->hot_min));
	json_out_count(o, root, "warm_per_minute", refresh_rate(p, p->warm_min));
	json_out_count(o, root, "hot_ttl_percent", p->hot_percent);
	json_out_count(o, root, "warm_ttl_percent", p->warm_percent);
	json_out_bool(o, root, "past_auth_ttl", p->past_auth);
	json_out_count(o, root, "inflight", r->inflight);
	json_out_count(o, root, "inflight_cap", r->inflight_limit);
	json_out_count(o, root, "planned", r->planned);
	json_out_count(o, root, "planned_cap", r->plan_limit);
	json_out_count(o, root, "held_back_now", r->held_back);
	json_out_count(o, root, "sweep_took_ms", r->round_ms);
}

static void on_report(void *arg, const struct refresh_report *r)
{
	struct refresh_call *call = arg;
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct refresh_counts sum;

	now_out(o, root, r);
	refresh_stats_sum(&r->stats, r->now_ms, REFRESH_MINUTES, &sum);
	counts_json(o, json_out_object(o, root, "day"), "", refresh_rows(), &sum);
	struct json_node *list = json_out_array(o, root, "minutes");
	for (unsigned ago = 0; ago < call->minutes; ago++) {
		const struct refresh_counts *c = refresh_stats_at(&r->stats, r->now_ms, ago);
		if (!c)
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_count(o, n, "ago", ago);
		counts_json(o, n, "", refresh_rows(), c);
	}
	http_reply(call->exchange, 200, json_out_finish(o));
	heap_free(call);
}

// Replies with the counters of the refresh of cached answers.
static void serve_refresh(struct api *a, struct http_exchange *x)
{
	unsigned minutes = 60;

	if (http_param(x, "minutes") && !api_param_number(x, "minutes", REFRESH_MINUTES, &minutes))
		return;
	struct refresh_call *call = heap_malloc(sizeof(*call));
	if (!call) {
		http_reply(x, 500, NULL);
		return;
	}
	*call = (struct refresh_call){x, minutes};
	http_defer(x, API_SHORT_MS);
	int rc = resolvers_refresh_report(a->deps.resolvers, a->deps.service, on_report, call);
	if (rc < 0) {
		heap_free(call);
		api_busy(x, rc);
	}
}

const struct api_part api_refresh_part = {
	.endpoint = {{"/refresh", serve_refresh, API_GET, CONTROL_READ, "minutes"}}};

// Endpoint of pending work: questions in flight, then jobs and requests, the oldest first, and what
// each waits for; and counts of TCP clients.

enum { PENDING_LIMIT = 50, PENDING_JOBS_MAX = 32 };

static const char *const step_names[PENDING_STEPS] = {
#define X(name, text) [PENDING_##name] = #name,
	PENDING_STEPS_LIST(X)
#undef X
};

struct pending_job {
	const char *kind;
	char what[256], step[192];
	uint64_t since_ms;
};

struct pending_jobs {
	unsigned count;
	struct pending_job job[PENDING_JOBS_MAX];
};

// A request on its way to the resolvers and back, then to the frontends and back.
struct pending_look {
	struct api *api;
	struct http_exchange *exchange;
	struct json_out *o;
};

static void job_add(struct pending_jobs *jobs, const char *kind, const char *what, const char *step,
	uint64_t since_ms)
{
	if (jobs->count == PENDING_JOBS_MAX)
		return;
	struct pending_job *j = &jobs->job[jobs->count++];
	j->kind = kind;
	j->since_ms = since_ms;
	snprintf(j->what, sizeof(j->what), "%.255s", what);
	snprintf(j->step, sizeof(j->step), "%.191s", step);
}

static void clickhouse_add(struct pending_jobs *jobs, struct clickhouse *c)
{
	struct clickhouse_status s;
	char step[192] = "the server";
	clickhouse_status(c, &s);
	if (s.outbox.chunks + s.outbox.spooled + s.queued == 0)
		return;
	if (s.sender.is_failing)
		snprintf(step, sizeof(step), "the next try in %llu s: %.100s",
			(unsigned long long)s.sender.retry_in_ms / 1000, s.sender.why);
	else if (s.is_waiting)
		snprintf(step, sizeof(step), "the disk");
	uint64_t since_ms = age_earlier(s.outbox.since_ms, s.queued_since_ms);
	job_add(jobs, "clickhouse send", s.sender.url, step, since_ms ? since_ms : clock_mono_ms());
}

static void requests_add(struct pending_jobs *jobs, const struct api *a, struct http_exchange *own)
{
	struct http_waiting w[API_REQUESTS_MAX];
	unsigned n = http_server_waiting(a->http, own, w, API_REQUESTS_MAX);
	for (unsigned i = 0; i < n; i++) {
		char what[128];
		snprintf(what, sizeof(what), "%.63s of uid %u, pid %u",
			w[i].path[0] ? w[i].path : "a request without a client", w[i].uid,
			w[i].pid);
		job_add(jobs, "api request", what, "its reply", w[i].since_ms);
	}
}

static int by_age(const void *a, const void *b)
{
	const struct pending_job *j = a, *k = b;
	return (j->since_ms > k->since_ms) - (j->since_ms < k->since_ms);
}

static void jobs_collect(struct pending_jobs *jobs, const struct pending_look *l)
{
	const struct api_deps *d = &l->api->deps;
	struct rules_task task[RULES_TASKS_MAX];
	struct api_change change[API_CHANGES_MAX];
	unsigned n = d->changes ? d->changes(d->reload_arg, change) : 0;

	jobs->count = 0;
	for (unsigned i = 0; i < n; i++)
		job_add(jobs, change[i].what, "", change[i].step, change[i].since_ms);
	n = rules_tasks(d->rules, task, RULES_TASKS_MAX);
	for (unsigned i = 0; i < n; i++)
		job_add(jobs, task[i].kind, task[i].what, task[i].step, task[i].since_ms);
	if (d->clickhouse)
		clickhouse_add(jobs, d->clickhouse);
	requests_add(jobs, l->api, l->exchange);
	qsort(jobs->job, jobs->count, sizeof(jobs->job[0]), by_age);
}

static void jobs_out(const struct pending_look *l)
{
	struct pending_jobs *jobs = heap_malloc(sizeof(*jobs));
	struct json_node *list = json_out_array(l->o, json_out_root(l->o), "jobs");
	const uint64_t now_ms = clock_mono_ms();
	if (!jobs)
		return;
	jobs_collect(jobs, l);
	for (unsigned i = 0; i < jobs->count; i++) {
		const struct pending_job *j = &jobs->job[i];
		struct json_node *n = json_out_object(l->o, list, NULL);
		json_out_text(l->o, n, "kind", j->kind);
		json_out_text(l->o, n, "what", j->what);
		json_out_text(l->o, n, "step", j->step);
		json_out_count(l->o, n, "age_ms", now_ms > j->since_ms ? now_ms - j->since_ms : 0);
	}
	heap_free(jobs);
}

static void question_out(
	struct pending_look *l, struct json_node *list, const struct pending_question *q)
{
	char name[DNS_NAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
	struct json_node *n = json_out_object(l->o, list, NULL);

	json_out_text(l->o, n, "name", dns_name_to_text(&q->name, name));
	json_out_text(l->o, n, "type", dns_type_text(q->qtype, type));
	JSON_COUNTS(l->o, n, q, view, clients, attempts, age_ms, waited_ms);
	json_out_bool(l->o, n, "renewal", q->is_renewal);
	json_out_text(l->o, n, "step", step_names[q->step]);
	json_out_text(l->o, n, "server", upstream_book_name(l->api->deps.book, q->server));
}

static void look_end(struct pending_look *l, int err)
{
	if (err < 0)
		api_busy(l->exchange, err);
	else
		http_reply(l->exchange, 200, json_out_finish(l->o));
	heap_free(l);
}

static void on_frontends(void *arg, const struct frontends_status *s)
{
	struct pending_look *l = arg;
	struct json_node *n = json_out_object(l->o, json_out_root(l->o), "tcp");

	JSON_COUNTS(l->o, n, &s->tcp, open, clients, pending, buffered);
	look_end(l, 0);
}

static void on_questions(void *arg, const struct resolver_pending *p)
{
	struct pending_look *l = arg;
	struct json_node *root = json_out_root(l->o), *list;
	int rc = -ECANCELED;

	json_out_count(l->o, root, "questions_total", p->total);
	json_out_count(l->o, root, "clients_total", p->clients);
	list = json_out_array(l->o, root, "questions");
	if (http_is_live(l->exchange)) {
		for (unsigned i = 0; i < p->count; i++)
			question_out(l, list, &p->question[i]);
		jobs_out(l);
		rc = frontends_report(
			l->api->deps.frontends, l->api->deps.service, on_frontends, l);
	}
	if (rc < 0) {
		heap_free(json_out_finish(l->o));
		look_end(l, rc);
	}
}

// Replies with questions in flight, jobs and requests, and what each waits for.
static void serve_pending(struct api *a, struct http_exchange *x)
{
	unsigned limit = PENDING_LIMIT;
	if (http_param(x, "limit") && !api_param_number(x, "limit", RESOLVER_PENDING_MAX, &limit))
		return;
	struct pending_look *l = heap_malloc(sizeof(*l));
	if (!l) {
		http_reply(x, 500, NULL);
		return;
	}
	*l = (struct pending_look){.api = a, .exchange = x, .o = json_out_new()};
	http_defer(x, API_SHORT_MS);
	int rc = resolvers_pending(a->deps.resolvers, limit, a->deps.service, on_questions, l);
	if (rc < 0) {
		heap_free(json_out_finish(l->o));
		look_end(l, rc);
	}
}

const struct api_part api_pending_part = {
	.endpoint = {{"/pending", serve_pending, API_GET, CONTROL_READ, "limit"}}};

// Counters of the two cache tiers: their endpoint, and their objects in the status.

static void l0_out(struct json_out *o, struct json_node *root, const struct resolver_status *s)
{
	struct json_node *n = json_out_object(o, root, "l0");
	counts_json(o, n, "", l0_rows(), &s->l0);
	json_out_count(o, n, "bytes", s->l0_bytes);
	json_out_count(o, n, "private_bytes", s->l0_private_bytes);
}

// The error that keeps the housekeeping of L1 from running; "": it runs.
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

static void tiers_l1_out(
	struct json_out *o, struct json_node *root, const struct resolver_status *s)
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

// Adds the objects "l0", "redis", "l1" and "flush".
static void tiers_out(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	l0_out(o, root, l->resolver);
	redis_out(o, root, l);
	tiers_l1_out(o, root, l->resolver);
	flush_out(o, root, &l->resolver->flush);
}

static void tiers_reply(const struct api_look *l)
{
	struct json_out *o = json_out_new();
	tiers_out(o, json_out_root(o), l);
	http_reply(l->exchange, 200, json_out_finish(o));
}

// Replies with the counters of the cache and of Redis.
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
