// SPDX-License-Identifier: BSD-3-Clause
// Which server gets a question: by the policy, and by what sets tell each other.

#include "controlplane/upstream/upstream_internal.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/unit.h"
#include "upstream_rig.h"

// Another set knows of it at once, and how quick it is.
TEST_WITH(test_sets_share_what_they_learn, rig_setup, rig_teardown)
{
	struct upstreams *other;
	struct upstream_status s[CONFIG_UPSTREAMS_MAX];
	fake[0].mode = FAKE_SILENT;
	for (unsigned i = 0; i < UPSTREAM_DOWN_AFTER; i++)
		ask(2000);
	assert_int_equal(
		upstreams_new(&other, &(struct upstream_shared){.loop = fx.loop}, &fx.config), 0);
	assert_int_equal(upstreams_status(other, s), 2);
	assert_false(s[0].up);
	assert_true(s[1].up);
	assert_int_equal(s[1].sent, 0);
	assert_int_equal(
		upstream_server_known(other, &other->server[1], clock_mono_us()).latency_us,
		fx.up->server[1].health->latency_us);
	assert_true(other->server[1].srtt_us > 0);
	set_servers(1);
	upstreams_configure(other, &fx.config);
	upstreams_free(other);
	assert_false(status(0).up);
	fake[0].mode = FAKE_ANSWER;
	upstreams_configure(fx.up, &fx.config);
	ANSWERED(2000);
	assert_true(status(0).up);
}

static void use_policy(enum upstream_policy policy, unsigned servers)
{
	fx.config.policy = policy;
	configure_servers(servers);
}

TEST_WITH(test_policy_latency, rig_setup, rig_teardown)
{
	fx.config.first_timeout_ms = 400;
	use_policy(UPSTREAM_LATENCY, 3);
	fake[0].delay_ms = 40;
	fake[2].delay_ms = 80;
	for (unsigned i = 0; i < 200; i++)
		ask(2000);
	// One of 32 goes to another server: 6 expected, standard deviation 2.5.
	assert_in_range(fake[1].udp_queries, 170, 198);
	assert_true(fake[0].udp_queries > 0 && fake[2].udp_queries > 0);
	assert_true(status(0).srtt_us >= 40000);
}

TEST_WITH(test_policy_round_robin, rig_setup, rig_teardown)
{
	fx.config.server[0].weight = 3;
	use_policy(UPSTREAM_ROUND_ROBIN, 2);
	for (unsigned i = 0; i < 40; i++)
		ask(2000);
	assert_int_equal(fake[0].udp_queries, 30);
	assert_int_equal(fake[1].udp_queries, 10);
}

// A question that waits at the first server sends the next one to the second.
TEST_WITH(test_policy_least_outstanding, rig_setup, rig_teardown)
{
	static const struct upstream_callbacks nobody = {0};
	static const uint8_t question[] = "\3www\7example\0\0\1\0\1";
	struct upstream_request request = {.callbacks = &nobody,
		.question = question,
		.question_len = 17,
		.deadline_ms = clock_mono_ms() + 2000};
	struct upstream_ask waiting = {0};
	fake[0].mode = FAKE_SILENT;
	fx.config.first_timeout_ms = 1000;
	use_policy(UPSTREAM_LEAST, 2);
	upstream_ask_start(fx.up, &waiting, &request);
	assert_int_equal(fx.up->server[0].under_way, 1);
	ask(2000);
	assert_int_equal(fx.up->server[1].under_way, 0);
	upstream_ask_stop(&waiting);
	assert_int_equal(fx.up->server[0].under_way, 0);
	assert_int_equal(fake[1].udp_queries, 1);
}
