// SPDX-License-Identifier: BSD-3-Clause
#include "sync_waves.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

struct sync_waves {
	struct events *events;
	struct sync_waves_hooks hooks;
	struct event *timer;
	struct config_waves set;
	bool is_primary, is_applying;
	bool is_closing; // the apply frees it
	uint64_t epoch;
	struct sync_rollout rollout;
	unsigned back_from, back_to; // versions that the apply takes back, and goes back to
	uint64_t ended, stopped, back;
};

static void event_wave(struct sync_waves *w, const struct sync_rollout_counts *n)
{
	const struct sync_rollout_kept *k = &w->rollout.kept;
	char version[24], wave[24];
	snprintf(version, sizeof(version), "%u", k->version);
	snprintf(wave, sizeof(wave), "%u", k->wave);
	log_info("sync: version %s: wave %s of %u, %u of %u boxes may have it", version, wave,
		n->waves, n->released, n->boxes);
	events_add(w->events, EVENT_sync_wave, EVENT_FIELDS({"version", version}, {"wave", wave}),
		"version %s: wave %s of %u, %u of %u boxes may have it", version, wave, n->waves,
		n->released, n->boxes);
}

static void event_done(struct sync_waves *w, const struct sync_rollout_counts *n)
{
	const struct sync_rollout_kept *k = &w->rollout.kept;
	char version[24], wave[24];
	snprintf(version, sizeof(version), "%u", k->version);
	snprintf(wave, sizeof(wave), "%u", k->wave);
	w->ended++;
	log_info("sync: version %s may be on all boxes: %u of %u hold it", version, n->held,
		n->boxes);
	events_add(w->events, EVENT_sync_wave, EVENT_FIELDS({"version", version}, {"wave", wave}),
		"version %s may be on all boxes: %u of %u hold it", version, n->held, n->boxes);
}

static void event_stopped(struct sync_waves *w)
{
	const struct sync_rollout_kept *k = &w->rollout.kept;
	const bool is_back = k->state == SYNC_ROLLOUT_taken_back;
	const char *how = is_back ? "is taken back from all boxes" : "goes to no further box";
	const char *box = *k->box ? k->box : "an operator";
	char version[24];
	snprintf(version, sizeof(version), "%u", k->version);
	w->back += is_back;
	w->stopped += !is_back;
	log_warning("sync: version %s %s, because of %s: %s", version, how, box, k->reason);
	events_add(w->events, EVENT_sync_rollout_stopped,
		EVENT_FIELDS({"version", version}, {"box", k->box}, {"reason", k->reason}),
		"version %s %s, because of %s: %s", version, how, box, k->reason);
}

// Names canaries whose place others take: a name with a slip, or a box that is away.
static void canaries_warn(const struct sync_waves *w, const struct sync_boxes *boxes)
{
	for (unsigned i = 0; i < w->set.canary_count; i++)
		if (!sync_rollout_has_box(boxes, w->set.canary[i], w->epoch, clock_mono_ms()))
			log_warning("sync: version %u: no box %s of sync.canaries polls this one, "
				    "so another takes its place",
				w->rollout.kept.version, w->set.canary[i]);
}

static void step_tell(
	struct sync_waves *w, const struct sync_boxes *boxes, enum sync_rollout_step step)
{
	struct sync_rollout_counts n;
	if (step == SYNC_STEP_NONE)
		return;
	sync_rollout_count(&w->rollout, &w->set, boxes, w->epoch, clock_mono_ms(), &n);
	if (step == SYNC_STEP_WAVE && w->rollout.kept.wave == 1)
		canaries_warn(w, boxes);
	if (step == SYNC_STEP_WAVE)
		event_wave(w, &n);
	else if (step == SYNC_STEP_DONE)
		event_done(w, &n);
	else if (step == SYNC_STEP_STOPPED)
		event_stopped(w);
	w->hooks.save(w->hooks.look_arg);
}

// The way back: this box takes the version before in force again. Boxes get it at once, because its
// health held before.

static void way_back_failed(struct sync_waves *w, const char *why)
{
	sync_rollout_went_back(&w->rollout, why, clock_mono_ms());
	step_tell(w, NULL, SYNC_STEP_STOPPED);
}

static void went_back(void *arg, int err, const char *why, const char *)
{
	struct sync_waves *w = arg;
	char reason[CONFIG_VERSION_WHY_MAX];
	w->is_applying = false;
	if (w->is_closing) {
		heap_free(w);
		return;
	}
	if (err < 0) {
		way_back_failed(w, *why ? why : strerror(-err));
		return;
	}
	const struct sync_rollout_kept *k = &w->rollout.kept;
	snprintf(reason, sizeof(reason), "%s%s%s", k->box, *k->box ? ": " : "", k->reason);
	w->hooks.took_back(w->hooks.arg, w->back_to, w->back_from, reason);
	sync_rollout_went_back(&w->rollout, NULL, clock_mono_ms());
	(void)w->hooks.look(w->hooks.look_arg); // the version before is handed out from now on
	w->hooks.save(w->hooks.look_arg);
}

