// SPDX-License-Identifier: BSD-3-Clause
// The jobs that write versions, and the ends of a life: serving and the stop.
#include "app_versions.h"

#include "app_apply.h"
#include "app_events.h"
#include "base/job_runner.h"
#include "versions/version_store.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum { JOB_WAIT_MS = 60000 };

void app_versions_not_stored(struct app_versions *v, const char *why)
{
	v->status.not_stored++;
	log_warning("configuration: version not stored: %s", why);
	snprintf(v->status.store_why, sizeof(v->status.store_why), "%s", why);
}

struct version_job *app_versions_job_new(struct app *a, int (*work)(struct version_job *job),
	void (*done)(struct version_job *job, int err))
{
	struct version_job *job = heap_calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	job->app = a;
	job->work = work;
	job->done = done;
	snprintf(job->folder, sizeof(job->folder), "%s", a->versions->folder);
	return job;
}

void app_versions_job_free(struct version_job *job)
{
	config_bundle_free(&job->bundle);
	config_free(job->config);
	heap_free(job);
}

static int job_work(void *arg, const _Atomic bool *)
{
	struct version_job *job = arg;
	return job->work(job);
}

static void queue_run(struct app_versions *v);

static void job_done(void *arg, int err)
{
	struct version_job *job = arg;
	struct app_versions *v = job->app->versions;
	v->is_job_running = false;
	if (!v->runner) { // app_versions_close
		app_versions_job_free(job);
		return;
	}
	if (err < 0 && !job->why[0])
		snprintf(job->why, sizeof(job->why), "%s", strerror(-err));
	job->done(job, err);
	queue_run(v);
}

static void queue_run(struct app_versions *v)
{
	while (v->queued && !v->is_job_running) {
		struct version_job *job = v->queue[0];
		memmove(v->queue, v->queue + 1, --v->queued * sizeof(v->queue[0]));
		v->is_job_running = true;
		int rc = job_runner_start(v->runner, 0, job_work, job_done, job);
		if (rc < 0)
			job_done(job, rc);
	}
}

static void job_refuse(struct app_versions *v, struct version_job *job)
{
	v->status.jobs_refused++;
	snprintf(job->why, sizeof(job->why), "too many changes wait for the disk");
	if (v->is_ending)
		app_versions_job_free(job);
	else
		job->done(job, -EBUSY);
}

void app_versions_job_run(struct version_job *job)
{
	struct app_versions *v = job->app->versions;
	if (v->queued == VERSION_JOBS_MAX) {
		job_refuse(v, job);
		return;
	}
	v->queue[v->queued++] = job;
	if (v->queued > v->status.jobs_most)
		v->status.jobs_most = v->queued;
	queue_run(v);
}

static void audited(struct access_job *j)
{
	static_assert(offsetof(struct version_job, audited) == 0);
	app_versions_job_run((struct version_job *)j);
}

void app_versions_job_audit(struct version_job *job)
{
	job->audited.done = audited;
	api_audit_version(job->app->api, &job->version, &job->audited);
}

static int settle_work(struct version_job *job)
{
	const struct config_version *v = &job->version;
	if (job->is_pending)
		version_store_settle_pending(
			job->folder, job->good, v->number, v->result, v->reason);
	return version_store_settle(job->folder, v->number, v->result, v->reason, job->why);
}

static void stored_done(struct version_job *job, int err)
{
	if (err < 0)
		app_versions_not_stored(job->app->versions, job->why);
	app_versions_job_free(job);
}

void app_versions_settle(struct app *a, unsigned number, enum config_version_result result,
	const char *reason, bool with_pending)
{
	struct app_versions *v = a->versions;
	struct version_job *job = app_versions_job_new(a, settle_work, stored_done);
	if (number == v->status.in_force.number) {
		v->status.in_force.result = result;
		snprintf(
			v->status.in_force.reason, sizeof(v->status.in_force.reason), "%s", reason);
	}
	if (!job) {
		app_versions_not_stored(v, "no memory");
		return;
	}
	job->is_pending = with_pending;
	job->good = v->health.good;
	job->version.number = number;
	job->version.result = result;
	snprintf(job->version.reason, sizeof(job->version.reason), "%s", reason);
	app_versions_job_run(job);
}

int app_versions_open(struct app *a)
{
	return job_runner_open(&a->versions->runner, a->service, JOB_WAIT_MS);
}

