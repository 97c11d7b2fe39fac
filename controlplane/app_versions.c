// SPDX-License-Identifier: BSD-3-Clause
// The version that the process starts with, and the jobs that write versions.
#include "app_versions.h"

#include "api/why_runner.h"
#include "app_apply.h"
#include "app_events.h"
#include "versions/version_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/log.h>

enum { JOB_WAIT_MS = 60000 };

static void not_stored(struct app_versions *v, const char *why)
{
	v->status.not_stored++;
	log_warning("configuration: version not stored: %s", why);
	snprintf(v->status.store_why, sizeof(v->status.store_why), "%s", why);
}

static void text_set(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text ? text : "");
}

// A control plane died twice while it watched the health of this version.
static int start_again(const char *path, struct config_start *start, char why[APP_WHY_MAX])
{
	char unsaid[CONFIG_WHY_MAX];
	if (version_store_settle(start->folder, start->version.number, CONFIG_VERSION_taken_back,
		    "the control plane died twice while it watched the health", unsaid)
		< 0)
		return 0;
	config_free(start->config);
	config_start_free(start);
	return config_start(path, CONFIG_SECRETS_ALL, start, why);
}

static int start_read(const char *path, struct config_start *start, char why[APP_WHY_MAX])
{
	int rc = config_start(path, CONFIG_SECRETS_ALL, start, why);
	if (rc == 0 && start->version.result == CONFIG_VERSION_watched_again)
		rc = start_again(path, start, why);
	return rc;
}

int app_versions_read(struct app *a, const char *path, char why[APP_WHY_MAX])
{
	const time_t began_unix_s = time(NULL);
	struct config_start start;
	struct app_versions *v = calloc(1, sizeof(*v));
	if (!v) {
		snprintf(why, APP_WHY_MAX, "no memory");
		return -ENOMEM;
	}
	int rc = start_read(path, &start, why);
	if (rc < 0) {
		free(v);
		return rc;
	}
	a->versions = v;
	a->started = start.config;
	v->app = a;
	v->bundle = start.bundle;
	v->status.in_force = start.version;
	v->status.since_unix_s = began_unix_s;
	v->status.differs = start.differs;
	text_set(v->status.disk_why, sizeof(v->status.disk_why), start.disk_why);
	text_set(v->folder, sizeof(v->folder), start.folder);
	v->start = start;
	v->start.bundle = (struct config_bundle){0}; // v->bundle
	v->start.config = NULL;                      // a->started
	snprintf(v->managed_path, sizeof(v->managed_path), "%s/managed.yaml", v->folder);
	v->status.folder = v->folder;
	if (!start.differs)
		config_files_note(&a->read_files, a->started, began_unix_s);
	return 0;
}

// What the previous run left: versions that never came into force.
static void left_settle(struct app_versions *v)
{
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	const unsigned current = v->status.in_force.number;
	int count = config_versions_list(v->folder, numbers);
	for (int i = 0; i < count; i++) {
		struct config_version one;
		char why[CONFIG_WHY_MAX];
		if (numbers[i] == current
			|| config_version_read(v->folder, numbers[i], &one, NULL, why) < 0
			|| (one.result != CONFIG_VERSION_pending
				&& one.result != CONFIG_VERSION_watched_again))
			continue;
		if (version_store_settle(v->folder, numbers[i], CONFIG_VERSION_not_taken,
			    "the control plane ended before it was in force", why)
			< 0)
			log_warning("configuration: version %u: %s", numbers[i], why);
	}
}

// A number for the texts on disk: that of a start before that did not come to serve.
static unsigned number_take(struct app_versions *v, uint64_t digest)
{
	struct config_version last;
	char why[CONFIG_WHY_MAX];
	if (v->newest && config_version_read(v->folder, v->newest, &last, NULL, why) == 0
		&& last.digest == digest && last.result != CONFIG_VERSION_taken_back)
		return v->newest;
	return v->newest + 1;
}

static void start_store(struct app_versions *v)
{
	struct config_version *now = &v->status.in_force;
	char why[CONFIG_WHY_MAX];
	unsigned before = 0;
	(void)!config_version_current(v->folder, &before, why);
	*now = (struct config_version){
		.before = before,
		.unix_s = time(NULL),
		.who = "start",
		.what = "start",
		.digest = config_bundle_digest(&v->bundle),
		.disk_digest = config_bundle_disk_digest(&v->bundle),
	};
	now->number = number_take(v, now->digest);
	if (version_store_put(v->folder, now, &v->bundle, why) < 0) {
		not_stored(v, why);
		now->number = 0;
		return;
	}
	v->newest = now->number;
}

void app_versions_begin(struct app *a)
{
	struct app_versions *v = a->versions;
	struct config_version *now = &v->status.in_force;
	char why[CONFIG_WHY_MAX];
	config_start_log(&v->start, a->started->path);
	if (version_store_open(v->folder, a->started->runtime.state_directory, why) < 0) {
		not_stored(v, why);
		return;
	}
	v->newest = version_store_newest(v->folder);
	left_settle(v);
	if (now->number == 0)
		start_store(v);
}

