// SPDX-License-Identifier: BSD-3-Clause
// How long TCP connections to upstreams live.

#include "stream_rig.h"
#include "unit.h"

static void test_silence_ends_it(void **)
{
	answer_one(0, -1);
	clock_turn(UPSTREAM_STREAM_IDLE_MS - 100);
	assert_int_equal(streams().open, 1);
	clock_turn(200);
	assert_int_equal(streams().open, 0);
	assert_int_equal(streams().closed_idle, 1);
	wait_closed(rig.conn[0]);
}

// RFC 7828 3.4: as long as the server says, but not for ever.
static void test_the_server_says_for_how_long(void **)
{
	answer_one(0, 100); // 10 s
	clock_turn(8600);
	answer_one(0, -1);
	clock_turn(8600);
	assert_int_equal(streams().open, 1);
	clock_turn(300);
	assert_int_equal(streams().open, 0);
	answer_one(1, 65535);
	clock_turn(UPSTREAM_STREAM_TOLD_MS);
	assert_int_equal(streams().open, 0);
}

static void test_the_server_says_no_longer(void **)
{
	struct stream_query q[2];
	uint8_t out[700];

	ask_more(2);
	wait_conns(1);
	query_read(rig.conn[0], &q[0]);
	query_read(rig.conn[0], &q[1]);
	octets_send(rig.conn[0], out, reply_write(&q[0], 0, out));
	wait_done(1);
	answer_one(1, -1); // not on the first one
	assert_int_equal(streams().open, 2);
	reply(rig.conn[0], &q[1]);
	wait_done(3);
	assert_int_equal(replied(0, 3), 3);
	wait_closed(rig.conn[0]);
}

static void test_keep_alive_off(void **)
{
	rig.config.socket_uses = 1;
	stream_configure();
	for (unsigned i = 0; i < 5; i++) {
		answer_one(i, -1);
		wait_closed(rig.conn[i]);
	}
	assert_int_equal(streams().opened, 5);
	assert_int_equal(streams().reused, 0);
}

static void test_recycled_after_so_many(void **)
{
	rig.config.socket_uses = 3;
	stream_configure();
	for (unsigned i = 0; i < 9; i++)
		answer_one(i / 3, -1);
	assert_int_equal(streams().opened, 3);
}

// A server that leaves the list answers what it was asked.
static void test_a_server_that_leaves(void **)
{
	struct stream_query q;

	answer_one(0, -1);
	ask_more(1);
	query_read(rig.conn[0], &q);
	rig.config.server[0].address.port ^= 1;
	stream_configure();
	reply(rig.conn[0], &q);
	wait_done(2);
	assert_int_equal(replied(0, 2), 2);
	wait_closed(rig.conn[0]);
	assert_int_equal(streams().open, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, stream_rig_setup, stream_rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_silence_ends_it),
		T(test_the_server_says_for_how_long),
		T(test_the_server_says_no_longer),
		T(test_keep_alive_off),
		T(test_recycled_after_so_many),
		T(test_a_server_that_leaves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
