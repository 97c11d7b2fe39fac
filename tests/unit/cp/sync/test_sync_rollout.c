// SPDX-License-Identifier: BSD-3-Clause
// Waves of a roll-out by virtual time: who may have the version when, and what stops it.

#include "controlplane/sync/sync_rollout.h"
#include "tests/unit/unit.h"

#define BASE   "1111111111111111111111111111111111111111111111111111111111111111"
#define TARGET "2222222222222222222222222222222222222222222222222222222222222222"
#define NEXT   "3333333333333333333333333333333333333333333333333333333333333333"

enum { BOXES = 20 };

static struct sync_boxes boxes;
static struct sync_rollout rollout;
static struct config_waves waves;
static struct sync_rollout_counts counts;
static uint64_t now_ms;

static const char *name_of(unsigned i)
{
	static char name[16];
	snprintf(name, sizeof(name), "box%02u", i);
	return name;
}

static struct sync_box *box_of(unsigned i)
{
	const struct sync_box *b = sync_boxes_find(&boxes, name_of(i), "192.0.2.1");
	assert_non_null(b);
	return &boxes.box[b - boxes.box];
}

static const char *waits_why = ""; // of boxes that refuse nothing

static void report(unsigned i, const char *digest, enum sync_result result, bool is_ready)
{
	struct sync_report r = {.result = result, .is_ready = is_ready, .epoch = 1};
	snprintf(r.box, sizeof(r.box), "%s", name_of(i));
	snprintf(r.digest, sizeof(r.digest), "%s", digest);
	snprintf(r.reason, sizeof(r.reason), "%s",
		result >= SYNC_refused ? "no answers" : waits_why);
	sync_boxes_note(&boxes, &r, "192.0.2.1", "token x", now_ms, 0);
}

// Each box that may have the version takes it, and its health holds.
static void polls(void)
{
	for (unsigned i = 0; i < BOXES; i++)
		report(i, box_of(i)->wave ? rollout.kept.target : box_of(i)->report.digest,
			SYNC_held, true);
}

static enum sync_rollout_step target(unsigned version, const char *digest)
{
	return sync_rollout_target(&rollout, &waves, &boxes, version, digest, now_ms);
}

static enum sync_rollout_step look(void)
{
	now_ms += 1000;
	return sync_rollout_look(&rollout, &waves, &boxes, 1, now_ms);
}

static void count_is(unsigned wave, unsigned released, unsigned held)
{
	sync_rollout_count(&rollout, &waves, &boxes, 1, now_ms, &counts);
	assert_int_equal(rollout.kept.wave, wave);
	assert_int_equal(counts.released, released);
	assert_int_equal(counts.held, held);
}

static void state_is(enum sync_rollout_state state, const char *box, const char *reason)
{
	assert_string_equal(
		sync_rollout_state_names[rollout.kept.state], sync_rollout_state_names[state]);
	assert_string_equal(rollout.kept.box, box);
	if (!strstr(rollout.kept.reason, reason))
		fail_msg("no %s in %s", reason, rollout.kept.reason);
}

// 20 boxes hold the base, and boxes have polled since the start.
static int start(void **)
{
	memset(&boxes, 0, sizeof(boxes));
	waves = (struct config_waves){.count = 2, .one = {{1, false}, {25, true}}};
	now_ms = 1000000;
	sync_rollout_begin(&rollout, &(struct sync_rollout_kept){0}, now_ms);
	now_ms += SYNC_ROLLOUT_WAIT_MS;
	for (unsigned i = 0; i < BOXES; i++)
		report(i, BASE, SYNC_held, true);
	assert_int_equal(target(7, BASE), SYNC_STEP_NOTED); // the first version: no waves
	state_is(SYNC_ROLLOUT_done, "", "");
	assert_true(sync_rollout_may_have(&rollout, box_of(19), BASE));
	return 0;
}

