// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of what waits for what: questions in flight, jobs, requests, the oldest first; TCP
// clients.

#include "api_param.h"
#include "base/age_list.h"
#include "base/rdata_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log_msg.h>

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

// One request on its way to the resolver's loop and back, twice.
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
