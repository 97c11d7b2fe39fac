// SPDX-License-Identifier: BSD-3-Clause
#include "sync_rollout.h"

#include <stdio.h>
#include <string.h>

const char *const sync_rollout_state_names[SYNC_ROLLOUT_STATES] = {
#define X(name, text) #name,
	SYNC_ROLLOUT_STATES(X)
#undef X
};

static bool is_target(const struct sync_rollout *r, const struct sync_box *b)
{
	return strcmp(b->report.digest, r->kept.target) == 0;
}

// The health held there, and clients get answers if they got them before.
static bool holds(const struct sync_rollout *r, const struct sync_box *b)
{
	return is_target(r, b) && b->report.result == SYNC_held
	       && (b->report.is_ready || !b->wave || !b->was_ready);
}

static bool has_refused(const struct sync_rollout *r, const struct sync_box *b)
{
	return is_target(r, b) && b->seen_ms >= b->offered_ms
	       && (b->report.result == SYNC_refused || b->report.result == SYNC_taken_back);
}

static bool is_present(const struct sync_box *b, uint64_t epoch, uint64_t now_ms)
{
	return !sync_box_is_away(b, now_ms) && b->report.epoch <= epoch;
}

static void state_set(struct sync_rollout *r, enum sync_rollout_state state, const char *box,
	const char *reason, uint64_t now_ms)
{
	r->kept.state = state;
	r->since_ms = now_ms;
	snprintf(r->kept.box, sizeof(r->kept.box), "%s", box);
	snprintf(r->kept.reason, sizeof(r->kept.reason), "%s", reason);
}

void sync_rollout_begin(
	struct sync_rollout *r, const struct sync_rollout_kept *kept, uint64_t now_ms)
{
	const unsigned wait_ms = *kept->base ? SYNC_ROLLOUT_WAIT_MS : SYNC_ROLLOUT_NEW_MS;
	*r = (struct sync_rollout){.kept = *kept, .since_ms = now_ms, .ready_ms = now_ms + wait_ms};
}

static void boxes_reset(struct sync_boxes *boxes, uint64_t now_ms)
{
	for (unsigned i = 0; boxes && i < boxes->count; i++) {
		boxes->box[i].wave = 0;
		boxes->box[i].offered_ms = now_ms; // refusals before do not count
		boxes->box[i].is_skipped = false;
	}
}

// All boxes may have the target.
static void done(struct sync_rollout *r, struct sync_boxes *boxes, uint64_t now_ms)
{
	struct sync_rollout_kept *k = &r->kept;
	for (unsigned i = 0; boxes && i < boxes->count; i++)
		boxes->box[i].was_ready = false;
	memcpy(k->base, k->target, sizeof(k->base));
	k->base_version = k->version;
	k->goes_back = false;
	state_set(r, SYNC_ROLLOUT_done, "", "", now_ms);
}

// The version that all boxes may have is handed out, maybe with another number.
static enum sync_rollout_step base_again(
	struct sync_rollout *r, struct sync_boxes *boxes, unsigned version, uint64_t now_ms)
{
	struct sync_rollout_kept *k = &r->kept;
	const bool is_over = k->state == SYNC_ROLLOUT_done || k->state == SYNC_ROLLOUT_taken_back;
	if (is_over && k->base_version == version && !k->goes_back)
		return SYNC_STEP_NONE;
	k->base_version = version;
	k->goes_back = false;
	if (k->state == SYNC_ROLLOUT_taken_back)
		return SYNC_STEP_NOTED;
	memcpy(k->target, k->base, sizeof(k->target));
	k->version = version;
	if (k->state != SYNC_ROLLOUT_done)
		done(r, boxes, now_ms);
	return SYNC_STEP_NOTED;
}

