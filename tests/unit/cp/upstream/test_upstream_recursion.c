// SPDX-License-Identifier: BSD-3-Clause
// Recursion as the last server of a list: when weir asks it.

#include "controlplane/route/route_board.h"
#include "controlplane/upstream/upstream.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/unit.h"
#include "upstream_rig.h"

#include <event2/event.h>

// fake[0] and, of three, fake[1] are servers; the last one is recursion.
static void use_servers(unsigned count)
{
	set_servers(count);
	for (unsigned i = 0; i < count; i++)
		fx.config.server[i].is_recursion = i == count - 1;
	upstreams_configure(fx.up, &fx.config);
}

TEST_WITH(test_a_lost_datagram_is_no_silence, rig_setup, rig_teardown)
{
	use_servers(2);
	fake[0].lost = 1;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 2);
	assert_int_equal(fake[1].udp_queries, 0);
}

// Each of two servers loses one: weir asks both again.
TEST_WITH(test_lost_datagrams_of_two, rig_setup, rig_teardown)
{
	use_servers(3);
	fake[0].lost = 2;
	fake[1].lost = 1;
	ANSWERED(2000);
	assert_int_equal(fake[1].udp_queries, 2);
	assert_int_equal(fake[2].udp_queries, 0);
}

TEST_WITH(test_asked_where_no_server_answers, rig_setup, rig_teardown)
{
	use_servers(2);
	fake[0].mode = FAKE_SILENT;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 2);
	assert_int_equal(fake[1].udp_queries, 1);
	while (status(0).up)
		ask(2000);
	const unsigned before = fake[0].udp_queries;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, before); // it is down: recursion at once
}

TEST_WITH(test_asked_at_once_after_a_failure, rig_setup, rig_teardown)
{
	use_servers(2);
	fake[0].mode = FAKE_SERVFAIL;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(fake[1].udp_queries, 1);
}

// A closed port is known at once, and waited for no second time.
TEST_WITH(test_asked_at_once_after_a_refusal, rig_setup, rig_teardown)
{
	fake_upstream_stop(&fake[0]);
	use_servers(2);
	CONFIGURE(first_timeout_ms, 1000);
	ask(3000);
	fake_upstream_start(&fake[0]);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fake[1].udp_queries, 1);
	assert_true(fx.took_ms < 500);
}

// The last query of a question is for recursion, however few there are.
TEST_WITH(test_asked_by_the_last_query, rig_setup, rig_teardown)
{
	fx.config.max_sends = 2;
	use_servers(2);
	fake[0].mode = FAKE_SILENT;
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(fake[1].udp_queries, 1);
}

// Names that take long to find say nothing of other names.
TEST_WITH(test_never_down, rig_setup, rig_teardown)
{
	use_servers(1);
	fake[0].mode = FAKE_SILENT;
	for (unsigned i = 0; i <= UPSTREAM_DOWN_AFTER; i++)
		ask(500);
	assert_int_equal(fx.ended, 1);
	assert_true(status(0).timeouts >= UPSTREAM_DOWN_AFTER);
	assert_true(status(0).up);
	assert_false(status(0).suspect);
	CONFIGURE(check, UPSTREAM_CHECK_DOWN);
	ask(500);
	assert_true(status(0).up);
	assert_int_equal(status(0).checks, 0);
}

// Each resolver has recursion at a port of its own; state, text and drains are of one server.
TEST_WITH(test_one_server_of_all_resolvers, rig_setup, rig_teardown)
{
	struct upstream_status s[CONFIG_UPSTREAMS_MAX];
	struct upstreams *other;
	use_servers(2);
	const struct socket_address first = fx.config.server[0].address,
				    second = fx.config.server[1].address;
	fx.config.count = 1;
	fx.config.server[0] = (struct config_upstream){
		.name = (char[]){"recursion"}, .address = {.ip = first.ip}, .is_recursion = true};
	upstreams_free(fx.up);
	assert_int_equal(upstreams_new(&fx.up,
				 &(struct upstream_shared){.loop = fx.loop, .recursion = &first},
				 &fx.config),
		0);
	assert_int_equal(upstreams_new(&other,
				 &(struct upstream_shared){.loop = fx.loop, .recursion = &second},
				 &fx.config),
		0);
	ANSWERED(2000);
	assert_int_equal(fake[0].udp_queries, 1); // at the real port
	assert_int_equal(upstreams_status(other, s), 1);
	assert_string_equal(s[0].address, status(0).address);
	assert_int_equal(upstreams_drain(other, "recursion", true), 1);
	assert_true(status(0).drained);
	assert_int_equal(upstreams_drain(other, "recursion", false), 1);
	assert_false(status(0).drained);
	upstreams_free(other);
}

// Of a configuration with an exception interface.
static bool takes_ports(struct config_upstreams upstreams)
{
	struct hops_range range[HOPS_RANGES_MAX];
	const struct config config = {.upstreams = upstreams,
		.dataplane = {.port_count = 1, .ports = {{.exception = (char[]){"weir0"}}}}};
	return route_board_ranges_of(&config, range) > 0;
}

// No datagram to it leaves by a port of the data plane, so no route to it is looked for.
TEST_WITH(test_on_no_board, rig_setup, rig_teardown)
{
	static struct route_board board;
	use_servers(2);
	const struct config config = {.upstreams = fx.config};
	uint64_t turn = UINT64_MAX;
	route_board_follow(&board, &config, &turn);
	assert_int_equal(board.count, 1);
	assert_int_equal(board.server[0].address.port, fake[0].port);
	assert_int_equal(status(0).way, ROUTE_kernel);
	assert_true(takes_ports(fx.config));
	assert_false(takes_ports((struct config_upstreams){
		.mode = UPSTREAM_RECURSIVE, .count = 1, .server[0] = fx.config.server[1]}));
	struct config_upstreams kernel = fx.config;
	kernel.via = UPSTREAM_VIA_KERNEL;
	assert_false(takes_ports(kernel));
	assert_int_equal(status(1).way, ROUTE_own);
}

static void on_tried(void *arg, int err, const struct upstream_tried tried[UPSTREAM_TRANSPORTS])
{
	assert_int_equal(err, 0);
	memcpy(arg, tried, UPSTREAM_TRANSPORTS * sizeof(tried[0]));
	event_base_loopbreak(loop_base(fx.loop));
}

TEST_WITH(test_tried_by_udp_alone, rig_setup, rig_teardown)
{
	struct upstream_tried tried[UPSTREAM_TRANSPORTS] = {0};
	use_servers(2);
	assert_int_equal(
		upstreams_try(fx.up, text_from("127.0.0.1:%u", fake[1].port), on_tried, tried), 0);
	event_base_loop(loop_base(fx.loop), 0);
	assert_true(tried[0].is_answered);
	assert_false(tried[1].is_sent || tried[1].is_answered);
	assert_string_not_equal(tried[1].why, "");
	assert_int_equal(fake[1].tcp_queries, 0);
}
