// SPDX-License-Identifier: BSD-3-Clause

// Groups with servers of their own and without cache: who is asked, and who sees whose answers, on
// one box and on several with one Redis. fake[0] is everyone's server, fake[1] that of groups.

#include "resolver_rig.h"
#include "tests/unit/cp/l1/redis_local.h"

enum { GROUPS = 3, OWN = 0, BARE = 1, BARE_TOO = 2, PATIENCE_MS = 20000 };

static struct redis_server redis;
static struct config_group groups[GROUPS];
static struct config_upstream own_server;

// `own`: the server of the group with servers of its own.
static void groups_config(const struct socket_address *own)
{
	static char own_name[] = "own", bare_name[] = "bare", bare_too_name[] = "bare too";
	own_server = (struct config_upstream){.name = own_name, .address = *own};
	groups[OWN] = (struct config_group){
		.name = own_name, .blocking = true, .upstream_count = 1, .upstreams = &own_server};
	groups[BARE] =
		(struct config_group){.name = bare_name, .blocking = true, .disable_cache = true};
	groups[BARE_TOO] = (struct config_group){
		.name = bare_too_name, .blocking = true, .disable_cache = true};
	rig.config.groups = groups;
	rig.config.group_count = GROUPS;
}

static int setup(void **state)
{
	rig_setup(state);
	rig_box_stop();
	rig.config.upstreams.count = 1;
	groups_config(&rig.config.upstreams.server[1].address);
	rig_box_start();
	return 0;
}

static uint16_t view_of(unsigned group)
{
	return rig_group(group).view;
}

static void ask_in(uint16_t view, const char *name, uint16_t id)
{
	rig_ask((struct fake_miss){.name = name, .id = id, .view = view, .has_opt = true});
}

static void resolves_in(uint16_t view, const char *name, uint16_t id, enum answer_kind kind)
{
	ask_in(view, name, id);
	expect_answer(id, 0, kind);
}

static void expect_queries(unsigned everyone, unsigned own)
{
	assert_int_equal(fake[0].udp_queries, everyone);
	assert_int_equal(fake[1].udp_queries, own);
}

TEST_WITH(test_each_its_server_and_cache, setup, rig_teardown)
{
	uint16_t own = view_of(OWN);
	assert_int_not_equal(own, 0);
	resolves_in(0, "www.example", 1, ANSWER_UPSTREAM);
	expect_queries(1, 0);
	resolves_in(own, "www.example", 2, ANSWER_UPSTREAM); // not the one that is in the cache
	expect_queries(1, 1);
	resolves_in(own, "www.example", 3, ANSWER_CACHED);
	resolves_in(0, "www.example", 4, ANSWER_CACHED);
	expect_queries(1, 1);
	assert_int_equal(status().l0.entries, 2);
}

TEST_WITH(test_without_cache, setup, rig_teardown)
{
	uint16_t bare = view_of(BARE);
	resolves_in(0, "www.example", 1, ANSWER_UPSTREAM);
	for (uint16_t i = 2; i < 5; i++) {
		resolves_in(bare, "www.example", i, ANSWER_UPSTREAM);
		expect_queries(i, 0);
	}
	resolves_in(0, "www.example", 5, ANSWER_CACHED);
	assert_int_equal(status().l0.entries, 1);
	assert_int_equal(status().stored, 1);
}

// Who asks at the same time shares an answer with the same group, and with no other.
TEST_WITH(test_without_cache_coalesces_in_the_group, setup, rig_teardown)
{
	fake[0].held = true;
	for (uint16_t i = 1; i <= 3; i++)
		ask_in(view_of(BARE), "slow.example", i);
	ask_in(view_of(BARE_TOO), "slow.example", 4);
	ask_in(0, "slow.example", 5);
	WAIT_FOR(fake[0].udp_queries >= 3 && status().coalesced >= 2);
	fake[0].held = false;
	for (unsigned i = 0; i < 5; i++)
		assert_true(fake_dataplane_answer(&dp, &got, PATIENCE_MS));
	expect_queries(3, 0);
	assert_int_equal(status().coalesced, 2);
}

TEST_WITH(test_unknown_view_is_dropped, setup, rig_teardown)
{
	ask_in(60000, "www.example", 1);
	assert_false(fake_dataplane_answer(&dp, &got, 300));
	assert_int_equal(status().bad_misses, 1);
	expect_queries(0, 0);
}

