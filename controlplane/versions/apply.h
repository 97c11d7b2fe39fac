// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A request to change the configuration, and the state of its versions. app_apply.h has the
// functions; the control API and the verbs get them by api_deps.

#include <weir/config/versions.h>

enum { APP_WATCH_S = 10, VERSION_JOBS_MAX = 8 };
#define APP_MANAGED_HEAD "# weirctl edits this part of the configuration. Do not edit it by hand.\n"

struct apply_request {
	const char *who;  // "uid 0", "token NAME", "user NAME", "signal", "start", "timer", "sync"
	const char *what; // the verb: "config apply", "allow ads.example"
	const char *why;  // the operator's reason; NULL or "": not given
	const char *managed; // the managed part's new text; NULL: unchanged
	// The shared part's new text, "" removes it; NULL: unchanged. Without `managed`, items of
	// shared sections go from the managed part.
	const char *shared;
	bool from_disk;       // main and included files are read again; false: the texts in force
	unsigned rollback_to; // take the texts of this version, the managed part too; 0: do not
	bool is_internal;     // no watch begins; it only inherits a running one
	bool is_kept;         // no watch begins, and a running watch ends as held
	bool is_trial;        // the candidate is only read and checked
	bool is_tried_again;  // the caller tries again after -ENOSPC and -EDQUOT
};

struct versions_status {
	struct config_version in_force; // number 0: not stored as a version
	int64_t since_unix_s;           // since when it is in force in this process
	bool differs;                   // the file on disk has another text
	char disk_why[CONFIG_WHY_MAX];  // why the file on disk cannot be used; "": it can be used
	char store_why[CONFIG_WHY_MAX]; // why versions cannot be stored; "": they can be stored
	struct config_change change;    // what the last apply or trial changed
	char skipped[CONFIG_WHY_MAX];   // why the start used no newer version; kept until the next
					// change
	const char *folder;
	unsigned watch_left_s;    // seconds left of the health watch; 0: no watch runs
	unsigned last_taken_back; // number of the last version taken back; 0: no version
	char taken_back_why[CONFIG_VERSION_WHY_MAX];
	uint64_t applied, refused, taken_back, not_stored; // counts of this process
	// Jobs that wait for the disk, most that waited, and jobs refused by VERSION_JOBS_MAX.
	unsigned jobs, jobs_most;
	uint64_t jobs_refused;
};
