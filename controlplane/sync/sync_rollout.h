// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The roll-out of a primary's version to its secondaries, wave after wave: which of them may have
// the version, when the next ones may, and when it ends, stops or is taken back. A wave ends once
// each box that may have the version holds it.
//
// Pure, by virtual time: the state that a restart must not forget, and decisions about the table of
// secondaries, whose rows say which wave they are in. The service loop's thread.

#include "sync_boxes.h"

#include <weir/config.h>

enum {
	SYNC_HOLD_MS = 3 * 60 * 1000, // a box that may have the version holds it within
	// No wave begins for so long, until all boxes have polled: of a new primary, and after a
	// start of one whose boxes may be waiting after polls that failed.
	SYNC_ROLLOUT_NEW_MS = (SYNC_WAIT_S + 5) * 1000,
	SYNC_ROLLOUT_WAIT_MS = SYNC_BACKOFF_MAX_MS + 10 * 1000,
};

// X(name, text)
#define SYNC_ROLLOUT_STATES(X)                                       \
	X(done, "all boxes may have the version")                    \
	X(rolling, "wave after wave gets the version")               \
	X(stopped, "no further box gets the version")                \
	X(taken_back, "a box refused the version, or took it back; " \
		      "the primary goes back, and all boxes with it")

enum sync_rollout_state {
#define X(name, text) SYNC_ROLLOUT_##name,
	SYNC_ROLLOUT_STATES(X)
#undef X
		SYNC_ROLLOUT_STATES
};
extern const char *const sync_rollout_state_names[SYNC_ROLLOUT_STATES];

struct sync_rollout_kept { // over a restart
	enum sync_rollout_state state;
	unsigned wave;                    // counts from 1; 0: no roll-out so far
	unsigned version, base_version;   // numbers of this box's versions; 0: not stored
	char target[SYNC_DIGEST_LEN + 1]; // digest of the version that is rolled out
	char base[SYNC_DIGEST_LEN + 1];   // digest that all boxes may have; "": no version so far
	bool goes_back;                   // this box is still to go back to `base_version`
	char box[SYNC_NAME_MAX + 1];      // the box that stopped it; "": an operator, or it goes on
	char reason[SYNC_REASON_MAX + 1];
};

struct sync_rollout {
	struct sync_rollout_kept kept;
	uint64_t since_ms; // clock_mono_ms of the last change of the state
	uint64_t ready_ms; // no wave begins before; a refusal counts at once
};

// What came of a look or a new version. The caller saves `kept` unless it is NONE.
enum sync_rollout_step {
	SYNC_STEP_NONE,
	SYNC_STEP_NOTED,   // `kept` has changed
	SYNC_STEP_WAVE,    // a wave has begun
	SYNC_STEP_DONE,    // all boxes hold the version
	SYNC_STEP_STOPPED, // `kept.reason` says why, `kept.goes_back` whether it is taken back
};

// `kept`: of the run before.
void sync_rollout_begin(
	struct sync_rollout *r, const struct sync_rollout_kept *kept, uint64_t now_ms);
// This box hands out version `version` with this digest. A digest that is new begins a roll-out;
// without waves, and without a version before it, all boxes may have it at once.
enum sync_rollout_step sync_rollout_target(struct sync_rollout *r, const struct config_waves *c,
	struct sync_boxes *boxes, unsigned version, const char *digest, uint64_t now_ms);
// May the box have the version with this digest, which is handed out?
ATTR_MUST_CHECK bool sync_rollout_may_have(
	const struct sync_rollout *r, const struct sync_box *box, const char *digest);
// Looks whether a box has refused the version or is silent, and else whether the next boxes may
// have it. A refusal by a box that had the version before counts, too. Called each second. `epoch`:
// this box's; boxes with a higher one do not count.
enum sync_rollout_step sync_rollout_look(struct sync_rollout *r, const struct config_waves *c,
	struct sync_boxes *boxes, uint64_t epoch, uint64_t now_ms);

// Does a box with this name poll, and count? Else others take the place of a canary.
ATTR_MUST_CHECK bool sync_rollout_has_box(
	const struct sync_boxes *boxes, const char *name, uint64_t epoch, uint64_t now_ms);

// An operator stops the roll-out, or with `back` takes it back. False: no roll-out goes on.
ATTR_MUST_CHECK bool sync_rollout_stop(
	struct sync_rollout *r, bool back, const char *who, uint64_t now_ms);
// An operator continues a roll-out that is stopped; `all`: with all boxes at once, also one that
// goes on. Ends one that was taken back, once this box is back: it is done, with the version
// before. If a box stopped it, that one no longer does, nor another that refused, is away or late.
// False: no roll-out is stopped or taken back.
ATTR_MUST_CHECK bool sync_rollout_continue(struct sync_rollout *r, const struct config_waves *c,
	struct sync_boxes *boxes, bool all, uint64_t now_ms);
// The way back has ended. `why` NULL: this box is back; else it failed, and the roll-out stops.
void sync_rollout_went_back(struct sync_rollout *r, const char *why, uint64_t now_ms);

struct sync_rollout_counts {
	unsigned waves;
	unsigned boxes, released, held; // that are not away; may have the version; hold it
	uint64_t waits_ms; // until a wave begins: so soon after a start nobody knows who has what
};
void sync_rollout_count(const struct sync_rollout *r, const struct config_waves *c,
	const struct sync_boxes *boxes, uint64_t epoch, uint64_t now_ms,
	struct sync_rollout_counts *out);