static void wave_one(void)
{
	assert_int_equal(target(8, TARGET), SYNC_STEP_NOTED);
	state_is(SYNC_ROLLOUT_rolling, "", "");
	assert_false(sync_rollout_may_have(&rollout, box_of(0), TARGET));
	assert_int_equal(look(), SYNC_STEP_WAVE);
	count_is(1, 1, 0);
}

TEST_WITH(a_version_goes_from_wave_to_wave, start, NULL)
{
	wave_one();
	assert_true(sync_rollout_may_have(&rollout, box_of(0), TARGET));
	assert_false(sync_rollout_may_have(&rollout, box_of(1), TARGET));
	assert_int_equal(look(), SYNC_STEP_NONE); // the canary has not got it
	report(0, TARGET, SYNC_pending, true);
	assert_int_equal(look(), SYNC_STEP_NONE); // its health is watched
	polls();
	assert_int_equal(look(), SYNC_STEP_WAVE);
	count_is(2, 5, 1);
	polls();
	assert_int_equal(look(), SYNC_STEP_WAVE);
	count_is(3, 20, 5);
	assert_int_equal(counts.waves, 3);
	polls();
	report(19, TARGET, SYNC_pending, true);
	assert_int_equal(look(), SYNC_STEP_NONE);
	polls();
	assert_int_equal(look(), SYNC_STEP_DONE);
	state_is(SYNC_ROLLOUT_done, "", "");
	assert_string_equal(rollout.kept.base, TARGET);
	assert_int_equal(rollout.kept.base_version, 8);
	report(20, BASE, SYNC_held, true); // a box that comes later
	assert_true(sync_rollout_may_have(&rollout, box_of(20), TARGET));
}

TEST_WITH(canaries_come_first_then_boxes_that_are_ready, start, NULL)
{
	waves = (struct config_waves){
		.count = 3, .one = {{1, false}, {2, false}, {3, false}}, .canary_count = 2};
	snprintf(waves.canary[0], sizeof(waves.canary[0]), "box15");
	snprintf(waves.canary[1], sizeof(waves.canary[1]), "box09");
	report(0, BASE, SYNC_held, false);
	wave_one();
	assert_int_equal(box_of(15)->wave, 1);
	polls();
	report(0, BASE, SYNC_held, false);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	assert_int_equal(box_of(9)->wave, 2);
	polls();
	report(0, BASE, SYNC_held, false);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	assert_int_equal(box_of(0)->wave, 0);
	assert_int_equal(box_of(1)->wave, 3);
}

TEST_WITH(a_refusal_takes_the_version_back, start, NULL)
{
	wave_one();
	report(0, TARGET, SYNC_taken_back, true);
	assert_int_equal(look(), SYNC_STEP_STOPPED);
	state_is(SYNC_ROLLOUT_taken_back, "box00", "taken back: no answers");
	assert_true(rollout.kept.goes_back);
	assert_int_equal(rollout.kept.base_version, 7);
	assert_false(sync_rollout_may_have(&rollout, box_of(1), TARGET));
	sync_rollout_went_back(&rollout, NULL, now_ms);
	assert_int_equal(target(9, BASE), SYNC_STEP_NOTED); // this box has the base again
	assert_int_equal(target(9, BASE), SYNC_STEP_NONE);
	for (unsigned i = 0; i < BOXES; i++)
		assert_true(sync_rollout_may_have(&rollout, box_of(i), BASE));
	state_is(SYNC_ROLLOUT_taken_back, "box00", "no answers"); // until another version
	assert_int_equal(rollout.kept.base_version, 9);
	assert_int_equal(look(), SYNC_STEP_NONE);
	assert_int_equal(target(10, TARGET), SYNC_STEP_NOTED); // the same text once more
	state_is(SYNC_ROLLOUT_rolling, "", "");
	assert_int_equal(look(), SYNC_STEP_WAVE);
	assert_int_equal(look(), SYNC_STEP_NONE); // the refusal was before
}

