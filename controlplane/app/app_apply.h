// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The one way on which a configuration changes: `weirctl config apply`, `reload` and `rollback`,
// SIGHUP, the verbs that edit the managed part, and the way back when health fell.
//
// An apply reads and checks the candidate, stores it as a pending version, activates it (app.h),
// and makes it the current version. Then the caller's `done` is called, and the health is watched
// for APP_WATCH_S: new reasons that clients get no answers, the share of SERVFAIL, upstream servers
// all down, lists lost. If it fell, weir activates the last version whose health held, by another
// apply. An apply during a watch inherits it, and the verdict is of both. A helper thread writes
// files. All functions run on the service loop's thread.
//
// On a full disk a candidate is refused with -ENOSPC or -EDQUOT, but for ways back and internal
// requests, which come into force without being stored.
//
// A candidate with the texts of the version in force makes no version, but its secrets, lists and
// certificates are read again.
//
// The shared part (weir/config/shared.h) is replaced by a request with `shared`. Any other request
// that changes shared sections is refused with -EPERM while the box has a primary.
//
// The managed part is a text of the same format, the last included part of each version. Verbs
// alone change it: they copy app_managed_text(), edit the copy, and pass it to app_apply() in
// `managed`. It must not have `version`, `include` or `runtime`, and begins with APP_MANAGED_HEAD.

#include "api/api.h"
#include "versions/apply.h"

// Copies what the request points to. 0: `done` is called later, when the candidate was refused or
// is current (`why`: all its errors, a line each, or the parts that are not in force); -EBUSY:
// another change runs; -ENOMEM.
ATTR_MUST_CHECK int app_apply(
	void *app, const struct apply_request *r, api_config_done done, void *arg);

// The managed part in force; "": no managed part. Valid until the next apply ends.
const char *app_managed_text(void *app);
// All texts in force. Valid until the next apply ends.
const struct config_bundle *app_bundle(void *app);

const struct versions_status *app_versions_status(void *app);
// Version `above` is in force again in place of version `number`, whose health fell on another box,
// as `why` says. A start does not use the text on disk of any version above `above`, up to
// `number`.
void app_versions_took_back(void *app, unsigned above, unsigned number, const char *why);
