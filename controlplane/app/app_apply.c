// SPDX-License-Identifier: BSD-3-Clause
#include "app_apply.h"

#include "app_events.h"
#include "app_versions.h"
#include "versions/version_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/config/shared.h>
#include <weir/log.h>
#include <weir/pattern_prove.h>

// Ends the apply: tells the caller the result; the next apply may begin.
static void finish(struct app *a)
{
	struct apply *p = &a->versions->apply;
	char all[CONFIG_ERRORS_MAX * (CONFIG_WHY_MAX + 1) + 64] = "";
	size_t n = 0;
	for (unsigned i = 0; i < p->errors.count && i < CONFIG_ERRORS_MAX; i++)
		n += (size_t)snprintf(
			all + n, sizeof(all) - n, "%s%s", i ? "\n" : "", p->errors.text[i]);
	if (p->errors.count > CONFIG_ERRORS_MAX)
		snprintf(all + n, sizeof(all) - n, "\nand %u more errors",
			p->errors.count - CONFIG_ERRORS_MAX);
	p->is_running = false;
	config_bundle_free(&p->bundle);
	if (p->done)
		p->done(p->arg, p->is_in_force && p->err < 0 ? -p->err : p->err, n ? all : p->why,
			p->needs_restart);
}

static void not_taken(struct app *a, int err, const char *why)
{
	struct apply *p = &a->versions->apply;
	p->err = err;
	snprintf(p->why, sizeof(p->why), "%s", why);
	a->versions->status.refused++;
	if (p->is_stored)
		app_versions_settle(a, p->version.number, CONFIG_VERSION_not_taken, why, false);
	finish(a);
}

// Notes that a restart still goes back to the version before.
static void not_current(struct apply *p, unsigned before, const char *why)
{
	const size_t used = p->err < 0 ? strlen(p->why) : 0;
	snprintf(p->why + used, sizeof(p->why) - used,
		"%sin force, but a restart goes back to version %u: not stored: %s",
		used ? "; " : "", before, why);
	p->err = p->err < 0 ? p->err : -EIO;
}

static void version_begin(struct app *a)
{
	struct apply *p = &a->versions->apply;
	const struct health *w = &a->versions->health;
	const struct config_version version = p->version;
	// A version that follows during a watch has the faults of the version before.
	if (p->is_kept)
		app_health_keep(a, &version);
	else if (version.result == CONFIG_VERSION_fallen)
		app_health_fallen(a, &version);
	else if (!p->is_back && (w->is_running || !p->is_internal))
		app_health_begin(a, &version);
	else
		app_health_skip(a, &version);
	finish(a);
}

static int switch_work(struct version_job *job)
{
	const struct config_version *v = &job->version;
	int rc = version_store_switch(job->folder, v->number, job->why);
	version_store_prune(job->folder, v->number, job->good, job->base);
	return rc;
}

static void switched(struct version_job *job, int err)
{
	struct app *a = job->app;
	struct apply *p = &a->versions->apply;
	if (err < 0) {
		a->versions->status.not_stored++;
		not_current(p, p->version.before, job->why);
	}
	app_versions_job_free(job);
	version_begin(a);
}

// Ends an apply whose texts are those in force: an operator may keep them, or health fell with
// them.
static void unchanged_keep(struct app *a)
{
	struct app_versions *v = a->versions;
	const struct config_version *now = &v->status.in_force;
	if (v->apply.is_back)
		app_health_same(a);
	else if (v->apply.is_kept && (v->health.is_running || now->result == CONFIG_VERSION_fallen))
		app_health_keep(a, now);
}

// An edit by weir itself neither mends nor watches what it follows: it inherits that health fell.
static void fall_inherit(struct apply *p, const struct config_version *before)
{
	if (!p->is_edit || before->result != CONFIG_VERSION_fallen)
		return;
	p->version.result = CONFIG_VERSION_fallen;
	memcpy(p->version.reason, before->reason, sizeof(p->version.reason));
}

// The processes have the new texts: records them as those in force.
static void in_force(struct app *a)
{
	struct app_versions *v = a->versions;
	struct apply *p = &v->apply;
	if (!p->version.number) {
		unchanged_keep(a);
		finish(a);
		return;
	}
	config_bundle_free(&v->bundle);
	v->bundle = p->bundle;
	p->bundle = (struct config_bundle){0};
	v->status.in_force = p->version;
	v->is_unstored = !p->is_stored;
	v->status.since_unix_s = time(NULL);
	v->status.applied++;
	v->status.skipped[0] = '\0';
	v->disk_seen = (struct config_files){0};
	sync_version_changed(a->sync);
	if (p->is_back)
		app_health_back(a);
	struct version_job *job =
		p->is_stored ? app_versions_job_new(a, switch_work, switched) : NULL;
	if (job) {
		job->version = p->version;
		job->good = v->health.good ? v->health.good : p->version.before;
		app_versions_job_run(job);
		return;
	}
	not_current(p, p->version.before, p->store_why);
	version_begin(a);
}