TEST_WITH(test_impossible_group_is_dropped, setup, rig_teardown)
{
	struct fake_miss m = {
		.name = "www.example", .type = DNS_TYPE_A, .id = 1, .group = POLICY_GROUPS_MAX};
	FAKE_DATAPLANE_SEND(&dp, &m);
	assert_false(fake_dataplane_answer(&dp, &got, 300));
	assert_int_equal(status().bad_misses, 1);
	m.group--;
	FAKE_DATAPLANE_SEND(&dp, &m);
	assert_true(fake_dataplane_answer(&dp, &got, PATIENCE_MS));
}

// Another life, warm; its data plane is new as well.
static void restart(void)
{
	control_stop();
	fake_dataplane_close(&dp);
	control_start();
	fake_dataplane_open(&dp, &rig.paths, 2);
	link_up_now();
}

// A changed definition never gets what was stored for the one before, nor does the next life.
TEST_WITH(test_changed_definition, setup, rig_teardown)
{
	uint16_t before = view_of(OWN);
	resolves_in(before, "www.example", 1, ANSWER_UPSTREAM);
	own_server.address = rig.config.upstreams.server[0].address;
	rig_reload();
	uint16_t after = view_of(OWN);
	assert_int_not_equal(after, before);
	resolves_in(after, "www.example", 2, ANSWER_UPSTREAM);
	expect_queries(1, 1);
	resolves_in(before, "www.example", 3, ANSWER_CACHED); // a worker with the old image
	restart();
	assert_true(status().l0.recovered > 0);
	uint16_t next_life = view_of(OWN);
	assert_int_not_equal(next_life, before);
	resolves_in(next_life, "www.example", 4,
		ANSWER_UPSTREAM); // no image was published here, so no pair known
}

static void await_keys(unsigned count)
{
	rig_redis_keys_await(&redis, count);
}

// What is in L1 for the views of this box is found there, and told apart.
static void expect_look(const char *text)
{
	const struct rig_look *l = rig_look(text, 0);
	uint16_t view[GROUPS] = {0};
	unsigned in_l1 = 0;
	for (unsigned i = 0; i < l->look.count; i++)
		if (l->entry[i].in_l1 && in_l1 < GROUPS)
			view[in_l1++] = l->entry[i].view;
	assert_int_equal(l->look.l1_views, 2);
	assert_int_equal(in_l1, 2);
	assert_int_equal(view[0], 0);
	assert_int_equal(view[1], view_of(OWN));
}

// A box with this server for the group; then the group of the box asks. `sends`: of that server.
static void box_asks(const struct socket_address *own, uint16_t view, enum answer_kind kind)
{
	static uint16_t id = 100;
	rig_box_stop();
	groups_config(own);
	rig.config.redis = redis_local(redis.port);
	rig_box_start();
	rig_redis_await();
	ask_in(view ? view : view_of(OWN), "shared.example", ++id);
	expect_answer(id, 0, kind);
}

TEST_WITH(test_boxes_with_one_redis, setup, rig_teardown)
{
	const struct socket_address first = rig.config.upstreams.server[1].address;
	const struct socket_address second = rig.config.upstreams.server[0].address;
	redis_server_start(&redis, NULL);
	fake[0].ttl_s = fake[1].ttl_s = 300;
	box_asks(&first, 0, ANSWER_UPSTREAM);
	await_keys(1);
	expect_queries(0, 1);
	// Another definition on another box: not that answer.
	box_asks(&second, 0, ANSWER_UPSTREAM);
	await_keys(2);
	expect_queries(1, 1);
	// The first one's definition again, elsewhere: without a query.
	box_asks(&first, 0, ANSWER_CACHED);
	expect_queries(1, 1);
	// Everyone else on that box asks the second box's server: its answer, without a query.
	resolves_in(0, "shared.example", 7, ANSWER_CACHED);
	expect_queries(1, 1);
	// A group without cache neither reads nor writes.
	resolves_in(view_of(BARE), "shared.example", 8, ANSWER_UPSTREAM);
	await_keys(2);
	expect_queries(2, 1);
	expect_look("shared.example");
	const char *hashed = strstr(text_from("%s", redis_server_say(&redis, "KEYS weir:*")), ":v");
	assert_non_null(hashed);
	assert_non_null(strstr(hashed + 2, ":v"));
	redis_server_clean(&redis);
}

static int setup_everyone(void **state)
{
	setup(state);
	fake[0].ttl_s = fake[1].ttl_s = 300;
	return 0;
}

static void redis_box(struct socket_address everyone)
{
	rig_box_stop();
	rig.config.upstreams.server[0].address = everyone;
	rig.config.redis = redis_local(redis.port);
	rig.config.group_count = 0;
	rig_box_start();
	rig_redis_await();
}