enum sync_rollout_step sync_rollout_target(struct sync_rollout *r, const struct config_waves *c,
	struct sync_boxes *boxes, unsigned version, const char *digest, uint64_t now_ms)
{
	struct sync_rollout_kept *k = &r->kept;
	const bool is_back = k->state == SYNC_ROLLOUT_taken_back && !k->goes_back;
	if (strcmp(digest, k->base) == 0)
		return base_again(r, boxes, version, now_ms);
	if (strcmp(digest, k->target) == 0 && !is_back) {
		const bool is_same = k->version == version;
		k->version = version;
		return is_same ? SYNC_STEP_NONE : SYNC_STEP_NOTED;
	}
	snprintf(k->target, sizeof(k->target), "%s", digest);
	k->version = version;
	k->wave = 1;
	k->goes_back = false;
	boxes_reset(boxes, now_ms);
	state_set(r, SYNC_ROLLOUT_rolling, "", "", now_ms);
	if (!c->count || !*k->base)
		done(r, boxes, now_ms);
	return SYNC_STEP_NOTED;
}

bool sync_rollout_may_have(
	const struct sync_rollout *r, const struct sync_box *box, const char *digest)
{
	return r->kept.state == SYNC_ROLLOUT_done || box->wave > 0
	       || strcmp(digest, r->kept.base) == 0;
}

// Waves.

// How many of `boxes` may have the version in a wave; `wave` counts from 1.
static unsigned wave_size(const struct config_waves *c, unsigned wave, unsigned boxes)
{
	unsigned most = 0;
	if (wave > c->count)
		return boxes;
	for (unsigned i = 0; i < wave; i++) {
		const unsigned n =
			c->one[i].is_percent ? (boxes * c->one[i].size + 99) / 100 : c->one[i].size;
		most = n > most ? n : most;
	}
	return most < boxes ? most : boxes;
}

static unsigned canary_rank(const struct config_waves *c, const struct sync_box *b)
{
	unsigned rank = 0;
	while (rank < c->canary_count && strcmp(c->canary[rank], b->report.box) != 0)
		rank++;
	return rank;
}

bool sync_rollout_has_box(
	const struct sync_boxes *boxes, const char *name, uint64_t epoch, uint64_t now_ms)
{
	for (unsigned i = 0; boxes && i < boxes->count; i++)
		if (strcmp(boxes->box[i].report.box, name) == 0
			&& is_present(&boxes->box[i], epoch, now_ms))
			return true;
	return false;
}

// Does `a` get the version before `b`?
static bool is_before(const struct sync_rollout *r, const struct config_waves *c,
	const struct sync_box *a, const struct sync_box *b)
{
	const unsigned rank_a = canary_rank(c, a), rank_b = canary_rank(c, b);
	if (is_target(r, a) != is_target(r, b))
		return is_target(r, a);
	if (rank_a != rank_b)
		return rank_a < rank_b;
	if (a->report.is_ready != b->report.is_ready)
		return a->report.is_ready;
	return strcmp(a->report.box, b->report.box) < 0;
}

// Lets one more box have the version. False: all have it.
static bool one_release(struct sync_rollout *r, const struct config_waves *c,
	struct sync_boxes *boxes, uint64_t epoch, uint64_t now_ms)
{
	struct sync_box *next = NULL;
	for (unsigned i = 0; i < boxes->count; i++) {
		struct sync_box *b = &boxes->box[i];
		if (!b->wave && is_present(b, epoch, now_ms) && (!next || is_before(r, c, b, next)))
			next = b;
	}
	if (!next)
		return false;
	next->wave = r->kept.wave;
	next->offered_ms = next->held_ms = now_ms;
	// A version before this one may have ended it; of a box that got this one from the run
	// before nobody knows.
	next->was_ready |= next->report.is_ready || is_target(r, next);
	return true;
}

static enum sync_rollout_step fail(struct sync_rollout *r, const struct sync_box *b,
	enum sync_rollout_state state, const char *reason, uint64_t now_ms)
{
	r->kept.goes_back = state == SYNC_ROLLOUT_taken_back;
	state_set(r, state, b->report.box, reason, now_ms);
	return SYNC_STEP_STOPPED;
}