static void on_ended(const struct reload *r)
{
	struct app *a = r->app;
	struct apply *p = &a->versions->apply;
	if (!r->done) // the caller got its reply while a thread hung
		p->done = NULL;
	snprintf(p->needs_restart, sizeof(p->needs_restart), "%s", r->needs_restart);
	if (!r->in_force) {
		not_taken(a, r->err, r->why);
		return;
	}
	p->is_in_force = true;
	p->err = r->err;
	snprintf(p->why, sizeof(p->why), "%s", r->why);
	in_force(a);
}

static void nobody(void *, int, const char *, const char *)
{
}

static int take(struct app *a, const struct reload_take *what)
{
	struct apply *p = &a->versions->apply;
	struct reload_take t = *what;
	t.done = p->done ? p->done : nobody;
	t.arg = p->arg;
	t.ended = on_ended;
	return app_reload_take(a, &t);
}

static void candidate_take(struct app *a)
{
	struct apply *p = &a->versions->apply;
	struct reload_take t = {.read = p->config};
	if (p->from_disk)
		config_files_note(&t.files, p->config, p->began_unix_s);
	p->config = NULL; // the reload owns it
	int rc = take(a, &t);
	if (rc < 0)
		not_taken(a, rc, strerror(-rc));
}

static int refuse(struct apply *p, int err, const char *why)
{
	p->errors.count = 1;
	snprintf(p->errors.text[0], CONFIG_WHY_MAX, "%s", why);
	return err;
}

static int refused_send(struct app *a, int err)
{
	struct apply *p = &a->versions->apply;
	char why[CONFIG_WHY_MAX];
	config_errors_tell(&p->errors, why);
	return take(a, &(struct reload_take){.err = err, .why = why});
}

static bool is_full(int err)
{
	return err == -ENOSPC || err == -EDQUOT;
}

// Refuses a candidate that the disk has no room for. One that its caller tries again is not counted
// as refused.
static void no_room(struct app *a, int err, const char *why)
{
	struct apply *p = &a->versions->apply;
	char text[CONFIG_WHY_MAX];
	snprintf(text, sizeof(text), "%.200s%s", why,
		p->is_tried_again ? "" : ": nothing has changed; make room there and try again");
	config_free(p->config);
	p->config = NULL;
	p->err = refuse(p, err, text);
	if (p->from_disk && refused_send(a, err) == 0)
		return;
	a->versions->status.refused += !p->is_tried_again;
	finish(a);
}

static int store_work(struct version_job *job)
{
	return version_store_put(job->folder, &job->version, &job->bundle, job->why);
}

static void stored(struct version_job *job, int err)
{
	struct app *a = job->app;
	struct apply *p = &a->versions->apply;
	p->is_stored = err == 0;
	if (err < 0)
		snprintf(p->store_why, sizeof(p->store_why), "%s", job->why);
	if (p->needs_room && is_full(err)) {
		app_versions_job_free(job);
		a->versions->newest--;
		no_room(a, err, p->store_why);
		return;
	}
	a->versions->status.not_stored += err < 0;
	snprintf(a->versions->status.store_why, sizeof(a->versions->status.store_why), "%s",
		job->why);
	app_versions_job_free(job);
	candidate_take(a);
}

static void candidate_store(struct app *a)
{
	struct app_versions *v = a->versions;
	struct apply *p = &v->apply;
	struct version_job *job = app_versions_job_new(a, store_work, stored);
	p->version.number = ++v->newest;
	snprintf(p->store_why, sizeof(p->store_why), "%s", strerror(ENOMEM));
	if (job && config_bundle_copy(&p->bundle, &job->bundle) < 0) {
		app_versions_job_free(job);
		job = NULL;
	}
	if (!job) {
		candidate_take(a);
		return;
	}
	job->version = p->version;
	app_versions_job_audit(job);
}

// The helper thread owns the candidate until this job ends.
static int room_work(struct version_job *job)
{
	const struct apply *p = &job->app->versions->apply;
	return version_store_room(job->folder, &p->version, &p->bundle, job->why);
}

static void room_found(struct version_job *job, int err)
{
	struct app *a = job->app;
	char why[CONFIG_WHY_MAX];
	snprintf(why, sizeof(why), "%s", job->why);
	app_versions_job_free(job);
	if (is_full(err))
		no_room(a, err, why);
	else
		candidate_store(a); // what else is wrong shows there
}

