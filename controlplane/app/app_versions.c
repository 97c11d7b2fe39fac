// SPDX-License-Identifier: BSD-3-Clause
// Versions of the configuration: the jobs that write them, the version that the process starts
// with, serving, the stop, and the look at the file on disk.
#include "app_versions.h"

#include "app_apply.h"
#include "app_events.h"
#include "base/job_runner.h"
#include "versions/version_store.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum { JOB_WAIT_MS = 60000 };

static void store_failed(struct app_versions *v, const char *why)
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
	job->base = sync_base_version(a->sync);
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
		store_failed(job->app->versions, job->why);
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
		store_failed(v, "no memory");
		return;
	}
	job->is_pending = with_pending;
	job->good = v->health.good;
	job->version.number = number;
	job->version.result = result;
	snprintf(job->version.reason, sizeof(job->version.reason), "%s", reason);
	app_versions_job_run(job);
}

static int take_back_work(struct version_job *job)
{
	return version_store_take_back(
		job->folder, job->base, job->version.number, job->version.reason, job->why);
}

void app_versions_took_back(void *app, unsigned above, unsigned number, const char *why)
{
	struct app *a = app;
	struct versions_status *s = &a->versions->status;
	s->taken_back++;
	s->last_taken_back = number;
	snprintf(s->taken_back_why, sizeof(s->taken_back_why), "%s", why);
	struct version_job *job = app_versions_job_new(a, take_back_work, stored_done);
	if (!job) {
		store_failed(a->versions, "no memory");
		return;
	}
	job->base = above;
	job->version.number = number;
	snprintf(job->version.reason, sizeof(job->version.reason), "%s", why);
	app_versions_job_run(job);
}

// The control plane crashed twice while it watched the health of this version: takes the version
// back and chooses again.
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
	if (rc == 0 && start->version.result == CONFIG_VERSION_watched_again && !start->was_stopped)
		rc = start_again(path, start, why);
	return rc;
}

int app_versions_read(struct app *a, const char *path, char why[APP_WHY_MAX])
{
	const time_t began_unix_s = time(NULL);
	struct config_start start;
	struct app_versions *v = heap_calloc(1, sizeof(*v));
	if (!v) {
		snprintf(why, APP_WHY_MAX, "no memory");
		return -ENOMEM;
	}
	int rc = start_read(path, &start, why);
	if (rc < 0) {
		heap_free(v);
		return rc;
	}
	a->versions = v;
	a->started = start.config;
	v->app = a;
	v->bundle = start.bundle;
	v->status.in_force = start.version;
	v->status.since_unix_s = began_unix_s;
	v->status.differs = start.differs;
	snprintf(v->status.skipped, sizeof(v->status.skipped), "%s", start.skipped);
	snprintf(v->status.disk_why, sizeof(v->status.disk_why), "%s", start.disk_why);
	v->status.last_taken_back = start.taken_back_as;
	if (start.taken_back_as)
		snprintf(v->status.taken_back_why, sizeof(v->status.taken_back_why),
			"the file on disk was taken back as version %u", start.taken_back_as);
	snprintf(v->folder, sizeof(v->folder), "%s", start.folder);
	v->start = start;
	v->start.bundle = (struct config_bundle){0}; // v->bundle owns it
	v->start.config = NULL;                      // a->started owns it
	snprintf(v->managed_path, sizeof(v->managed_path), "%s/managed.yaml", v->folder);
	snprintf(v->shared_path, sizeof(v->shared_path), "%s/shared.yaml", v->folder);
	v->status.folder = v->folder;
	if (!start.differs)
		config_files_note(&a->read_files, a->started, began_unix_s);
	return 0;
}

// Finds the result of a version that was left without one, by the result of the version that
// `current` names. False: it stays open.
static bool left_result(const struct config_version *current, unsigned in_force, unsigned number,
	enum config_version_result *out)
{
	*out = CONFIG_VERSION_not_taken;
	if (number > current->number)
		return true;
	// Another version followed it during a watch, which goes on, or ended with a crash.
	*out = CONFIG_VERSION_taken_back;
	if (current->result == CONFIG_VERSION_taken_back)
		return number > in_force;
	*out = CONFIG_VERSION_applied;
	return !config_version_is_watched(current);
}

