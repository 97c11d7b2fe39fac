// SPDX-License-Identifier: BSD-3-Clause
//
// A spool disk that hangs: the log thread and the service loop still get their counts.

#include "clickhouse_rig.h"
#include "tests/unit/unit.h"

#include <sys/syscall.h>

static atomic_bool hangs, is_hung;

// In place of the C library's.
int fsync(int fd)
{
	is_hung = hangs;
	WAIT_FOR(!hangs);
	is_hung = false;
	return (int)syscall(SYS_fsync, fd);
}

TEST_WITH(test_counts_do_not_wait_for_the_disk, clickhouse_rig_open, clickhouse_rig_close)
{
	struct querylog_held held;
	hangs = true;
	SINK_OPEN(fault, FAKE_ERROR);
	feed(1, 50);
	WAIT_FOR(is_hung);
	clickhouse_status(sink, &status);
	struct querylog_sink s = clickhouse_sink(sink);
	s.held(s.arg, &held);
	assert_true(is_hung);
	assert_true(status.held_rows >= 50);
	assert_true(held.rows >= 50);
	assert_int_equal(held.lost_rows, 0);
	feed(1, 20); // the queue takes them
	assert_true(is_hung);
	hangs = false;
	until(is_failing_and_spooled);
	fault_set(FAKE_WELL);
	expect_sent_once();
}