// Looks for room before the audit log has an entry of a version that may never exist.
static void candidate_room(struct app *a)
{
	struct version_job *job = a->versions->apply.needs_room
					  ? app_versions_job_new(a, room_work, room_found)
					  : NULL;
	if (job)
		app_versions_job_run(job);
	else
		candidate_store(a);
}

static void trial_end(void *arg)
{
	struct app *a = arg;
	struct apply *p = &a->versions->apply;
	snprintf(p->needs_restart, sizeof(p->needs_restart), "%s", p->version.needs_restart);
	config_free(p->config);
	p->config = NULL;
	finish(a);
}

static int candidate_send(struct app *a)
{
	struct app_versions *v = a->versions;
	struct apply *p = &v->apply;
	// A file that is refused is a failed reload; a verb that is refused has changed nothing.
	if (p->is_trial || (p->err < 0 && !p->from_disk)) {
		v->status.refused += !p->is_trial;
		return loop_call(a->service, trial_end, a);
	}
	if (p->err < 0)
		return refused_send(a, p->err);
	if (v->status.in_force.number && p->version.digest == v->status.in_force.digest)
		candidate_take(a);
	else
		candidate_room(a);
	return 0;
}

// The candidate of an apply: its texts are read, its configuration is made from them, checked, and
// proven against the machine.
static int rollback_read(struct app_versions *v, unsigned number)
{
	struct apply *p = &v->apply;
	struct config_version old;
	char why[CONFIG_WHY_MAX];
	int rc = config_version_read(v->folder, number, &old, &p->bundle, why);
	if (rc == -ENOENT)
		snprintf(why, sizeof(why), "no version %u; weirctl config history lists versions",
			number);
	return rc < 0 ? refuse(p, rc, why) : 0;
}

static int share(struct app_versions *v, const char *text)
{
	struct apply *p = &v->apply;
	char why[CONFIG_WHY_MAX];
	const int rc = config_bundle_share(&p->bundle, v->shared_path, text, why);
	return rc < 0 ? refuse(p, rc, why) : 0;
}

// Reads the texts of the candidate and makes its configuration.
static int candidate_read(struct app *a, const struct apply_request *r)
{
	struct app_versions *v = a->versions;
	struct apply *p = &v->apply;
	const char *managed = r->managed ? r->managed : app_managed_text(a);
	int rc;
	if (r->rollback_to) {
		rc = rollback_read(v, r->rollback_to);
	} else if (r->from_disk) {
		const struct config_text text = {.path = v->managed_path,
			.bytes = (char *)(uintptr_t)managed,
			.len = strlen(managed)};
		const struct config_bundle kept = {.shared = v->bundle.shared,
			.managed = *managed ? text : (struct config_text){0}};
		return config_bundle_read(a->started->path, &kept, CONFIG_SECRETS_ALL, &p->bundle,
			&p->config, &p->errors);
	} else {
		rc = config_bundle_copy(&v->bundle, &p->bundle);
		if (rc == 0 && r->shared)
			rc = share(v, r->shared);
		if (rc == 0 && r->managed)
			rc = config_bundle_manage(&p->bundle, v->managed_path, r->managed);
	}
	return rc < 0 ? rc
		      : config_bundle_load(&p->bundle, CONFIG_SECRETS_ALL, &p->config, &p->errors);
}

// Refuses a candidate that wants a core, a device or a group that the machine lacks: the data plane
// would not start with it. A missing thing that the configuration of the start wants too is no
// reason. The way back ignores certificates, because it leaves those in use.
static int machine_prove(const struct app *a, struct apply *p)
{
	config_machine_prove_change(a->started, p->config, &p->bundle, "", &p->errors);
	if (!p->is_back)
		app_certificates_prove(a, p->config, &p->bundle, &p->errors);
	if (p->errors.count == 0)
		return 0;
	config_free(p->config);
	p->config = NULL;
	return -EINVAL;
}

// Refuses a change of shared sections on a box that takes them from a primary, before and after the
// change. The way back and the end of entries go on.
static int shared_check(const struct app *a, struct apply *p, const struct apply_request *r)
{
	const struct config_sync *s = &p->config->sync;
	char names[CONFIG_SHARED_NAMES_MAX], why[CONFIG_WHY_MAX];
	uint32_t differ;
	if (r->shared || r->is_internal || p->is_back || !*s->primary || !*a->read->sync.primary)
		return 0;
	int rc = config_shared_differ(&a->versions->bundle, &p->bundle, &differ);
	if (rc == 0 && !(differ & ~s->own))
		return 0;
	snprintf(why, sizeof(why),
		"this box takes %s from %s: change it there, or keep the section with `sync.own`",
		config_shared_names(differ & ~s->own, names), s->primary);
	if (rc == 0)
		rc = refuse(p, -EPERM, why);
	config_free(p->config);
	p->config = NULL;
	return rc;
}