// Settles versions that the previous run left without a result: they never came into force, or were
// followed.
static void left_settle(struct app_versions *v)
{
	static const char *const reasons[CONFIG_VERSION_RESULT_COUNT] = {
		[CONFIG_VERSION_not_taken] = "the control plane ended before it was in force",
		[CONFIG_VERSION_taken_back] = "the version that followed it was taken back",
		[CONFIG_VERSION_applied] = "another version followed",
	};
	unsigned numbers[2 * CONFIG_VERSIONS_KEPT];
	const unsigned in_force = v->status.in_force.number;
	struct config_version current = {0}, one;
	enum config_version_result result;
	char why[CONFIG_WHY_MAX];
	unsigned number;
	// A version that is undamaged but did not load may load at the next start.
	if (v->start.is_held || config_version_current(v->folder, &number, why) < 0)
		return;
	if (number && config_version_read(v->folder, number, &current, NULL, why) < 0)
		current = (struct config_version){.number = number};
	int count = config_versions_list(v->folder, numbers);
	for (int i = 0; i < count; i++) {
		if (numbers[i] == number || numbers[i] == in_force
			|| config_version_read(v->folder, numbers[i], &one, NULL, why) < 0
			|| !config_version_is_watched(&one)
			|| !left_result(&current, in_force, numbers[i], &result))
			continue;
		if (version_store_settle(v->folder, numbers[i], result, reasons[result], why) < 0)
			log_warning("configuration: version %u: %s", numbers[i], why);
	}
}

// Chooses a number for the texts on disk: that of an earlier start with these texts which did not
// serve, or a new one.
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
		store_failed(v, why);
		now->number = 0;
		return;
	}
	v->newest = now->number;
}

// A version of an apply: a control plane ended while it watched its health.
static bool is_left_watched(const struct config_version *v)
{
	return config_version_is_watched(v) && strcmp(v->what, "start") != 0;
}

// A start that dies before it serves counts as a death during the watch, so it is noted before
// anything that the version may break.
static void watch_note(struct app_versions *v)
{
	char why[CONFIG_WHY_MAX];
	const int rc = v->start.was_stopped
			       ? version_store_stopped(v->folder, false, why)
			       : version_store_settle(v->folder, v->status.in_force.number,
				       CONFIG_VERSION_watched_again, "", why);
	if (rc < 0)
		store_failed(v, why);
}

void app_versions_begin(struct app *a)
{
	struct app_versions *v = a->versions;
	struct config_version *now = &v->status.in_force;
	char why[CONFIG_WHY_MAX];
	config_start_log(&v->start, a->started->path, a->started);
	if (version_store_open(v->folder, a->started->runtime.state_directory, why) < 0) {
		store_failed(v, why);
		return;
	}
	v->newest = version_store_newest(v->folder);
	left_settle(v);
	v->health.good = health_good_find(v->folder, now->number ? now->number : UINT_MAX);
	if (now->number == 0)
		start_store(v);
	else if (is_left_watched(now))
		watch_note(v);
}

int app_versions_open(struct app *a)
{
	return job_runner_open(&a->versions->runner, a->service, JOB_WAIT_MS);
}

// Records the version of the start as the one that a restart after a crash uses.
static int serve_work(struct version_job *job)
{
	const struct config_version *v = &job->version;
	unsigned current;
	int rc = 0;
	if (job->is_held)
		return version_store_stopped(job->folder, false, job->why);
	(void)!config_version_current(job->folder, &current, job->why); // 0 if damaged
	if (v->result == CONFIG_VERSION_applied)
		version_store_settle_pending(
			job->folder, job->good, v->number, v->result, "another version followed");
	if (job->is_pending)
		rc = version_store_settle(job->folder, v->number, v->result, "", job->why);
	if (rc == 0 && current != v->number)
		rc = version_store_switch(job->folder, v->number, job->why);
	if (rc == 0) // otherwise the next start decides as this one did
		rc = version_store_stopped(job->folder, false, job->why);
	version_store_prune(job->folder, v->number, job->good, job->base);
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
		store_failed(v, "no memory");
		return;
	}
	job->is_held = v->start.is_held && !v->start.is_new;
	job->is_pending = config_version_is_watched(now);
	const bool is_watched = is_left_watched(now);
	const bool is_new = job->is_pending && !is_watched;
	const bool has_fallen = now->result == CONFIG_VERSION_fallen;
	now->result = has_fallen             ? CONFIG_VERSION_fallen
		      : !is_watched          ? CONFIG_VERSION_applied
		      : v->start.was_stopped ? CONFIG_VERSION_pending
					     : CONFIG_VERSION_watched_again;
	job->version = *now;
	job->good = v->health.good ? v->health.good : now->before;
	if (is_new)
		app_versions_job_audit(job);
	else if (now->result == CONFIG_VERSION_watched_again)
		stored_done(job, serve_work(job)); // the next run must know, whenever this one ends
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
	const bool is_noted = v && (v->is_serving || v->start.was_stopped);
	if (is_clean && is_noted && version_store_stopped(v->folder, true, why) < 0)
		log_warning("configuration: %s", why);
}