// Looks for a box that has refused the version. A box may have got it before a restart of this one.
static enum sync_rollout_step refusals_look(
	struct sync_rollout *r, const struct sync_boxes *boxes, uint64_t epoch, uint64_t now_ms)
{
	char reason[SYNC_REASON_MAX + 1];
	for (unsigned i = 0; i < boxes->count; i++) {
		const struct sync_box *b = &boxes->box[i];
		if (b->is_skipped || !is_present(b, epoch, now_ms) || !has_refused(r, b))
			continue;
		snprintf(reason, sizeof(reason), "%s: %.*s",
			b->report.result == SYNC_refused ? "refused" : "taken back",
			SYNC_REASON_MAX - 16, b->report.reason);
		return fail(r, b, SYNC_ROLLOUT_taken_back, reason, now_ms);
	}
	return SYNC_STEP_NONE;
}

// The version is not in force on a box in time, which may say why it waits.
static enum sync_rollout_step late(
	struct sync_rollout *r, const struct sync_box *b, uint64_t now_ms)
{
	char reason[SYNC_REASON_MAX + 1];
	const bool has_it = is_target(r, b) && b->report.result == SYNC_held;
	snprintf(reason, sizeof(reason), "%s%s%.*s",
		has_it ? "clients have got no answers there for 3 minutes"
		       : "not in force there after 3 minutes",
		has_it || !*b->report.reason ? "" : ": ", SYNC_REASON_MAX - 64,
		has_it ? "" : b->report.reason);
	return fail(r, b, SYNC_ROLLOUT_stopped, reason, now_ms);
}

// Looks at one box that may have the version.
static enum sync_rollout_step box_look(struct sync_rollout *r, struct sync_box *b, uint64_t now_ms)
{
	if (holds(r, b))
		b->held_ms = now_ms;
	if (sync_box_is_away(b, now_ms))
		return fail(r, b, SYNC_ROLLOUT_stopped, "no poll for 90 s since it may have it",
			now_ms);
	return now_ms - b->held_ms >= SYNC_HOLD_MS ? late(r, b, now_ms) : SYNC_STEP_NONE;
}

// Looks at the boxes that may have the version.
static enum sync_rollout_step boxes_look(struct sync_rollout *r, struct sync_boxes *boxes,
	uint64_t epoch, uint64_t now_ms, bool *all_hold)
{
	*all_hold = true;
	for (unsigned i = 0; i < boxes->count; i++) {
		struct sync_box *b = &boxes->box[i];
		if (!b->wave || b->is_skipped || b->report.epoch > epoch
			|| sync_boxes_has_moved(boxes, i, now_ms))
			continue;
		const enum sync_rollout_step step = box_look(r, b, now_ms);
		if (step != SYNC_STEP_NONE)
			return step;
		*all_hold = *all_hold && holds(r, b);
	}
	return SYNC_STEP_NONE;
}

// Lets boxes have the version up to the size of the wave. True: at least one more has it.
static bool wave_fill(struct sync_rollout *r, const struct config_waves *c,
	struct sync_boxes *boxes, uint64_t epoch, uint64_t now_ms)
{
	struct sync_rollout_counts n;
	sync_rollout_count(r, c, boxes, epoch, now_ms, &n);
	const unsigned size = wave_size(c, r->kept.wave, n.boxes);
	bool is_more = false;
	while (n.released < size && one_release(r, c, boxes, epoch, now_ms)) {
		is_more = true;
		n.released++;
	}
	return is_more;
}

enum sync_rollout_step sync_rollout_look(struct sync_rollout *r, const struct config_waves *c,
	struct sync_boxes *boxes, uint64_t epoch, uint64_t now_ms)
{
	struct sync_rollout_kept *k = &r->kept;
	struct sync_rollout_counts n;
	bool all_hold;
	if (k->state != SYNC_ROLLOUT_rolling)
		return SYNC_STEP_NONE;
	enum sync_rollout_step step = refusals_look(r, boxes, epoch, now_ms);
	if (step != SYNC_STEP_NONE || now_ms < r->ready_ms)
		return step;
	step = boxes_look(r, boxes, epoch, now_ms, &all_hold);
	sync_rollout_count(r, c, boxes, epoch, now_ms, &n);
	if (step != SYNC_STEP_NONE || !n.boxes)
		return step;
	if (wave_fill(r, c, boxes, epoch, now_ms))
		return SYNC_STEP_WAVE;
	if (!all_hold)
		return SYNC_STEP_NONE;
	while (k->wave < n.waves) {
		k->wave++;
		if (wave_fill(r, c, boxes, epoch, now_ms))
			return SYNC_STEP_WAVE;
	}
	done(r, boxes, now_ms);
	return SYNC_STEP_DONE;
}

