// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the checks of `weirctl doctor` share: the configuration, the processes, and the report.
//
// A finding is a line `ok|warning|wrong|unknown  check: what is so`; below it stands the command
// that mends it. A check that cannot read a value reports `unknown` with the reason, never `ok`.

#include "lib/ctl.h"
#include "lib/shell_quote.h"
#include "lib/sysroot.h"
#include "lib/view.h"

#include <sys/types.h>

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_WRONG, DOCTOR_UNKNOWN, DOCTOR_VERDICTS };
enum { DOCTOR_TEXT_MAX = 1536 };

struct doctor {
	const struct ctl *c;
	const char *check;           // its name, of the running check
	const struct config *config; // NULL: it cannot be used; `config` check says why
	struct view view;            // both processes; taken once
	bool has_view;               // false: nothing is known of them
	// Whom they run as: the running one's, else the user of the package, else root.
	struct passwd_user dp, cp;
	pid_t dp_pid, cp_pid;          // 0: not running, or not known
	bool is_hidden;                // this user may not see whether one of them runs
	bool runs;                     // one of them does
	bool is_trial;                 // of doctor_try(): a finding that is ok is only counted
	bool is_report;                // of --report: each finding is only counted
	struct json_node *list, *last; // with --json: the findings, the newest
	unsigned count[DOCTOR_VERDICTS];
};

void doctor_add(struct doctor *d, enum doctor_verdict verdict, const char *fmt, ...)
	ATTR_PRINTF(3, 4);
// The command for the finding before it.
void doctor_do(struct doctor *d, const char *fmt, ...) ATTR_PRINTF(2, 3);
const char *doctor_verdict_text(enum doctor_verdict verdict);
// The counts of findings, into an object.
void doctor_counts_put(const struct doctor *d, struct json_node *n);
// Without a configuration that can be used: reports that, and returns true.
bool doctor_lacks_config(struct doctor *d);
// Finds the users and the processes (`dp` to `runs`).
void doctor_users_find(struct doctor *d);
// Reports that a check needs to know whether weir runs, where this user may not see that. True: it
// did.
bool doctor_lacks_sight(struct doctor *d);
// The control plane's status document, or NULL.
const struct json_node *doctor_status(const struct doctor *d);

// The number in a file, or -errno where it cannot be read.
long long doctor_number(const char *path);
// The number behind "Word:" in a file of such lines, such as /proc/PID/status. -ENOENT: no such
// line.
long long doctor_field(const char *path, const char *field);
// How many files have such a name below WEIR_ROOT (glob(3)).
size_t doctor_files_count(const char *pattern);

// Checks of the machine for a configuration that is not in use yet, as if weir did not run. Runs
// the named checks, the last name NULL, and prints each finding that is not `ok`, then the counts.
// The number of findings that are `wrong`.
ATTR_MUST_CHECK unsigned doctor_try(
	const struct ctl *c, const char *config_path, const char *const names[]);