TEST_WITH(an_operator_leaves_it_at_the_version_before, start, NULL)
{
	wave_one();
	report(0, TARGET, SYNC_refused, true);
	assert_int_equal(look(), SYNC_STEP_STOPPED);
	assert_false(sync_rollout_continue(&rollout, &waves, &boxes, false, now_ms)); // not back
	sync_rollout_went_back(&rollout, NULL, now_ms);
	assert_int_equal(target(9, BASE), SYNC_STEP_NOTED);
	assert_true(sync_rollout_continue(&rollout, &waves, &boxes, false, now_ms));
	state_is(SYNC_ROLLOUT_done, "", "");
	assert_string_equal(rollout.kept.target, BASE);
	assert_int_equal(rollout.kept.version, 9);
	assert_int_equal(target(9, BASE), SYNC_STEP_NONE);
	assert_false(sync_rollout_continue(&rollout, &waves, &boxes, false, now_ms));
	assert_int_equal(target(10, TARGET), SYNC_STEP_NOTED); // the same text once more
	state_is(SYNC_ROLLOUT_rolling, "", "");
}

TEST_WITH(a_way_back_that_fails_stops_the_rollout, start, NULL)
{
	wave_one();
	report(0, TARGET, SYNC_refused, true);
	assert_int_equal(look(), SYNC_STEP_STOPPED);
	sync_rollout_went_back(&rollout, "no version 7", now_ms);
	state_is(SYNC_ROLLOUT_stopped, "box00",
		"refused: no answers; this box cannot go back: no version 7");
	assert_false(rollout.kept.goes_back);
}

TEST_WITH(a_silent_box_stops_it_and_an_operator_continues, start, NULL)
{
	wave_one();
	for (unsigned s = 0; s < SYNC_BOX_AWAY_MS / 1000 - 2; s++) {
		assert_int_equal(look(), SYNC_STEP_NONE);
		for (unsigned i = 1; i < BOXES; i++)
			report(i, BASE, SYNC_held, true);
	}
	assert_int_equal(look(), SYNC_STEP_STOPPED);
	state_is(SYNC_ROLLOUT_stopped, "box00", "no poll");
	assert_int_equal(look(), SYNC_STEP_NONE);
	assert_true(sync_rollout_continue(&rollout, &waves, &boxes, false, now_ms));
	state_is(SYNC_ROLLOUT_rolling, "", "");
	assert_int_equal(look(), SYNC_STEP_WAVE); // the next one is the canary
	assert_int_equal(box_of(1)->wave, 1);
	report(0, BASE, SYNC_held, true);
	report(1, TARGET, SYNC_held, true);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	count_is(2, 5, 1);
}

// An operator who stopped it has not seen what the canary makes of it.
TEST_WITH(a_box_with_another_address_stops_nothing, start, NULL)
{
	wave_one();
	struct sync_report r = {.box = "box00", .result = SYNC_pending, .is_ready = true};
	snprintf(r.digest, sizeof(r.digest), "%s", TARGET);
	for (unsigned s = 0; s < SYNC_BOX_AWAY_MS / 1000; s++) {
		sync_boxes_note(&boxes, &r, "192.0.2.9", "token x", now_ms, 0);
		for (unsigned i = 1; i < BOXES; i++)
			report(i, BASE, SYNC_held, true);
		assert_int_equal(look(), SYNC_STEP_NONE);
	}
	r.result = SYNC_held;
	sync_boxes_note(&boxes, &r, "192.0.2.9", "token x", now_ms, 0);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	assert_int_equal(rollout.kept.wave, 2);
}

TEST_WITH(a_box_still_at_it_is_waited_for_after_a_stop, start, NULL)
{
	wave_one();
	report(0, TARGET, SYNC_pending, true);
	assert_true(sync_rollout_stop(&rollout, false, "uid 0", now_ms));
	for (unsigned s = 0; s < 2 * SYNC_HOLD_MS / 1000; s++) {
		assert_int_equal(look(), SYNC_STEP_NONE);
		for (unsigned i = 0; i < BOXES; i++)
			report(i, i ? BASE : TARGET, i ? SYNC_held : SYNC_pending, true);
	}
	assert_true(sync_rollout_continue(&rollout, &waves, &boxes, false, now_ms));
	assert_int_equal(look(), SYNC_STEP_NONE);
	count_is(1, 1, 0);
	report(0, TARGET, SYNC_taken_back, true);
	assert_int_equal(look(), SYNC_STEP_STOPPED);
	state_is(SYNC_ROLLOUT_taken_back, "box00", "taken back");
}