void sync_rollout_count(const struct sync_rollout *r, const struct config_waves *c,
	const struct sync_boxes *boxes, uint64_t epoch, uint64_t now_ms,
	struct sync_rollout_counts *out)
{
	*out = (struct sync_rollout_counts){.waves = c->count + 1};
	if (r->kept.state == SYNC_ROLLOUT_rolling && r->ready_ms > now_ms)
		out->waits_ms = r->ready_ms - now_ms;
	for (unsigned i = 0; boxes && i < boxes->count; i++) {
		const struct sync_box *b = &boxes->box[i];
		if (!is_present(b, epoch, now_ms))
			continue;
		out->boxes++;
		out->released += b->wave > 0 || r->kept.state == SYNC_ROLLOUT_done;
		out->held += holds(r, b);
	}
}

// The operator.

bool sync_rollout_stop(struct sync_rollout *r, bool back, const char *who, uint64_t now_ms)
{
	struct sync_rollout_kept *k = &r->kept;
	char reason[SYNC_REASON_MAX + 1];
	if (k->state != SYNC_ROLLOUT_rolling && (k->state != SYNC_ROLLOUT_stopped || !back))
		return false;
	if (k->state == SYNC_ROLLOUT_stopped) {
		k->state = SYNC_ROLLOUT_taken_back; // box and reason stay
		r->since_ms = now_ms;
	} else {
		snprintf(reason, sizeof(reason), "by %.80s", who);
		state_set(r, back ? SYNC_ROLLOUT_taken_back : SYNC_ROLLOUT_stopped, "", reason,
			now_ms);
	}
	k->goes_back = back;
	return true;
}

// Boxes at fault when one of them stopped the roll-out stop it no more. Others get their time
// again: an operator who stopped it has not seen their verdict.
static void box_continue(const struct sync_rollout *r, struct sync_box *b, uint64_t now_ms)
{
	const bool is_late = r->since_ms - b->held_ms >= SYNC_HOLD_MS;
	const bool is_at_fault = strcmp(b->report.box, r->kept.box) == 0 || has_refused(r, b)
				 || (b->wave && (is_late || sync_box_is_away(b, now_ms)));
	b->is_skipped = !holds(r, b) && (b->is_skipped || (*r->kept.box && is_at_fault));
	b->held_ms = now_ms;
}

bool sync_rollout_continue(struct sync_rollout *r, const struct config_waves *c,
	struct sync_boxes *boxes, bool all, uint64_t now_ms)
{
	struct sync_rollout_kept *k = &r->kept;
	if (k->state == SYNC_ROLLOUT_taken_back && !k->goes_back) {
		memcpy(k->target, k->base, sizeof(k->target));
		k->version = k->base_version;
		done(r, boxes, now_ms);
		return true;
	}
	if (k->state != SYNC_ROLLOUT_stopped && (k->state != SYNC_ROLLOUT_rolling || !all))
		return false;
	for (unsigned i = 0; boxes && i < boxes->count && k->state == SYNC_ROLLOUT_stopped; i++)
		box_continue(r, &boxes->box[i], now_ms);
	if (all) {
		k->wave = c->count + 1;
		r->ready_ms = now_ms;
	}
	if (k->state == SYNC_ROLLOUT_stopped)
		state_set(r, SYNC_ROLLOUT_rolling, "", "", now_ms);
	return true;
}

void sync_rollout_went_back(struct sync_rollout *r, const char *why, uint64_t now_ms)
{
	char box[SYNC_NAME_MAX + 1], reason[SYNC_REASON_MAX + 1];
	if (!why) {
		r->kept.goes_back = false;
		return;
	}
	memcpy(box, r->kept.box, sizeof(box));
	snprintf(reason, sizeof(reason), "%.120s; this box cannot go back: %.100s", r->kept.reason,
		why);
	r->kept.goes_back = false;
	state_set(r, SYNC_ROLLOUT_stopped, box, reason, now_ms);
}