// A box whose upstream filters serves nothing that a box with another upstream stored.
TEST_WITH(test_boxes_with_other_upstreams, setup_everyone, rig_teardown)
{
	const struct socket_address first = rig.config.upstreams.server[0].address,
				    second = rig.config.upstreams.server[1].address;
	redis_server_start(&redis, NULL);
	redis_box(first);
	resolves_in(0, "everyone.example", 1, ANSWER_UPSTREAM);
	await_keys(1);
	redis_box(second);
	resolves_in(0, "everyone.example", 2, ANSWER_UPSTREAM);
	await_keys(2);
	expect_queries(1, 1);
	redis_box(first);
	resolves_in(0, "everyone.example", 3, ANSWER_CACHED);
	expect_queries(1, 1);
	redis_server_clean(&redis);
}

static void await_said(const char *command, const char *wanted)
{
	WAIT_FOR(strstr(redis_server_say(&redis, command), wanted));
}

// From a reload on, keys and the channel are those of the new namespace.
TEST_WITH(test_another_namespace, setup_everyone, rig_teardown)
{
	static char space[] = "other";
	static struct config other;
	redis_server_start(&redis, NULL);
	redis_box(rig.config.upstreams.server[0].address);
	await_said("PUBSUB NUMSUB weir-meta:flush", ":1\r\n");
	resolves_in(0, "first.example", 1, ANSWER_UPSTREAM);
	await_keys(1);
	other = rig.config;
	other.redis.space = space;
	rig_reload_to(&other);
	rig_redis_await();
	await_said("PUBSUB NUMSUB other-meta:flush", ":1\r\n");
	await_said("PUBSUB NUMSUB weir-meta:flush", ":0\r\n");
	resolves_in(0, "second.example", 2, ANSWER_UPSTREAM);
	await_said("KEYS other:*", "other:second.example:1:1:v");
	await_said("ZCARD other-meta:expiry", ":1\r\n");
	await_keys(1); // of weir
	redis_server_clean(&redis);
}

static void everyone_asks(unsigned i)
{
	rig.config.upstreams.server[0].address = socket_here(fake[i].port);
}

static void await_empty(void)
{
	WAIT_FOR(status().l0.entries == 0);
}

// What the upstreams of before said goes with them, by a reload and by a start.
TEST_WITH(test_other_upstreams_empty_the_cache, setup_everyone, rig_teardown)
{
	resolves_in(0, "www.example", 1, ANSWER_UPSTREAM);
	rig_reload(); // nothing changed
	resolves_in(0, "www.example", 2, ANSWER_CACHED);
	everyone_asks(1);
	rig_reload();
	await_empty();
	resolves_in(0, "www.example", 3, ANSWER_UPSTREAM);
	expect_queries(1, 1);
	restart(); // nothing changed
	resolves_in(0, "www.example", 4, ANSWER_CACHED);
	everyone_asks(0);
	restart();
	await_empty();
	resolves_in(0, "www.example", 5, ANSWER_UPSTREAM);
	expect_queries(2, 1);
}

// So does what a start finds that other zones of everyone's gave.
TEST_WITH(test_other_zones_empty_the_cache_at_start, setup_everyone, rig_teardown)
{
	struct config_upstream there = {.address = rig.config.upstreams.server[1].address};
	struct config_forward_zone zone = {
		.name = name_of_text("example"), .server_count = 1, .servers = &there};
	resolves_in(0, "www.example", 1, ANSWER_UPSTREAM);
	rig.config.forwards = &zone;
	rig.config.forward_count = 1;
	restart();
	await_empty();
	resolves_in(0, "www.example", 2, ANSWER_UPSTREAM);
	expect_queries(1, 1);
}

// A question that was asked of the upstreams of before is answered, and kept nowhere.
TEST_WITH(test_answer_of_former_upstreams_is_not_kept, setup_everyone, rig_teardown)
{
	fake[0].held = true;
	ask_in(0, "www.example", 1);
	WAIT_FOR(fake[0].udp_queries >= 1);
	rig.config.upstreams.count = 2; // the first one still is one of them
	rig_reload();
	fake[0].held = false;
	expect_answer(1, 0, ANSWER_UPSTREAM);
	assert_int_equal(status().stored, 0);
	resolves_in(0, "www.example", 2, ANSWER_UPSTREAM);
	assert_int_equal(status().stored, 1);
}

TEST_GROUP(rig_sends_once, NULL)