TEST_WITH(a_refusal_during_a_stop_counts_once_it_goes_on, start, NULL)
{
	wave_one();
	assert_true(sync_rollout_stop(&rollout, false, "uid 0", now_ms));
	report(0, TARGET, SYNC_refused, true);
	assert_int_equal(look(), SYNC_STEP_NONE);
	assert_true(sync_rollout_continue(&rollout, &waves, &boxes, false, now_ms));
	assert_int_equal(look(), SYNC_STEP_STOPPED);
	state_is(SYNC_ROLLOUT_taken_back, "box00", "refused");
}

TEST_WITH(boxes_that_refused_with_the_one_that_stopped_it_are_left, start, NULL)
{
	waves = (struct config_waves){.count = 1, .one = {{2, false}}};
	assert_int_equal(target(8, TARGET), SYNC_STEP_NOTED);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	report(0, TARGET, SYNC_refused, true);
	report(1, TARGET, SYNC_refused, true);
	assert_int_equal(look(), SYNC_STEP_STOPPED);
	sync_rollout_went_back(&rollout, "no version 7", now_ms);
	state_is(SYNC_ROLLOUT_stopped, "box00", "cannot go back");
	assert_true(sync_rollout_continue(&rollout, &waves, &boxes, false, now_ms));
	assert_int_equal(look(), SYNC_STEP_WAVE);
	count_is(2, 20, 0);
}

TEST_WITH(a_box_that_does_not_hold_it_stops_it, start, NULL)
{
	wave_one();
	for (unsigned s = 1; s < SYNC_HOLD_MS / 1000; s++) {
		for (unsigned i = 0; i < BOXES; i++)
			report(i, i ? BASE : TARGET, SYNC_held, i > 0); // no longer ready
		assert_int_equal(look(), SYNC_STEP_NONE);
	}
	assert_int_equal(look(), SYNC_STEP_STOPPED);
	state_is(SYNC_ROLLOUT_stopped, "box00", "no answers there for 3 minutes");
}

TEST_WITH(a_box_that_cannot_take_it_stops_it_and_says_why, start, NULL)
{
	wave_one();
	waits_why = "no space";
	for (unsigned s = 0; s < SYNC_HOLD_MS / 1000; s++) {
		for (unsigned i = 0; i < BOXES; i++)
			report(i, BASE, SYNC_held, true);
		(void)look();
	}
	waits_why = "";
	state_is(SYNC_ROLLOUT_stopped, "box00", "not in force there after 3 minutes: no space");
}

TEST_WITH(a_box_that_was_not_ready_before_need_not_be, start, NULL)
{
	for (unsigned i = 0; i < BOXES; i++)
		report(i, BASE, SYNC_held, false);
	wave_one();
	report(0, TARGET, SYNC_held, false);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	count_is(2, 5, 1);
}

// The first change ended its answers; that it is silent before the second one excuses nothing.
TEST_WITH(a_box_that_a_change_before_silenced_must_be_ready, start, NULL)
{
	wave_one();
	report(0, TARGET, SYNC_held, false);
	assert_int_equal(look(), SYNC_STEP_NONE);
	waves.canary_count = 1;
	snprintf(waves.canary[0], sizeof(waves.canary[0]), "box00");
	assert_int_equal(target(9, NEXT), SYNC_STEP_NOTED);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	report(0, NEXT, SYNC_held, false);
	assert_int_equal(look(), SYNC_STEP_NONE);
	report(0, NEXT, SYNC_held, true);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	polls();
	assert_int_equal(look(), SYNC_STEP_WAVE);
	polls();
	assert_int_equal(look(), SYNC_STEP_DONE);
	assert_false(box_of(0)->was_ready); // the next roll-out looks again
}

