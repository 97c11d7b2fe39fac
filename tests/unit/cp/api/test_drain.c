// SPDX-License-Identifier: BSD-3-Clause
// The states of a drain, by time and by the connections that are left.

#include "controlplane/api/drain.h"
#include "tests/unit/unit.h"

static struct drain d;

static int fresh(void **)
{
	d = (struct drain){0};
	return 0;
}

TEST_WITH(ends_with_the_last_connection, fresh, NULL)
{
	assert_string_equal(drain_name(&d), "serving");
	assert_false(drain_see(&d, 1, 7));
	drain_begin(&d, 1000, 10);
	assert_string_equal(drain_name(&d), "draining");
	assert_false(drain_see(&d, 10999, 7));
	assert_int_equal(drain_grace_left_ms(&d, 10999), 1);
	assert_true(drain_see(&d, 11000, 0)); // counts nothing in the grace
	assert_int_equal(d.state, DRAIN_PARTS);
	assert_int_equal(drain_grace_left_ms(&d, 11000), 0);
	assert_false(drain_see(&d, 12000, 1));
	drain_begin(&d, 12500, 10); // the drain has gone further
	assert_int_equal(d.state, DRAIN_PARTS);
	assert_true(drain_see(&d, 13000, 0));
	assert_string_equal(drain_name(&d), "drained");
	assert_false(drain_see(&d, 99000, 3)); // clients that came meanwhile
	drain_begin(&d, 99000, 10);
	assert_int_equal(d.state, DRAIN_DONE);
}

TEST_WITH(ends_at_its_deadlines, fresh, NULL)
{
	drain_begin(&d, 1000, 3600);
	drain_begin(&d, 2000, 0); // another grace
	assert_true(drain_see(&d, 2000, 1));
	assert_false(drain_see(&d, 2000 + DRAIN_PART_MS - 1, 1));
	assert_true(drain_see(&d, 2000 + DRAIN_PART_MS, 1));
	assert_int_equal(d.state, DRAIN_CUTS);
	assert_string_equal(drain_name(&d), "draining");
	assert_false(drain_see(&d, 1999 + DRAIN_PART_MS + DRAIN_CUT_MS, 1));
	assert_true(drain_see(&d, 2000 + DRAIN_PART_MS + DRAIN_CUT_MS, 1));
	assert_int_equal(d.state, DRAIN_DONE);
}
