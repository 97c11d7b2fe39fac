// SPDX-License-Identifier: BSD-3-Clause
// Whether the file on disk is another text than the version in force. Files of a good text
// that look as they did are not read again; a helper thread reads and checks the others.
#include "app_apply.h"
#include "app_versions.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>

// A file that changes all the time, or is gone, is not read more often.
enum { LOOK_SPACE_MS = 2500 };

// Leaves the digest of what is on disk in `version`, or 0 and why it cannot be used.
static int disk_work(struct version_job *job)
{
	struct config_errors errors;
	struct config_bundle b;
	struct config *c = NULL;
	const struct config_text *managed = job->bundle.managed.bytes ? &job->bundle.managed : NULL;
	const char *path = job->app->started->path; // for the life of the process
	if (config_bundle_read(path, managed, CONFIG_SECRETS_NONE, &b, &c, &errors) < 0) {
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
	// Of another version: the next look is of this one.
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
	const struct config_bundle read = {.managed = v->bundle.managed};
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
