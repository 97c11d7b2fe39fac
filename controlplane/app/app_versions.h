// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of an apply share (app_apply.h): the version in force, the apply that runs, the
// watch of its health, and jobs that write files or prove patterns. All of it is the service
// loop's; a job is its helper thread's until `done` has it.
//
// Jobs run one after the other, in the order in which they come to the queue. A version comes to it
// once the audit log has its entry, so a result that is decided meanwhile is written before it.
// VERSION_JOBS_MAX wait in the queue at most: one of the apply, one of a result, one look at the
// disk, those of the start; one more is refused and counted. Versions that wait for the audit log,
// one of the apply and one of the start, are beside that number and its gauge.

#include "access/access_thread.h"
#include "app.h"
#include "versions/apply.h"
#include "versions/health_watch.h"

struct job_runner;

struct version_job {
	struct access_job audited; // first; while the audit log gets its version
	int (*work)(struct version_job *job);
	void (*done)(struct version_job *job, int err); // frees it
	struct app *app;
	bool is_pending; // the version's result was, before this job
	bool is_held;    // `current` stays: it did not load at this start
	unsigned good;   // of the health; kept, and the pending ones above it share the verdict
	char folder[CONFIG_VERSION_FOLDER_MAX];
	char why[CONFIG_WHY_MAX]; // of the failure
	struct config_version version;
	struct config_bundle bundle; // owned
	struct config *config;       // owned; of the look at the disk
	struct config_files files;   // that it was read from
};

struct apply { // that runs
	bool is_running, is_stored, is_trial, from_disk, is_internal, is_kept;
	bool is_in_force;     // `err` and `why` say what of it is not, or is not stored
	bool is_back;         // the way back after a fall of the health
	api_config_done done; // NULL: the caller knows already, or no caller
	void *arg;
	time_t began_unix_s;
	uint64_t since_ms;
	struct config *config; // NULL: the reload has it
	struct config_bundle bundle;
	struct config_version version; // number 0: the texts are those in force
	struct config_errors errors;
	char store_why[CONFIG_WHY_MAX];
	int err; // of the reload
	char why[APP_WHY_MAX + 64 + CONFIG_WHY_MAX];
	char needs_restart[CONFIG_VERSION_WHY_MAX];
};

struct app_versions {
	struct app *app;
	struct job_runner *runner;
	struct version_job *queue[VERSION_JOBS_MAX];
	unsigned queued;
	bool is_job_running;
	char managed_path[CONFIG_VERSION_FOLDER_MAX + 16];
	char folder[CONFIG_VERSION_FOLDER_MAX];
	struct config_bundle bundle; // in force
	struct config_start start;   // for the log, without its texts
	struct versions_status status;
	unsigned newest;
	bool is_serving, is_looking, is_ending;
	uint64_t looked_ms;
	struct config *disk_read;      // by the last look at the disk; NULL: it could not be read
	struct config_files disk_seen; // its files
	struct apply apply;
	struct health health;
};

// Chooses the version that the process starts with, and sets app.started. Runs before the log is
// set up, so app_versions_begin logs what it found.
ATTR_MUST_CHECK int app_versions_read(struct app *a, const char *path, char why[APP_WHY_MAX]);
// Stores the version of the start; blocks. Once there is a log.
void app_versions_begin(struct app *a);
ATTR_MUST_CHECK int app_versions_open(struct app *a); // once there is a service loop; -ENOMEM
void app_versions_serve(struct app *a);               // the process serves
// The stop begins: a data plane that starts beside it decides as the next control plane will.
void app_versions_stopping(struct app *a, bool is_clean);
// Once the loops have ended; `is_clean`: a signal stopped the process. NULL versions are fine.
void app_versions_close(struct app *a, bool is_clean);

// A new job, with the folder, for its `work`; NULL: no memory.
struct version_job *app_versions_job_new(struct app *a, int (*work)(struct version_job *job),
	void (*done)(struct version_job *job, int err));
void app_versions_job_free(struct version_job *job);
// Runs it after those before; `done` gets -EBUSY, maybe at once, if too many wait.
void app_versions_job_run(struct version_job *job);
// The same once the audit log has its version.
void app_versions_job_audit(struct version_job *job);
// Writes the result of a version in the background; `with_pending`: and of the pending ones between
// the last good version and it.
void app_versions_settle(struct app *a, unsigned number, enum config_version_result result,
	const char *reason, bool with_pending);

// Each second: is the file on disk another text?
void app_versions_look(struct app *a);
// Each second, with the reasons that clients get no answers, and what rules and resolvers say.
void app_health_look(struct app *a, const struct api_reasons *reasons,
	const struct rules_status *rules, const struct resolver_status *s);
void app_health_begin(struct app *a, const struct config_version *v);
// `v` is in force, and the operator keeps it: a watch that runs ends as held.
void app_health_keep(struct app *a, const struct config_version *v);
// `v` is in force without a watch: that of another version ends, as taken back or as applied.
void app_health_skip(struct app *a, const struct config_version *v);
// The way back is in force: the version whose health fell is taken back. Before app_health_skip.
void app_health_back(struct app *a);
// The way back leads to the texts that are in force: the version stays.
void app_health_same(struct app *a);
