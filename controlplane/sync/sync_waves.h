// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Carries out the roll-out of a primary (sync_rollout.h): looks at the secondaries each second,
// tells operators by events and the log, and takes this box back to the version before.
//
// The service loop's thread.

#include "base/loop.h"
#include "events/events.h"
#include "sync_rollout.h"
#include "versions/apply.h"

struct sync_waves;

struct sync_waves_hooks {
	int (*apply)(void *arg, const struct apply_request *r,
		void (*done)(void *arg, int err, const char *why, const char *needs_restart),
		void *done_arg);
	const struct versions_status *(*versions)(void *arg);
	// Versions above one, up to another, were taken back for a reason outside this box.
	void (*took_back)(void *arg, unsigned above, unsigned number, const char *why);
	void *arg;
	// Tells sync_waves_target the version that is handed out. The secondaries; NULL: this box
	// hands nothing out.
	struct sync_boxes *(*look)(void *look_arg);
	void (*save)(void *look_arg); // sync_waves_kept has changed
	void *look_arg;
};

// `kept`: of the run before. -ENOMEM.
ATTR_MUST_CHECK int sync_waves_open(struct sync_waves **out, struct loop *service,
	struct events *events, const struct sync_waves_hooks *hooks,
	const struct sync_rollout_kept *kept);
void sync_waves_close(struct sync_waves *w); // NULL is fine
// Forgets the roll-out: all boxes may have the next version that is handed out at once.
void sync_waves_forget(struct sync_waves *w);
// `is_primary` false: the roll-out is forgotten.
void sync_waves_configure(struct sync_waves *w, const struct config_waves *c, bool is_primary);
void sync_waves_epoch(struct sync_waves *w, uint64_t epoch); // the epoch of this box
const struct sync_rollout_kept *sync_waves_kept(const struct sync_waves *w);

// This box hands out `o`.
void sync_waves_target(struct sync_waves *w, struct sync_boxes *boxes, const struct sync_offer *o);
ATTR_MUST_CHECK bool sync_waves_may_have(
	const struct sync_waves *w, const struct sync_box *b, const struct sync_offer *o);
// Does what sync_rollout_stop and sync_rollout_continue do.
ATTR_MUST_CHECK bool sync_waves_stop(struct sync_waves *w, bool back, const char *who);
ATTR_MUST_CHECK bool sync_waves_continue(struct sync_waves *w, struct sync_boxes *boxes, bool all);

struct sync_waves_status {
	const struct sync_rollout_kept *kept; // valid until the service loop goes on
	struct sync_rollout_counts n;
	uint64_t since_ms;             // milliseconds since the last change of the state
	uint64_t ended, stopped, back; // roll-outs: that reached all boxes; stopped; taken back
};
void sync_waves_status(
	const struct sync_waves *w, const struct sync_boxes *boxes, struct sync_waves_status *out);
