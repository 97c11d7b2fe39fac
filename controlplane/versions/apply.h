// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A request to change the configuration, and the state of its versions. app_apply.h has the
// functions; the control API and the verbs get them by api_deps.

#include <weir/config/versions.h>

enum { APP_WATCH_S = 10, VERSION_JOBS_MAX = 8 };
#define APP_MANAGED_HEAD "# weirctl edits this part of the configuration. Do not edit it by hand.\n"

struct apply_request {
	const char *who;      // "uid 0", "token NAME", "user NAME", "signal", "start", "timer"
	const char *what;     // the verb: "config apply", "allow ads.example"
	const char *why;      // the operator's reason; NULL or "": none
	const char *managed;  // the managed part's new text; NULL: as it is
	bool from_disk;       // main and included files are read again; else those in force
	unsigned rollback_to; // the texts of this version, the managed part too; 0: no
	bool is_internal;     // its health is not watched by itself; it inherits a watch
	bool is_kept;         // its health is not watched, and a watch that runs ends as held
	bool is_trial;        // read and checked, and nothing else
};

struct versions_status {
	struct config_version in_force; // number 0: it is no version
	int64_t since_unix_s;           // when it came into force in this process
	bool differs;                   // the file on disk is another text
	char disk_why[CONFIG_WHY_MAX];  // why the file on disk cannot be used; "": it can
	char store_why[CONFIG_WHY_MAX]; // why versions cannot be stored; "": they can
	struct config_change change;    // of the last apply or trial
	char skipped[CONFIG_WHY_MAX]; // why the start used no newer version; until the next change
	const char *folder;
	unsigned watch_left_s;    // of the watch of the health; 0: none runs
	unsigned last_taken_back; // number of the last version that was; 0: none
	char taken_back_why[CONFIG_VERSION_WHY_MAX];
	uint64_t applied, refused, taken_back, not_stored; // of this process
	// Jobs that wait for the disk, the most that did, and those that VERSION_JOBS_MAX refused.
	unsigned jobs, jobs_most;
	uint64_t jobs_refused;
};
