// SPDX-License-Identifier: BSD-3-Clause
// A socket sends the query where a worker does not take it, refuses it or dies.

#include "port_rig.h"

#include <sys/resource.h>

TEST_WITH(test_no_worker_takes_it, port_rig_setup, port_rig_teardown)
{
	worker.full = -EAGAIN;
	ANSWERED(5000);
	assert_int_equal(port_stats().unsent, 1);
	assert_int_equal(port_stats().open, 0);
	assert_int_equal(totals().sockets.opened, 1);
	assert_int_equal(status(0).sent, 1);
	assert_int_equal(status(0).sent_port, 0);
}

TEST_WITH(test_a_worker_refuses_it, port_rig_setup, port_rig_teardown)
{
	fake[0].held = true;
	ask_under_way(5000);
	const uint16_t id = worker.sent[0].id;
	worker.is_deaf = true; // as if the query had not left
	const struct msg_heard m = heard_of(&worker.sent[0], HEARD_REFUSED, 0);
	upstream_port_heard(fx.port, &m, NULL);
	wait_queries(&fake[0], 2);
	assert_int_equal(fake[0].id[1], id);
	assert_int_not_equal(fake[0].source_port[1], worker.sent[0].m.local_port);
	fake[0].held = false;
	FINISHED(replies);
	assert_int_equal(port_stats().refused, 1);
	assert_int_equal(port_stats().open, 0);
	assert_int_equal(totals().sockets.opened, 1);
	assert_true(status(0).srtt_us > 0); // it was sent once
}

// The query that the dead worker had is sent again by a socket, well before the wait is over.
TEST_WITH(test_a_worker_dies, port_rig_setup, port_rig_teardown)
{
	CONFIGURE(first_timeout_ms, 1500);
	worker.is_deaf = true;
	ask_under_way(5000);
	upstream_port_beat(fx.port);
	assert_int_equal(port_stats().dead, 0);
	worker.live = 2; // the one that it went to is gone
	upstream_port_beat(fx.port);
	FINISHED(replies);
	assert_int_equal(fake[0].udp_queries, 2);
	assert_int_equal(fake[1].udp_queries, 0);
	assert_int_equal(port_stats().dead, 1);
	assert_int_equal(status(0).timeouts, 0);
	worker.is_deaf = false;
	ask(5000); // by the other one
	assert_int_equal(worker.sent[1].worker, 1);
	worker.live = 0;
	upstream_port_beat(fx.port);
	ANSWERED(5000);
	assert_int_equal(worker.count, 2);
}

enum { MANY = 16384, FILES = MANY + 256 };

static int take(void *, const struct msg_send *, const uint8_t *, uint64_t, unsigned *number)
{
	*number = 0;
	return 0;
}

static void on_any_end(struct upstream_ask *, enum upstream_end)
{
}

static void many_start(struct upstream_ask *asks)
{
	static const struct upstream_port_calls calls = {.send = take, .live = on_live};
	static const struct upstream_callbacks callbacks = {.ended = on_any_end};
	static const uint8_t question[] = "\3www\7example\0\0\1\0\1";
	const struct upstream_request request = {.callbacks = &callbacks,
		.question = question,
		.question_len = 17,
		.deadline_ms = clock_mono_ms() + 60000};

	fake[0].mode = FAKE_SILENT;
	CONFIGURE(first_timeout_ms, 1500);
	upstream_port_serve(fx.port, &calls);
	for (unsigned i = 0; i < MANY; i++)
		upstream_ask_start(fx.up, &asks[i], &request);
	assert_int_equal(port_stats().open, MANY);
}

// A slice in each iteration of the loop, without another beat, until the last leg has moved.
static void many_move(void)
{
	unsigned slices = 1;

	for (bool more = true; more; slices++) {
		assert_int_equal(port_stats().dead, slices * UPSTREAM_PORT_SLICE);
		more = upstream_port_move(fx.port);
	}
}