// Goes back unless this box has another version in force than the roll-out: that one becomes the
// next roll-out, or its health falls, and this box has the version of the roll-out again.
static void go_back(struct sync_waves *w)
{
	const struct sync_rollout_kept *k = &w->rollout.kept;
	const struct versions_status *v = w->hooks.versions(w->hooks.arg);
	char what[CONFIG_VERSION_WHAT_MAX], why[CONFIG_VERSION_WHY_MAX];
	if (w->is_applying || v->watch_left_s || v->in_force.number != k->version)
		return;
	if (!k->version || !k->base_version) {
		way_back_failed(w, "no version is stored");
		return;
	}
	snprintf(why, sizeof(why), "%s%s%s", k->box, *k->box ? ": " : "", k->reason);
	snprintf(what, sizeof(what), "take back version %u: %.50s", k->version,
		why); // for the audit log
	const struct apply_request r = {.who = "sync",
		.what = what,
		.why = why,
		.rollback_to = k->base_version,
		.is_internal = true};
	w->back_from = k->version;
	w->back_to = k->base_version;
	w->is_applying = true; // set before the apply, which may end at once
	const int rc = w->hooks.apply(w->hooks.arg, &r, went_back, w);
	if (rc == 0)
		return;
	w->is_applying = false;
	if (rc != -EBUSY) // else at a later look
		way_back_failed(w, strerror(-rc));
}

static void on_look(evutil_socket_t, short, void *arg)
{
	struct sync_waves *w = arg;
	struct sync_boxes *boxes = w->is_primary ? w->hooks.look(w->hooks.look_arg) : NULL;
	if (!boxes)
		return;
	step_tell(w, boxes,
		sync_rollout_look(&w->rollout, &w->set, boxes, w->epoch, clock_mono_ms()));
	if (w->rollout.kept.goes_back)
		go_back(w);
}

// The module as a whole.

int sync_waves_open(struct sync_waves **out, struct loop *service, struct events *events,
	const struct sync_waves_hooks *hooks, const struct sync_rollout_kept *kept)
{
	static const struct timeval every = {.tv_sec = 1};
	struct sync_waves *w = heap_calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->events = events;
	w->hooks = *hooks;
	w->timer = event_new(loop_base(service), -1, EV_PERSIST, on_look, w);
	if (!w->timer || event_add(w->timer, &every) < 0) {
		sync_waves_close(w);
		return -ENOMEM;
	}
	sync_rollout_begin(&w->rollout, kept, clock_mono_ms());
	*out = w;
	return 0;
}

void sync_waves_close(struct sync_waves *w)
{
	if (!w)
		return;
	if (w->timer)
		event_free(w->timer);
	w->timer = NULL;
	w->is_closing = w->is_applying;
	if (!w->is_closing)
		heap_free(w);
}

void sync_waves_forget(struct sync_waves *w)
{
	const struct sync_rollout_kept none = {0};
	sync_rollout_begin(&w->rollout, &none, clock_mono_ms());
}

void sync_waves_configure(struct sync_waves *w, const struct config_waves *c, bool is_primary)
{
	const struct sync_rollout_kept kept = w->rollout.kept;
	w->set = *c;
	if (!is_primary)
		sync_waves_forget(w);
	else if (!w->is_primary)
		sync_rollout_begin(&w->rollout, &kept, clock_mono_ms());
	w->is_primary = is_primary;
}

void sync_waves_epoch(struct sync_waves *w, uint64_t epoch)
{
	w->epoch = epoch;
}

const struct sync_rollout_kept *sync_waves_kept(const struct sync_waves *w)
{
	return &w->rollout.kept;
}

void sync_waves_target(struct sync_waves *w, struct sync_boxes *boxes, const struct sync_offer *o)
{
	step_tell(w, boxes,
		sync_rollout_target(
			&w->rollout, &w->set, boxes, o->version, o->digest, clock_mono_ms()));
}

bool sync_waves_may_have(
	const struct sync_waves *w, const struct sync_box *b, const struct sync_offer *o)
{
	return sync_rollout_may_have(&w->rollout, b, o->digest);
}

bool sync_waves_stop(struct sync_waves *w, bool back, const char *who)
{
	if (!sync_rollout_stop(&w->rollout, back, who, clock_mono_ms()))
		return false;
	step_tell(w, NULL, SYNC_STEP_STOPPED);
	return true;
}

bool sync_waves_continue(struct sync_waves *w, struct sync_boxes *boxes, bool all)
{
	if (!sync_rollout_continue(&w->rollout, &w->set, boxes, all, clock_mono_ms()))
		return false;
	step_tell(w, boxes, SYNC_STEP_NOTED);
	return true;
}

void sync_waves_status(
	const struct sync_waves *w, const struct sync_boxes *boxes, struct sync_waves_status *out)
{
	const uint64_t now_ms = clock_mono_ms();
	*out = (struct sync_waves_status){.kept = &w->rollout.kept,
		.since_ms = now_ms - w->rollout.since_ms,
		.ended = w->ended,
		.stopped = w->stopped,
		.back = w->back};
	sync_rollout_count(&w->rollout, &w->set, boxes, w->epoch, now_ms, &out->n);
}
