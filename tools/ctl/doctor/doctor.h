// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the checks of `weirctl doctor` share: the configuration, the processes, and the report.
//
// A finding is a line `ok|warning|wrong|unknown  check: text`, with the command that repairs it
// below. A check that cannot read a value reports `unknown` with the reason, never `ok`.

#include "lib/ctl.h"
#include "lib/sysroot.h"
#include "lib/view.h"

#include <sys/types.h>
#include <weir/doctor_file.h>
#include <weir/text.h>

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_WRONG, DOCTOR_UNKNOWN, DOCTOR_VERDICTS };

struct doctor {
	const struct ctl *c;
	const char *check;           // name of the running check
	const struct config *config; // NULL: it cannot be used; the check `config` says why
	struct view view;            // state of both processes, read once
	bool has_view;               // false: their state is unknown
	// Users of the two processes: a running process's, else the package's, else root.
	struct passwd_user dp, cp;
	pid_t dp_pid, cp_pid;          // 0: not running, or not known
	uint64_t cp_said_pid;          // the pid in /status; cp_pid is 0 if it runs another program
	bool cp_is_elsewhere;          // cp_said_pid is of another PID namespace
	bool is_hidden;                // this user may not see whether a process runs
	bool runs;                     // a process runs
	bool is_trial;                 // doctor_try(): findings that are ok are only counted
	bool is_replacing;             // doctor_try(): a process runs that ends before the new one
	bool is_report;                // --report: all findings are only counted
	struct json_node *list, *last; // --json, --save: all findings, the newest finding
	unsigned count[DOCTOR_VERDICTS];
};

// The name of a check; NULL: there are not so many.
const char *doctor_check_name(unsigned i);
void doctor_add(struct doctor *d, enum doctor_verdict verdict, const char *fmt, ...)
	ATTR_PRINTF(3, 4);
// Adds the command that repairs the last finding.
void doctor_do(struct doctor *d, const char *fmt, ...) ATTR_PRINTF(2, 3);
const char *doctor_verdict_text(enum doctor_verdict verdict);
// Adds the counts of findings to an object.
void doctor_counts_put(const struct doctor *d, struct json_node *n);
// Reports that the configuration cannot be used, and returns true, if so.
bool doctor_lacks_config(struct doctor *d);
// Finds the users and the processes (`dp` to `runs`).
void doctor_users_find(struct doctor *d);
// Reports that a check needs to know whether weir runs, and returns true, if this user may not see
// that.
bool doctor_lacks_sight(struct doctor *d);
// The control plane's status document, or NULL.
const struct json_node *doctor_status(const struct doctor *d);

// The number in a file, or -errno.
long long doctor_number(const char *path);
// The number after "Word:" in a file such as /proc/PID/status. -ENOENT: there is no such line.
long long doctor_field(const char *path, const char *field);
// The number of files below WEIR_ROOT whose names match the pattern (glob(3)).
size_t doctor_files_count(const char *pattern);

// Checks the machine for a configuration that is not in use yet, as if weir did not run: what
// memory a running one has is free. Runs the named checks (NULL ends the names), prints each
// finding that is not `ok`, then the counts. Returns the number of findings that are `wrong`.
ATTR_MUST_CHECK unsigned doctor_try(
	const struct ctl *c, const char *config_path, const char *const names[]);