struct version_job *app_versions_job_new(struct app *a, int (*work)(struct version_job *job),
	void (*done)(struct version_job *job, int err))
{
	struct version_job *job = calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	job->app = a;
	job->work = work;
	job->done = done;
	text_set(job->folder, sizeof(job->folder), a->versions->folder);
	return job;
}

void app_versions_job_free(struct version_job *job)
{
	config_bundle_free(&job->bundle);
	free(job);
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
		text_set(job->why, sizeof(job->why), strerror(-err));
	job->done(job, err);
	queue_run(v);
}

static void queue_run(struct app_versions *v)
{
	while (v->queued && !v->is_job_running) {
		struct version_job *job = v->queue[0];
		memmove(v->queue, v->queue + 1, --v->queued * sizeof(v->queue[0]));
		v->is_job_running = true;
		int rc = why_runner_start(v->runner, job_work, job_done, job);
		if (rc < 0)
			job_done(job, rc);
	}
}

bool app_versions_job_run(struct version_job *job)
{
	struct app_versions *v = job->app->versions;
	if (v->queued == VERSION_JOBS_MAX || !v->runner) {
		not_stored(v, "too many changes wait for the disk");
		app_versions_job_free(job);
		return false;
	}
	v->queue[v->queued++] = job;
	queue_run(v);
	return true;
}

static int settle_work(struct version_job *job)
{
	return version_store_settle(job->folder, job->version.number, job->version.result,
		job->version.reason, job->why);
}

static void stored_done(struct version_job *job, int err)
{
	if (err < 0)
		not_stored(job->app->versions, job->why);
	app_versions_job_free(job);
}

void app_versions_settle(
	struct app *a, unsigned number, enum config_version_result result, const char *reason)
{
	struct app_versions *v = a->versions;
	struct version_job *job = app_versions_job_new(a, settle_work, stored_done);
	if (number == v->status.in_force.number) {
		v->status.in_force.result = result;
		text_set(v->status.in_force.reason, sizeof(v->status.in_force.reason), reason);
	}
	if (!job) {
		not_stored(v, "no memory");
		return;
	}
	job->version.number = number;
	job->version.result = result;
	text_set(job->version.reason, sizeof(job->version.reason), reason);
	(void)app_versions_job_run(job);
}

int app_versions_open(struct app *a)
{
	return why_runner_open(&a->versions->runner, a->service, JOB_WAIT_MS);
}

// The version of the start is in force, and is what a crash comes back to.
static int serve_work(struct version_job *job)
{
	const struct config_version *v = &job->version;
	unsigned current;
	int rc = 0;
	(void)!config_version_current(job->folder, &current, job->why); // damaged: 0
	if (job->is_pending)
		rc = version_store_settle(job->folder, v->number, v->result, "", job->why);
	if (rc == 0 && current != v->number)
		rc = version_store_switch(job->folder, v->number, job->why);
	if (rc == 0) // else the next start decides as this one did
		rc = version_store_stopped(job->folder, false, job->why);
	version_store_prune(job->folder, v->number, v->before);
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
		not_stored(v, "no memory");
		return;
	}
	job->is_pending = now->result == CONFIG_VERSION_pending;
	// Of an apply: a control plane died while it watched the health.
	const bool is_watched = job->is_pending && strcmp(now->what, "start") != 0;
	now->result = is_watched ? CONFIG_VERSION_watched_again : CONFIG_VERSION_applied;
	job->version = *now;
	(void)app_versions_job_run(job);
	if (is_watched)
		app_health_begin(a, now);
}

void app_versions_close(struct app *a, bool is_clean)
{
	struct app_versions *v = a->versions;
	char why[CONFIG_WHY_MAX];
	if (!v)
		return;
	app_health_end(a, "the control plane was stopped during the watch of the health");
	struct why_runner *runner = v->runner;
	v->runner = NULL;
	why_runner_close(runner);
	for (unsigned i = 0; i < v->queued; i++) { // results, and what is in force
		(void)!v->queue[i]->work(v->queue[i]);
		app_versions_job_free(v->queue[i]);
	}
	if (is_clean && v->is_serving && version_store_stopped(v->folder, true, why) < 0)
		log_warning("configuration: %s", why);
	config_free(v->apply.config);
	config_bundle_free(&v->apply.bundle);
	config_bundle_free(&v->bundle);
	free(v);
	a->versions = NULL;
}

const struct versions_status *app_versions_status(void *app)
{
	const struct app *a = app;
	return &a->versions->status;
}

const char *app_managed_text(void *app)
{
	const struct app *a = app;
	const char *text = a->versions->bundle.managed.bytes;
	return text ? text : "";
}
