// SPDX-License-Identifier: BSD-3-Clause

// A client that waits while the groups are changed: what its group's number says is what it said
// when the client was let in. Under the first image group 1 has the list "ads", under the second
// one group 2 has it, and its clients are answered otherwise.
#include "policy_rig.h"

enum { GROUPS = 3 };
static struct answer_policy_fixture image;
static uint16_t next_id;

// The generation of the new image.
static uint16_t publish(unsigned with_list, enum dns_block_mode mode)
{
	static const char *const titles[] = {"ads"};
	struct policy_group of[GROUPS] = {0};
	struct publish_status s;
	of[with_list] = group_with(&image, titles, 1, mode);
	rig_policy(of);
	publish_status(rig.publisher, &s);
	return (uint16_t)s.policy_generation;
}

static int setup(void **state)
{
	fixture_begin(&image);
	fixture_source(&image, "ads");
	fixture_rule(&image, RULE_CLASS_BLOCK, "192.0.2.1");
	fixture_check(&image);
	rig_setup(state);
	groups_configure(GROUPS - 1);
	judge_by(&image);
	next_id = 0;
	return 0;
}

static int teardown(void **state)
{
	int rc = rig_teardown(state);
	fixture_close(&image);
	return rc;
}

static void ask_as(unsigned group, uint16_t policy, const char *name)
{
	rig_ask((struct fake_miss){
		.name = name, .id = ++next_id, .group = (uint8_t)group, .policy = policy});
}

static void expect_as(unsigned group, uint16_t policy, enum answer_kind kind)
{
	ask_as(group, policy, "www.shop.example");
	expect_answer(
		next_id, kind == ANSWER_BLOCKED ? DNS_RCODE_REFUSED : DNS_RCODE_NOERROR, kind);
}

static void waiters_await(unsigned count)
{
	WAIT_FOR(status().waiters >= count);
	assert_int_equal(status().waiters, count);
}

TEST_WITH(test_waiters_across_a_reload, setup, teardown)
{
	uint16_t first = publish(1, DNS_BLOCK_REFUSED);
	fake[0].held = true;
	ask_as(1, first, "www.shop.example");
	ask_as(2, first, "www.shop.example");
	waiters_await(2);
	uint16_t second = publish(2, DNS_BLOCK_NULL);
	ask_as(1, second, "www.shop.example");
	ask_as(2, second, "www.shop.example");
	waiters_await(4);
	fake[0].held = false;
	bool blocked[5] = {0};
	uint16_t records[5];
	for (unsigned i = 0; i < 4; i++) {
		assert_true(fake_dataplane_answer(&dp, &got, 20000));
		assert_in_range(get_u16(got.dns), 1, 4);
		blocked[get_u16(got.dns)] = got.head.verdict == ANSWER_BLOCKED;
		records[get_u16(got.dns)] = get_u16(got.dns + 6);
	}
	assert_true(blocked[1] && !blocked[2] && !blocked[3] && blocked[4]);
	assert_int_equal(records[1], 0); // as its image says: REFUSED
	assert_int_equal(records[4], 1); // 0.0.0.0
	assert_int_equal(fake[0].udp_queries, 1);
	// A worker that has not activated the second image yet.
	expect_as(1, first, ANSWER_BLOCKED);
	expect_as(2, first, ANSWER_CACHED);
	expect_as(1, second, ANSWER_CACHED);
}

// Images that nobody can be waiting under any more are forgotten; whoever names one of those, or
// one that never was, is told what the newest says.
TEST_WITH(test_forgotten_images, setup, teardown)
{
	uint16_t first = publish(1, DNS_BLOCK_REFUSED);
	for (unsigned i = 0; i < POLICY_KEPT - 1; i++)
		publish(2, DNS_BLOCK_REFUSED);
	ask_as(1, first, "www.shop.example");
	expect_answer(next_id, DNS_RCODE_REFUSED, ANSWER_BLOCKED);
	uint16_t newest = publish(2, DNS_BLOCK_REFUSED);
	expect_as(1, first, ANSWER_CACHED);
	expect_as(2, first, ANSWER_BLOCKED);
	expect_as(2, (uint16_t)(newest + 1), ANSWER_BLOCKED);
	expect_as(1, 0, ANSWER_CACHED);
}

// The next control plane has the image that workers still go by.
TEST_WITH(test_a_restart, setup, teardown)
{
	uint16_t first = publish(1, DNS_BLOCK_REFUSED);
	rig_restart();
	rig_pause(0, 0);
	judge_by(&image);
	uint16_t second = publish(2, DNS_BLOCK_REFUSED);
	assert_int_equal(second, first + 1);
	ask_as(1, first, "www.shop.example");
	expect_answer(next_id, DNS_RCODE_REFUSED, ANSWER_BLOCKED);
	expect_as(1, second, ANSWER_CACHED);
	expect_as(2, second, ANSWER_BLOCKED);
}

TEST_GROUP(rig_sends_once, NULL)