TEST_WITH(a_box_of_the_run_before_must_be_ready, start, NULL)
{
	wave_one();
	const struct sync_rollout_kept kept = rollout.kept;
	memset(&boxes, 0, sizeof(boxes));
	sync_rollout_begin(&rollout, &kept, now_ms);
	now_ms = rollout.ready_ms;
	for (unsigned i = 0; i < BOXES; i++)
		report(i, i ? BASE : TARGET, SYNC_held, i > 0);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	assert_int_equal(box_of(0)->wave, 1);
	assert_int_equal(look(), SYNC_STEP_NONE);
}

TEST_WITH(a_new_change_replaces_the_target_and_the_base_stays, start, NULL)
{
	wave_one();
	polls();
	assert_int_equal(look(), SYNC_STEP_WAVE);
	assert_int_equal(target(9, NEXT), SYNC_STEP_NOTED);
	count_is(1, 0, 0);
	assert_string_equal(rollout.kept.base, BASE);
	assert_int_equal(rollout.kept.base_version, 7);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	count_is(1, 1, 0);
	assert_int_equal(target(10, BASE), SYNC_STEP_NOTED); // the operator goes back
	state_is(SYNC_ROLLOUT_done, "", "");
	assert_int_equal(rollout.kept.base_version, 10);
}

TEST_WITH(another_number_of_the_same_text_is_no_rollout, start, NULL)
{
	assert_int_equal(target(8, BASE), SYNC_STEP_NOTED);
	state_is(SYNC_ROLLOUT_done, "", "");
	assert_int_equal(rollout.kept.base_version, 8);
	assert_int_equal(target(8, BASE), SYNC_STEP_NONE);
	assert_int_equal(target(9, TARGET), SYNC_STEP_NOTED);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	assert_int_equal(target(10, TARGET), SYNC_STEP_NOTED);
	count_is(1, 1, 0);
	assert_int_equal(rollout.kept.version, 10);
}

TEST_WITH(without_waves_all_have_it_at_once, start, NULL)
{
	waves.count = 0;
	assert_int_equal(target(8, TARGET), SYNC_STEP_NOTED);
	state_is(SYNC_ROLLOUT_done, "", "");
	report(0, TARGET, SYNC_refused, true);
	assert_int_equal(look(), SYNC_STEP_NONE);
}

TEST_WITH(a_restart_waits_for_boxes_and_goes_on, start, NULL)
{
	wave_one();
	polls();
	assert_int_equal(look(), SYNC_STEP_WAVE);
	count_is(2, 5, 1);
	const struct sync_rollout_kept kept = rollout.kept;
	for (unsigned i = 0; i < BOXES; i++) // box 12 took it, too
		report(i, i == 12 || i == 0 ? TARGET : BASE, SYNC_held, true);
	for (unsigned i = 0; i < BOXES; i++)
		boxes.box[i].wave = 0;
	sync_rollout_begin(&rollout, &kept, now_ms);
	for (unsigned s = 1; s < SYNC_ROLLOUT_WAIT_MS / 1000; s++) {
		assert_int_equal(look(), SYNC_STEP_NONE);
		count_is(2, 0, 2);
		assert_int_equal(counts.waits_ms, SYNC_ROLLOUT_WAIT_MS - s * 1000);
	}
	assert_int_equal(target(8, TARGET), SYNC_STEP_NONE);
	assert_int_equal(look(), SYNC_STEP_WAVE);
	count_is(2, 5, 2);
	assert_int_equal(counts.waits_ms, 0);
	assert_int_equal(box_of(12)->wave, 2);
	assert_int_equal(box_of(4)->wave, 0); // five have it: 0, 12 and the next by name
}