void app_versions_close(struct app *a, bool is_clean)
{
	struct app_versions *v = a->versions;
	if (!v)
		return;
	const struct health *w = &v->health;
	if (w->is_running && w->has_fallen) // the next start goes back
		app_versions_settle(a, w->version.number, CONFIG_VERSION_taken_back, w->bad, true);
	else if (w->is_running && is_clean) // no crash: the next run watches it again
		app_versions_settle(a, w->version.number, CONFIG_VERSION_pending, "", false);
	else if (is_clean && !v->is_serving && is_left_watched(&v->status.in_force))
		app_versions_settle(
			a, v->status.in_force.number, CONFIG_VERSION_pending, "", false);
	struct job_runner *runner = v->runner;
	v->runner = NULL;
	job_runner_close(runner);
	for (unsigned i = 0; i < v->queued; i++) { // writes results, and the version in force
		(void)!v->queue[i]->work(v->queue[i]);
		app_versions_job_free(v->queue[i]);
	}
	app_versions_stopping(a, is_clean); // a job of the start may have removed the note
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

// How weir finds out whether the file on disk differs from the version in force. A helper thread
// reads and checks it. Good files that look unchanged are not read again, and no file is read more
// often than each LOOK_SPACE_MS.
enum { LOOK_SPACE_MS = 2500 };

// Leaves the digest of the texts on disk in `version`; 0: they cannot be used, and `why` says why.
static int disk_work(struct version_job *job)
{
	struct config_errors errors;
	struct config_bundle b;
	struct config *c = NULL;
	const char *path = job->app->started->path; // valid for the life of the process
	if (config_bundle_read(path, &job->bundle, CONFIG_SECRETS_NONE, &b, &c, &errors) < 0) {
		config_errors_tell(&errors, job->why);
		return 0;
	}
	job->version.disk_digest = config_bundle_disk_digest(&b);
	config_files_note(&job->files, c, job->version.unix_s);
	config_bundle_free(&b);
	job->config = c;
	return 0;
}

static void disk_done(struct version_job *job, int err)
{
	struct app_versions *v = job->app->versions;
	struct versions_status *s = &v->status;
	v->is_looking = false;
	// A result about another version is dropped; the next look is about this one.
	if (err == 0 && job->version.digest == s->in_force.digest) {
		s->differs = job->version.disk_digest != s->in_force.disk_digest;
		snprintf(s->disk_why, sizeof(s->disk_why), "%s", job->why);
		config_free(v->disk_read);
		v->disk_read = job->config;
		v->disk_seen = job->files;
		job->config = NULL;
	}
	app_versions_job_free(job);
}

void app_versions_look(struct app *a)
{
	struct app_versions *v = a->versions;
	const uint64_t now_ms = clock_mono_ms();
	if (!v->is_serving || v->is_looking || v->apply.is_running
		|| now_ms < v->looked_ms + LOOK_SPACE_MS
		|| (v->disk_read && config_files_same(&v->disk_seen, v->disk_read)))
		return;
	struct version_job *job = app_versions_job_new(a, disk_work, disk_done);
	if (!job)
		return;
	const struct config_bundle read = {
		.shared = v->bundle.shared, .managed = v->bundle.managed};
	if (config_bundle_copy(&read, &job->bundle) < 0) {
		app_versions_job_free(job);
		return;
	}
	job->version.unix_s = time(NULL);
	job->version.digest = v->status.in_force.digest;
	v->looked_ms = now_ms;
	v->is_looking = true;
	app_versions_job_run(job);
}

const struct config_bundle *app_bundle(void *app)
{
	const struct app *a = app;
	return &a->versions->bundle;
}