// Meanwhile a worker of that number gets nothing, in another life too.
TEST_WITH(test_many_move_in_slices, port_rig_setup, port_rig_teardown)
{
	static struct upstream_ask asks[MANY];
	struct rlimit files;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
	assert_true(files.rlim_max >= FILES);
	files.rlim_cur = FILES;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	many_start(asks);
	worker.live = 1;
	worker.incarnation++;
	assert_true(upstream_port_beat(fx.port));
	ask_start(60000);
	assert_false(fx.ask.leg[0].by_port);
	upstream_ask_stop(&fx.ask);
	many_move();
	assert_int_equal(port_stats().dead, MANY);
	assert_int_equal(port_stats().open, 0);
	assert_false(upstream_port_beat(fx.port));
	ask_start(60000);
	assert_true(fx.ask.leg[0].by_port);
	upstream_ask_stop(&fx.ask);
	for (unsigned i = 0; i < MANY; i++)
		upstream_ask_stop(&asks[i]);
}

// Where no socket can be opened the leg is tried again with the next beat.
TEST_WITH(test_a_move_is_tried_again, port_rig_setup, port_rig_teardown)
{
	struct rlimit all, none;
	worker.is_deaf = true;
	ask_under_way(60000);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	none = all;
	none.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	worker.live = 2;
	assert_false(upstream_port_beat(fx.port));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_int_equal(port_stats().dead, 0);
	assert_int_equal(port_stats().open, 1);
	upstream_port_beat(fx.port);
	assert_int_equal(port_stats().dead, 1);
	FINISHED(replies);
}

// Another life has the same numbers.
TEST_WITH(test_another_data_plane, port_rig_setup, port_rig_teardown)
{
	worker.is_deaf = true;
	ask_under_way(5000);
	worker.incarnation++;
	upstream_port_beat(fx.port);
	FINISHED(replies);
	assert_int_equal(port_stats().dead, 1);
}

// A failure, to the socket of the query under way.
static void hand_over_failure(void)
{
	uint8_t dns[DNS_HEADER_LEN + UPSTREAM_QUESTION_MAX];

	const struct upstream_leg *leg = &fx.ask.leg[0];
	assert_false(leg->by_port);
	assert_int_equal(leg->local_port, fake[0].source_port[0]);
	uint16_t len = upstream_leg_query(leg, dns, sizeof(dns));
	assert_true(len > 0);
	put_u16(dns + 2, DNS_FLAG_QR | DNS_RCODE_SERVFAIL);
	memset(dns + 6, 0, 6);
	const struct sent to = {.m = {.server_port = fake[0].port,
					.local_port = leg->local_port,
					.ip_version = 4,
					.server_ip = {127, 0, 0, 1}}};
	const struct msg_heard m = heard_of(&to, HEARD_REPLY, DNS_HEADER_LEN + fx.ask.question_len);
	upstream_port_heard(fx.port, &m, dns);
}

// A worker that listens on the port of a socket hands over its reply.
TEST_WITH(test_a_reply_to_a_socket, port_rig_setup, port_rig_teardown)
{
	worker.full = -EAGAIN;
	fake[0].mode = FAKE_SILENT;
	ask_under_way(5000);
	hand_over_failure();
	assert_int_equal(status(0).failures, 1);
	FINISHED(replies); // by the second one
}

// All workers were held up, and listen on the ports of before when they go on.
TEST_WITH(test_a_reply_to_a_socket_of_a_pause, port_rig_setup, port_rig_teardown)
{
	worker.live = 0;
	upstream_port_beat(fx.port);
	fake[0].mode = FAKE_SILENT;
	ask_under_way(5000);
	worker.live = 1;
	upstream_port_beat(fx.port);
	hand_over_failure();
	assert_int_equal(port_stats().strays, 0);
	assert_int_equal(status(0).failures, 1);
	FINISHED(replies);
}

// All sets of a resolver share its ports, and one set may go before the others.
TEST_WITH(test_sets_share_it, port_rig_setup, port_rig_teardown)
{
	const struct upstream_shared shared = {.loop = fx.loop, .port = fx.port};
	struct upstreams *other;

	assert_int_equal(upstreams_new(&other, &shared, &fx.config), 0);
	fake[0].held = true;
	ask_under_way(5000);
	upstreams_free(other);
	assert_int_equal(port_stats().open, 1);
	fake[0].held = false;
	FINISHED(replies);
	assert_int_equal(port_stats().open, 0);
}