static void candidate_describe(struct app *a, const struct apply_request *r)
{
	struct app_versions *v = a->versions;
	struct apply *p = &v->apply;
	struct config_version *to = &p->version;
	*to = (struct config_version){.before = v->status.in_force.number,
		.unix_s = p->began_unix_s,
		.result = CONFIG_VERSION_pending,
		.digest = config_bundle_digest(&p->bundle),
		.disk_digest = config_bundle_disk_digest(&p->bundle)};
	snprintf(to->who, sizeof(to->who), "%s", r->who);
	snprintf(to->what, sizeof(to->what), "%s", r->what);
	snprintf(to->why, sizeof(to->why), "%s", r->why ? r->why : "");
	fall_inherit(p, &v->status.in_force);
	(void)config_needs_restart(
		a->started, p->config, to->needs_restart, sizeof(to->needs_restart));
	config_change_find(
		a->started, a->read, p->config, &v->bundle, &p->bundle, &v->status.change);
}

static int candidate_make(struct app *a, const struct apply_request *r)
{
	struct apply *p = &a->versions->apply;
	int rc = candidate_read(a, r);
	rc = rc < 0 ? rc : shared_check(a, p, r);
	rc = rc < 0 ? rc : machine_prove(a, p);
	if (rc < 0 && p->errors.count == 0)
		(void)refuse(p, rc, strerror(-rc));
	if (rc == 0)
		candidate_describe(a, r);
	return rc;
}

// The helper thread owns the candidate until this job ends, and no other change runs. Meanwhile the
// service loop goes on: libhs takes seconds for some patterns.
static int patterns_work(struct version_job *job)
{
	const struct app *a = job->app;
	struct apply *p = &a->versions->apply;
	pattern_prove_change(a->read, p->config, &p->bundle, &p->errors);
	return p->errors.count ? -EINVAL : 0;
}

static void patterns_proven(struct version_job *job, int err)
{
	struct app *a = job->app;
	struct apply *p = &a->versions->apply;
	p->err = err;
	if (err < 0 && p->errors.count == 0)
		config_errors_add(&p->errors, "%s", job->why);
	if (err < 0) {
		config_free(p->config);
		p->config = NULL;
	}
	app_versions_job_free(job);
	const int rc = candidate_send(a);
	if (rc < 0) {
		config_free(p->config); // a trial leaves it
		p->config = NULL;
		not_taken(a, rc, strerror(-rc));
	}
}

// Makes the candidate and proves its patterns. The way back skips them: they were proven before.
static int candidate_prove(struct app *a, const struct apply_request *r)
{
	struct apply *p = &a->versions->apply;
	p->err = candidate_make(a, r);
	if (p->err < 0 || p->is_back)
		return candidate_send(a);
	struct version_job *job = app_versions_job_new(a, patterns_work, patterns_proven);
	if (!job)
		return -ENOMEM;
	app_versions_job_run(job);
	return 0;
}

int app_apply(void *app, const struct apply_request *r, api_config_done done, void *arg)
{
	struct app *a = app;
	struct apply *p = &a->versions->apply;
	if (p->is_running || a->reload.running)
		return -EBUSY;
	*p = (struct apply){.is_running = true,
		.from_disk = r->from_disk,
		.is_internal = r->is_internal,
		.is_edit = r->is_internal && !r->rollback_to,
		.is_kept = r->is_kept,
		.is_trial = r->is_trial,
		.is_tried_again = r->is_tried_again,
		.is_back = a->versions->health.goes_back,
		.done = done,
		.arg = arg,
		.began_unix_s = time(NULL),
		.since_ms = clock_mono_ms()};
	// A way back is taken on a full disk, too, and so is the end of entries.
	p->needs_room = !r->is_internal && !r->rollback_to && !p->is_back;
	const bool is_same = r->from_disk && !r->managed && !r->is_trial
			     && config_files_same(&a->read_files, a->read);
	if (is_same) // an apply with a candidate finds its own change
		config_change_find(
			a->started, a->read, a->read, NULL, NULL, &a->versions->status.change);
	int rc = is_same ? take(a, &(struct reload_take){0}) : candidate_prove(a, r);
	if (rc < 0) {
		p->is_running = false;
		config_bundle_free(&p->bundle);
		config_free(p->config); // a trial leaves it
		p->config = NULL;
	}
	return rc;
}