// No poll of a box that waits after many failures is missed.
TEST_WITH(a_restart_waits_longer_than_a_box_that_backs_off, start, NULL)
{
	wave_one();
	const struct sync_rollout_kept kept = rollout.kept;
	sync_rollout_begin(&rollout, &kept, now_ms);
	assert_true(rollout.ready_ms > now_ms + SYNC_BACKOFF_MAX_MS);
	const struct sync_rollout_kept none = {0};
	sync_rollout_begin(&rollout, &none, now_ms);
	assert_true(rollout.ready_ms < now_ms + SYNC_BACKOFF_MAX_MS);
}

// The canary of the run before refuses before it is in a wave of this run.
TEST_WITH(a_refusal_after_a_restart_counts_at_once, start, NULL)
{
	wave_one();
	const struct sync_rollout_kept kept = rollout.kept;
	memset(&boxes, 0, sizeof(boxes));
	sync_rollout_begin(&rollout, &kept, now_ms);
	report(3, TARGET, SYNC_pending, true);
	assert_int_equal(look(), SYNC_STEP_NONE);
	report(3, TARGET, SYNC_taken_back, true);
	assert_int_equal(look(), SYNC_STEP_STOPPED);
	state_is(SYNC_ROLLOUT_taken_back, "box03", "taken back: no answers");
}

TEST_WITH(a_refusal_by_a_box_of_no_wave_counts, start, NULL)
{
	report(5, TARGET, SYNC_refused, true); // of a try before
	now_ms += 1000;
	wave_one();
	assert_int_equal(look(), SYNC_STEP_NONE);
	report(5, TARGET, SYNC_refused, true);
	assert_int_equal(look(), SYNC_STEP_STOPPED);
	state_is(SYNC_ROLLOUT_taken_back, "box05", "refused");
}

TEST_WITH(an_operator_stops_it_and_takes_it_back, start, NULL)
{
	assert_false(sync_rollout_stop(&rollout, false, "uid 0", now_ms));
	assert_false(sync_rollout_continue(&rollout, &waves, &boxes, true, now_ms));
	wave_one();
	assert_true(sync_rollout_stop(&rollout, false, "uid 0", now_ms));
	state_is(SYNC_ROLLOUT_stopped, "", "by uid 0");
	polls();
	assert_int_equal(look(), SYNC_STEP_NONE);
	count_is(1, 1, 1);
	assert_false(sync_rollout_stop(&rollout, false, "uid 0", now_ms));
	assert_true(sync_rollout_stop(&rollout, true, "uid 0", now_ms));
	state_is(SYNC_ROLLOUT_taken_back, "", "by uid 0");
	assert_true(rollout.kept.goes_back);
}

TEST_WITH(an_operator_lets_all_have_it, start, NULL)
{
	wave_one();
	assert_true(sync_rollout_continue(&rollout, &waves, &boxes, true, now_ms));
	assert_int_equal(look(), SYNC_STEP_WAVE);
	count_is(3, 20, 0);
}

TEST_WITH(a_canary_that_does_not_poll_is_missed, start, NULL)
{
	assert_true(sync_rollout_has_box(&boxes, "box15", 1, now_ms));
	assert_false(sync_rollout_has_box(&boxes, "bok15", 1, now_ms));
	assert_false(sync_rollout_has_box(&boxes, "box15", 0, now_ms)); // it follows another
	assert_false(sync_rollout_has_box(&boxes, "box15", 1, now_ms + SYNC_BOX_AWAY_MS));
	assert_false(sync_rollout_has_box(NULL, "box15", 1, now_ms));
}

TEST_WITH(boxes_that_are_away_or_follow_another_do_not_count, start, NULL)
{
	for (unsigned i = 0; i < BOXES; i++)
		box_of(i)->report.epoch = i < 10 ? 1 : 2;
	wave_one();
	sync_rollout_count(&rollout, &waves, &boxes, 1, now_ms, &counts);
	assert_int_equal(counts.boxes, 10);
	now_ms += SYNC_BOX_AWAY_MS;
	sync_rollout_count(&rollout, &waves, &boxes, 1, now_ms, &counts);
	assert_int_equal(counts.boxes, 0);
}
