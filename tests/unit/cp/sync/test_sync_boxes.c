// SPDX-License-Identifier: BSD-3-Clause
// The table of a primary's secondaries: its bound, twins, and boxes that are away or long gone.

#include "controlplane/sync/sync_boxes.h"
#include "tests/unit/unit.h"

static struct sync_boxes boxes;

static void poll_by(const char *name, const char *from, const char *who, uint64_t now_ms)
{
	struct sync_report r = {.unix_ms = 5000};
	snprintf(r.box, sizeof(r.box), "%s", name);
	sync_boxes_note(&boxes, &r, from, who, now_ms, 3000);
}

static void poll_of(const char *name, const char *from, uint64_t now_ms)
{
	poll_by(name, from, "token fleet", now_ms);
}

static int start(void **)
{
	memset(&boxes, 0, sizeof(boxes));
	return 0;
}

TEST_WITH(a_box_has_one_row, start, NULL)
{
	poll_of("box2", "192.0.2.2", 1000);
	poll_of("box2", "192.0.2.2", 2000);
	assert_int_equal(boxes.count, 1);
	assert_int_equal(boxes.box[0].seen_ms, 2000);
	assert_int_equal(boxes.box[0].clock_ms, 2000);
	assert_false(sync_box_is_away(&boxes.box[0], 2000 + SYNC_BOX_AWAY_MS - 1));
	assert_true(sync_box_is_away(&boxes.box[0], 2000 + SYNC_BOX_AWAY_MS));
}

TEST_WITH(two_boxes_with_one_name_are_twins_while_both_poll, start, NULL)
{
	poll_of("box2", "192.0.2.2", 1000);
	poll_of("box3", "192.0.2.3", 1000);
	poll_of("box2", "192.0.2.4", 1000);
	assert_int_equal(boxes.count, 3);
	assert_true(sync_boxes_has_twin(&boxes, 0, 1000));
	assert_false(sync_boxes_has_twin(&boxes, 1, 1000));
	assert_true(sync_boxes_has_twin(&boxes, 2, 1000));
	poll_of("box2", "192.0.2.4", 1000 + SYNC_BOX_AWAY_MS);
	assert_false(sync_boxes_has_twin(&boxes, 2, 1000 + SYNC_BOX_AWAY_MS));
}

TEST_WITH(a_box_with_another_address_keeps_its_wave, start, NULL)
{
	poll_of("box2", "192.0.2.2", 1000);
	boxes.box[0].wave = 2;
	boxes.box[0].offered_ms = boxes.box[0].held_ms = 900;
	boxes.box[0].was_ready = true;
	poll_of("box2", "192.0.2.4", 2000);
	poll_by("box2", "192.0.2.5", "token other", 2000); // not the same box
	assert_int_equal(boxes.box[1].wave, 2);
	assert_int_equal(boxes.box[1].offered_ms, 900);
	assert_int_equal(boxes.box[1].held_ms, 900);
	assert_true(boxes.box[1].was_ready);
	assert_int_equal(boxes.box[1].first_ms, 1000);
	assert_int_equal(boxes.box[2].wave, 0);
	assert_int_equal(boxes.box[2].first_ms, 2000);
	poll_of("box2", "192.0.2.6", 3000); // which of two is it?
	assert_int_equal(boxes.box[3].wave, 0);
	assert_false(sync_boxes_has_moved(&boxes, 0, 3000));
	assert_true(sync_boxes_has_moved(&boxes, 0, 1000 + SYNC_BOX_AWAY_MS));
	assert_false(sync_boxes_has_moved(&boxes, 3, 3000 + SYNC_BOX_AWAY_MS));
	assert_false(sync_boxes_has_moved(&boxes, 2, 3000 + SYNC_BOX_AWAY_MS));
}

TEST_WITH(the_box_not_seen_for_longest_makes_room, start, NULL)
{
	char name[16];
	for (unsigned i = 0; i <= SYNC_BOXES_MAX; i++) {
		snprintf(name, sizeof(name), "box%u", i);
		poll_of(name, "192.0.2.2", 1000 + i);
	}
	assert_int_equal(boxes.count, SYNC_BOXES_MAX);
	assert_int_equal(boxes.evicted, 1);
	for (unsigned i = 0; i < boxes.count; i++)
		assert_string_not_equal(boxes.box[i].report.box, "box0");
}

// Names that one token invents take the rows of no other token.
TEST_WITH(invented_names_evict_their_own, start, NULL)
{
	char name[16];
	poll_by("box2", "192.0.2.2", "token box2", 1000);
	poll_by("box3", "192.0.2.3", "token box3", 1001);
	poll_by("box4", "192.0.2.4", "token box3", 1002);
	for (unsigned i = 0; i < 2 * SYNC_BOXES_MAX; i++) {
		snprintf(name, sizeof(name), "x%u", i);
		poll_by(name, "192.0.2.9", "token box9", 2000 + i);
	}
	assert_int_equal(boxes.count, SYNC_BOXES_MAX);
	assert_string_equal(boxes.box[0].report.box, "box2");
	assert_string_equal(boxes.box[1].report.box, "box3");
	assert_string_equal(boxes.box[2].report.box, "box4");
	poll_by("box5", "192.0.2.5", "token box5", 3000); // nor keep them from a row
	unsigned found = 0;
	for (unsigned i = 0; i < boxes.count; i++)
		found += strcmp(boxes.box[i].report.box, "box5") == 0;
	assert_int_equal(found, 1);
}

TEST_WITH(a_box_goes_after_its_time, start, NULL)
{
	poll_of("box2", "192.0.2.2", 1000);
	poll_of("box3", "192.0.2.3", 2000);
	poll_of("box4", "192.0.2.4", 1000 + SYNC_BOX_LIFE_MS);
	assert_int_equal(boxes.count, 2);
}
