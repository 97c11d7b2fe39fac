// SPDX-License-Identifier: BSD-3-Clause
// POST /fleet/promote and /fleet/leave: a box takes its configuration from no primary any more.
// What came with the shared part and verbs edit becomes part of the managed part, in the version
// that unsets sync.primary.
//
// That version is kept without a health watch, unless the box goes back to its own files: clients
// get the same replies as before, and a version taken back would name the old primary again while
// the epoch stays raised.

#include "verb.h"
#include "versions/apply.h"

#include <errno.h>
#include <string.h>
#include <weir/config/shared.h>
#include <weir/heap_site.h>

enum { PROMOTE_MS = 10000 };

static const struct config_bundle *bundle_of(const struct verb *v)
{
	return v->api->deps.config_bundle(v->api->deps.reload_arg);
}

static bool is_secondary(const struct verb *v)
{
	return *verb_config(v)->sync.primary;
}

// Unsets sync.primary in the edited part. False: replied.
static bool primary_unset(struct verb *v)
{
	char why[CONFIG_WHY_MAX];
	const int rc = is_secondary(v) ? config_managed_unset(v->managed, "sync.primary", why) : 0;
	if (rc == 0 || rc == -EEXIST)
		return true;
	verb_fail(v, rc);
	return false;
}

// Moves the items of the shared part into the edited part. False: replied.
static bool items_move(struct verb *v)
{
	struct config_moved moved;
	char why[CONFIG_WHY_MAX];
	const int rc = config_shared_move(bundle_of(v), v->managed, &v->shared, &moved, why);
	if (rc == -EINVAL)
		verb_refuse(v, 500, "%s", why);
	else if (rc < 0)
		verb_fail(v, rc);
	if (rc < 0)
		return false;
	json_out_count(v->reply, verb_root(v), "moved", moved.items);
	json_out_text(v->reply, verb_root(v), "stays", moved.stays);
	return true;
}

static void box_out(struct verb *v)
{
	struct sync_status s;
	sync_status(v->api->deps.sync, &s);
	json_out_text(v->reply, verb_root(v), "box", s.box);
	json_out_count(v->reply, verb_root(v), "epoch", s.epoch);
}

static void on_promoted(void *arg, int err, const char *why)
{
	struct verb *v = arg;
	if (err < 0) {
		verb_refuse(v, 503, "not promoted: the state file: %s", why);
		return;
	}
	if (http_is_served(v->exchange)) // else the API may be closed
		box_out(v);
	verb_done(v);
}

static void promote(struct verb *v)
{
	const int rc = sync_promote(v->api->deps.sync, on_promoted, v);
	if (rc == -EPERM)
		verb_refuse(v, 409, "this box is a secondary again: try again");
	else if (rc == -ERANGE)
		verb_refuse(v, 409, "no epoch is left: remove <state_directory>/sync on all boxes");
	else if (rc == -EBUSY)
		verb_refuse(v, 503, "another promotion runs: try again");
	else if (rc < 0)
		verb_fail(v, rc);
}

// Will the version in force go from wave to wave once its health watch has ended? One whose health
// fell goes to no box, nor one that cannot be handed out.
static bool is_to_roll(const struct sync_status *s, const struct versions_status *now)
{
	const struct sync_rollout_kept *k = s->rollout.kept;
	const unsigned handed_out =
		k->state == SYNC_ROLLOUT_taken_back ? k->base_version : k->version;
	const bool has_fallen = !now->watch_left_s && now->in_force.result == CONFIG_VERSION_fallen;
	return s->rollout.n.waves > 1 && *k->base && now->in_force.number
	       && now->in_force.number != handed_out && !has_fallen && !*s->out_why;
}

// Refuses to promote a box whose version goes from wave to wave, or will: a promotion hands it to
// all boxes at once. Without boxes no wave goes on; so soon after a start nobody knows of any. A
// way back waits for ever while a later version is in force. False: replied.
static bool rollout_check(struct verb *v)
{
	struct sync_status s;
	sync_status(v->api->deps.sync, &s);
	const struct versions_status *now = v->api->deps.versions(v->api->deps.reload_arg);
	const struct sync_rollout_kept *k = s.rollout.kept;
	const bool is_open = k->state == SYNC_ROLLOUT_rolling || k->state == SYNC_ROLLOUT_stopped;
	const bool has_boxes = s.rollout.n.boxes > 0 || s.rollout.n.waits_ms > 0;
	const bool goes_back =
		k->goes_back && (now->watch_left_s || now->in_force.number == k->version);
	if (is_secondary(v))
		return true;
	if (!goes_back && has_boxes && is_to_roll(&s, now)) {
		verb_refuse(v, 409,
			"version %u is about to be rolled out, and a promotion would give it to "
			"all "
			"boxes at once: try again in %u s",
			now->in_force.number, now->watch_left_s + 2);
		return false;
	}
	if (!goes_back && !(is_open && has_boxes))
		return true;
	if (goes_back) {
		verb_refuse(v, 409,
			"version %u is being taken back, and a promotion would end that: wait "
			"until weirctl fleet status says that it is",
			k->version);
		return false;
	}
	verb_refuse(v, 409,
		"version %u is being rolled out, and a promotion would end that: end it before by "
		"weirctl fleet apply --all or weirctl fleet stop --back",
		k->version);
	return false;
}

// Makes this box the primary: unsets sync.primary, makes what came with the shared part editable,
// and raises the epoch.
static void serve_promote(struct api *a, struct http_exchange *x)
{
	struct verb *v = a->deps.sync ? verb_begin(a, x) : NULL;
	if (!a->deps.sync)
		http_reply(x, 500, NULL);
	if (!v || !rollout_check(v) || !primary_unset(v) || !items_move(v))
		return;
	v->applied = promote;
	v->is_kept = true;
	if (v->shared || is_secondary(v)) {
		verb_apply(v, "fleet promote");
		return;
	}
	http_defer(x, PROMOTE_MS);
	promote(v);
}

static void left(struct verb *v)
{
	box_out(v);
	verb_done(v);
}

// Ends that this box takes its configuration from a primary: it keeps what it has, or with
// `own_files` goes back to its own files.
static void serve_leave(struct api *a, struct http_exchange *x)
{
	bool own_files;
	if (!api_param_flag(x, "own_files", &own_files))
		return;
	struct verb *v = a->deps.sync ? verb_begin(a, x) : NULL;
	if (!a->deps.sync)
		http_reply(x, 500, NULL);
	if (!v || !primary_unset(v))
		return;
	if (own_files && bundle_of(v)->shared.bytes) {
		v->shared = heap_strdup("");
		if (!v->shared) {
			verb_fail(v, -ENOMEM);
			return;
		}
	} else if (!own_files && !items_move(v)) {
		return;
	}
	v->applied = left;
	v->is_kept = !own_files;
	if (v->shared || is_secondary(v))
		verb_apply(v, "fleet leave%s", own_files ? " --own-files" : "");
	else
		verb_absent(v, "this box has no sync.primary");
}

const struct api_part api_fleet_verbs_part = {
	.endpoint = {{"/fleet/promote", serve_promote, API_POST, CONTROL_ADMIN, "why if_version"},
		{"/fleet/leave", serve_leave, API_POST, CONTROL_ADMIN, "own_files why if_version"}},
};