// The version of the start is in force, and is what a crash comes back to.
static int serve_work(struct version_job *job)
{
	const struct config_version *v = &job->version;
	unsigned current;
	int rc = 0;
	if (job->is_held)
		return version_store_stopped(job->folder, false, job->why);
	(void)!config_version_current(job->folder, &current, job->why); // damaged: 0
	if (v->result == CONFIG_VERSION_applied)
		version_store_settle_pending(
			job->folder, job->good, v->number, v->result, "another version followed");
	if (job->is_pending)
		rc = version_store_settle(job->folder, v->number, v->result, "", job->why);
	if (rc == 0 && current != v->number)
		rc = version_store_switch(job->folder, v->number, job->why);
	if (rc == 0) // else the next start decides as this one did
		rc = version_store_stopped(job->folder, false, job->why);
	version_store_prune(job->folder, v->number, job->good);
	return rc;
}

static void differs_event(struct app *a)
{
	const struct versions_status *s = &a->versions->status;
	char number[16];
	if (!s->differs)
		return;
	snprintf(number, sizeof(number), "%u", s->in_force.number);
	events_add(app_events_of(a->events), EVENT_config_differs,
		EVENT_FIELDS({"number", number}, {"why", s->disk_why}),
		"started on version %s of the configuration; the file on disk %s%s", number,
		s->disk_why[0] ? "cannot be used: " : "is another text", s->disk_why);
}

void app_versions_serve(struct app *a)
{
	struct app_versions *v = a->versions;
	struct config_version *now = &v->status.in_force;
	v->is_serving = true;
	differs_event(a);
	if (!now->number)
		return;
	struct version_job *job = app_versions_job_new(a, serve_work, stored_done);
	if (!job) {
		app_versions_not_stored(v, "no memory");
		return;
	}
	job->is_held = v->start.is_held && !v->start.is_new;
	job->is_pending = config_version_is_watched(now);
	// Of an apply: a control plane ended while it watched the health.
	const bool is_new = job->is_pending && strcmp(now->what, "start") == 0;
	const bool is_watched = job->is_pending && !is_new;
	const bool has_fallen = now->result == CONFIG_VERSION_fallen;
	now->result = has_fallen             ? CONFIG_VERSION_fallen
		      : !is_watched          ? CONFIG_VERSION_applied
		      : v->start.was_stopped ? CONFIG_VERSION_pending
					     : CONFIG_VERSION_watched_again;
	job->version = *now;
	job->good = v->health.good ? v->health.good : now->before;
	if (is_new)
		app_versions_job_audit(job);
	else
		app_versions_job_run(job);
	if (!is_watched)
		v->health.good = has_fallen && v->health.good ? v->health.good : now->number;
	else
		app_health_begin(a, now);
}

void app_versions_stopping(struct app *a, bool is_clean)
{
	struct app_versions *v = a->versions;
	char why[CONFIG_WHY_MAX];
	if (v)
		v->is_ending = true;
	if (is_clean && v && v->is_serving && version_store_stopped(v->folder, true, why) < 0)
		log_warning("configuration: %s", why);
}

void app_versions_close(struct app *a, bool is_clean)
{
	struct app_versions *v = a->versions;
	if (!v)
		return;
	const struct health *w = &v->health;
	if (w->is_running && w->has_fallen) // the way back is that of the next start
		app_versions_settle(a, w->version.number, CONFIG_VERSION_taken_back, w->bad, true);
	else if (w->is_running && is_clean) // no death: it is watched as for the first time
		app_versions_settle(a, w->version.number, CONFIG_VERSION_pending, "", false);
	struct job_runner *runner = v->runner;
	v->runner = NULL;
	job_runner_close(runner);
	for (unsigned i = 0; i < v->queued; i++) { // results, and what is in force
		(void)!v->queue[i]->work(v->queue[i]);
		app_versions_job_free(v->queue[i]);
	}
	app_versions_stopping(a, is_clean); // a job of the start may have come between
	config_free(v->apply.config);
	config_free(v->disk_read);
	config_bundle_free(&v->apply.bundle);
	config_bundle_free(&v->bundle);
	heap_free(v);
	a->versions = NULL;
}

const struct versions_status *app_versions_status(void *app)
{
	struct app *a = app;
	a->versions->status.jobs = a->versions->queued;
	return &a->versions->status;
}

const char *app_managed_text(void *app)
{
	const struct app *a = app;
	const char *text = a->versions->bundle.managed.bytes;
	return text ? text : "";
}
