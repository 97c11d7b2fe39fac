// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The one way on which a configuration changes: `weirctl config apply`, `reload` and `rollback`,
// SIGHUP, the verbs that edit the managed part, and the way back when health fell.
//
// An apply reads and checks the candidate, stores it as a version that is pending, takes it over
// (app_reload.h), and makes it the current version. Then the caller's `done` is called, and the
// health is watched for APP_WATCH_S: new reasons that clients get no answers, the share of
// SERVFAIL, upstream servers all down, lists lost. If it fell, weir takes the version before over
// in the same way. The next apply ends the watch of the one before. Files are written by a
// helper thread. All functions are the service loop's.
//
// A candidate with the texts of the version in force makes no version, but its secrets, lists and
// certificates are read again.
//
// The managed part is a text of the same format, the last included part of each version. Verbs
// alone change it: take app_managed_text(), edit the copy, give it to app_apply() in `managed`.
// It must not have `version`, `include` or `runtime`, and begins with APP_MANAGED_HEAD.

#include "api/api.h"

#include <weir/config/versions.h>

enum { APP_WATCH_S = 10 };
#define APP_MANAGED_HEAD "# weirctl edits this part of the configuration. Do not edit it by hand.\n"

struct apply_request {
	const char *who;      // "uid 0", "token NAME", "user NAME", "signal", "start", "timer"
	const char *what;     // the verb: "config apply", "allow ads.example"
	const char *why;      // the operator's reason; NULL or "": none
	const char *managed;  // the managed part's new text; NULL: as it is
	bool from_disk;       // main and included files are read again; else those in force
	unsigned rollback_to; // the texts of this version, the managed part too; 0: no
	bool is_internal;     // its health is not watched
};

// Copies what the request points to. 0: `done` is called later, when the candidate was refused
// or is current (`why`: all its errors, a line each); -EBUSY: another change runs; -ENOMEM.
ATTR_MUST_CHECK int app_apply(
	void *app, const struct apply_request *r, api_config_done done, void *arg);

// Of the version in force; "" without one. Until the next apply ends.
const char *app_managed_text(void *app);
