// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of an apply share (app_apply.h): the version in force, the apply that runs, the
// watch of its health, and jobs that write files or prove patterns. The service loop owns all of
// it; a job belongs to the helper thread until `done` is called.
//
// Jobs run one after the other, in the order in which they come to the queue. A version is queued
// once the audit log has its entry, so a result that is decided meanwhile is written before the
// version. At most VERSION_JOBS_MAX jobs wait in the queue: one of the apply, one of a result, one
// look at the disk, and those of the start. One more is refused and counted. Versions that wait for
// the audit log, one of the apply and one of the start, are not in that number and its gauge.

#include "access/access_thread.h"
#include "app.h"
#include "versions/apply.h"
#include "versions/health_watch.h"

struct job_runner;

struct version_job {
	struct access_job audited; // first member; used while the audit log gets the version
	int (*work)(struct version_job *job);
	void (*done)(struct version_job *job, int err); // frees the job
	struct app *app;
	bool is_pending; // the version, or versions before it, have no result yet
	bool is_held;    // keep `current`, whose version did not load at this start
	unsigned good;   // good version: not pruned; pending versions above it share the result
	unsigned base;   // version that a roll-out goes back to: not pruned; 0: no such version
	char folder[CONFIG_VERSION_FOLDER_MAX];
	char why[CONFIG_WHY_MAX]; // why the job failed
	struct config_version version;
	struct config_bundle bundle; // owned by the job
	struct config *config;       // owned by the job: the configuration on disk
	struct config_files files;   // files that `config` was read from
};

struct apply { // the apply that runs
	bool is_running, is_stored, is_trial, from_disk, is_internal, is_kept;
	bool needs_room, is_tried_again;
	bool is_edit;         // weir itself made it, and it is no way back
	bool is_in_force;     // `err` and `why` name parts that are not in force or not stored
	bool is_back;         // this apply is the way back after health fell
	api_config_done done; // NULL: no caller, or it has its answer
	void *arg;
	time_t began_unix_s;
	uint64_t since_ms;
	struct config *config; // NULL: the reload owns it
	struct config_bundle bundle;
	struct config_version version; // number 0: the texts are those in force
	struct config_errors errors;
	char store_why[CONFIG_WHY_MAX];
	int err; // result of the reload
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
	char shared_path[CONFIG_VERSION_FOLDER_MAX + 16];
	char folder[CONFIG_VERSION_FOLDER_MAX];
	struct config_bundle bundle; // texts in force
	struct config_start start;   // how the start chose its version; without the texts
	struct versions_status status;
	unsigned newest;
	bool is_serving, is_looking, is_ending;
	bool is_unstored; // the version in force is not in the folder: nothing can go back to it
	uint64_t looked_ms;
	struct config
		*disk_read; // configuration on disk at the last look; NULL: it could not be read
	struct config_files disk_seen; // files of `disk_read`
	struct apply apply;
	struct health health;
};

// Chooses the version that the process starts with, and sets app.started. Runs before the log is
// set up, so app_versions_begin logs what it found.
ATTR_MUST_CHECK int app_versions_read(struct app *a, const char *path, char why[APP_WHY_MAX]);
// Stores the version of the start; blocks. Called once the log is set up.
void app_versions_begin(struct app *a);
ATTR_MUST_CHECK int app_versions_open(struct app *a); // after the service loop; -ENOMEM
void app_versions_serve(struct app *a);               // the process serves
// Notes that a stop has begun, so that a data plane that starts meanwhile decides as the next
// control plane will.
void app_versions_stopping(struct app *a, bool is_clean);
// Called once the loops have ended. `is_clean`: a signal stopped the process. NULL versions are
// fine.
void app_versions_close(struct app *a, bool is_clean);

// Makes a job; its `folder` is filled in. NULL: no memory.
struct version_job *app_versions_job_new(struct app *a, int (*work)(struct version_job *job),
	void (*done)(struct version_job *job, int err));
void app_versions_job_free(struct version_job *job);
// Queues a job; `done` gets -EBUSY, maybe at once, if too many wait.
void app_versions_job_run(struct version_job *job);
// Queues a job once the audit log has its version.
void app_versions_job_audit(struct version_job *job);
// Writes the result of a version in the background; `with_pending`: that of pending versions
// between it and the last good version, too.
void app_versions_settle(struct app *a, unsigned number, enum config_version_result result,
	const char *reason, bool with_pending);

// Called each second: finds out whether the file on disk differs.
void app_versions_look(struct app *a);
// Called each second, with the reasons that clients get no answers, and the status of rules and
// resolvers.
void app_health_look(struct app *a, const struct api_reasons *reasons,
	const struct rules_status *rules, const struct resolver_status *s);
void app_health_begin(struct app *a, const struct config_version *v);
// `v` is in force, and the operator keeps it: a watch that runs ends as held.
void app_health_keep(struct app *a, const struct config_version *v);
// `v` is in force without a watch; a watch of another version ends.
void app_health_skip(struct app *a, const struct config_version *v);
// `v`, an edit without a watch, is in force and has the faults of a version whose health fell.
void app_health_fallen(struct app *a, const struct config_version *v);
// The way back is in force: the version whose health fell is taken back. Before app_health_skip.
void app_health_back(struct app *a);
// The way back leads to the texts that are in force: the version stays.
void app_health_same(struct app *a);
