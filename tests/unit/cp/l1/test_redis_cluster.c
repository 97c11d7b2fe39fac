// SPDX-License-Identifier: BSD-3-Clause

// The client against a real cluster of three masters: slots, MOVED, ASK, a master that dies.

#include "controlplane/l1/redis_wire.h"
#include "redis_rig.h"
#include "redis_trio.h"

enum { NODES = REDIS_TRIO_NODES };

static struct redis_rig rig;

static void start(void)
{
	redis_rig_start(&rig, REDIS_MODE_CLUSTER, redis_trio[1].port);
	redis_rig_await(&rig, "up", 3000);
	redis_rig_until(&rig, redis_nodes(rig.redis) == NODES);
}

TEST(test_slots)
{
	start();
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(
			redis_rig_do(
				&rig, text_from("HSET key:%u a %u | PEXPIRE key:%u 60000", i, i, i))
				.end,
			REDIS_DONE);
	}
	assert_int_equal(redis_rig_status(&rig).moved, 0);
	// All nodes have some of them; each is reached by number.
	int64_t keys = 0;
	for (unsigned n = 0; n < NODES; n++) {
		struct redis_seen seen = {0};
		struct redis_command size = {.count = 1, .word = {{"DBSIZE", 6}}};
		assert_true(redis_send_node(rig.redis, n, &size, 0, redis_rig_done, &seen));
		redis_rig_ends(&rig, &seen, 1);
		assert_in_range(seen.integer, 50, 200);
		keys += seen.integer;
	}
	assert_in_range(keys, 300, 301); // and perhaps the probe's
	redis_rig_empties(&rig);
	redis_rig_stop(&rig);
}

// A slot moves from one node to another, key by key, while it is used.
TEST(test_reshard)
{
	unsigned slot = redis_slot("{move}", 6), from = slot / 5461, to = (from + 1) % NODES;
	start();
	assert_int_equal(redis_rig_do(&rig, "SET {move}a 1 PX 60000").end, REDIS_DONE);
	redis_trio_say(to, "CLUSTER SETSLOT %u IMPORTING %s", slot, redis_trio_id[from]);
	redis_trio_say(from, "CLUSTER SETSLOT %u MIGRATING %s", slot, redis_trio_id[to]);
	// There still, and not there any more: ASK. With a transaction as well.
	assert_string_equal(redis_rig_do(&rig, "GET {move}a").text, "1");
	assert_int_equal(redis_rig_status(&rig).asked, 0);
	struct redis_seen s = redis_rig_do(&rig, "HSET {move}b a 1 | EXPIRE {move}b 60");
	assert_int_equal(s.end, REDIS_DONE);
	assert_int_equal(s.count, 2);
	assert_int_equal(redis_rig_status(&rig).asked, 1);
	assert_int_equal(redis_rig_do(&rig, "GET {move}c").kind, REDIS_NIL);
	assert_int_equal(redis_rig_status(&rig).asked, 2);

	redis_trio_say(from, "MIGRATE 127.0.0.1 %u {move}a 0 1000", redis_trio[to].port);
	assert_string_equal(redis_rig_do(&rig, "GET {move}a").text, "1");
	assert_int_equal(redis_rig_status(&rig).asked, 3);
	redis_trio_say(to, "CLUSTER SETSLOT %u NODE %s", slot, redis_trio_id[to]);
	redis_trio_say(from, "CLUSTER SETSLOT %u NODE %s", slot, redis_trio_id[to]);
	assert_int_equal(redis_rig_do(&rig, "HGETALL {move}b").count, 2);
	assert_int_equal(redis_rig_status(&rig).moved, 1);
	assert_string_equal(redis_rig_do(&rig, "GET {move}a").text, "1");
	assert_int_equal(redis_rig_status(&rig).moved, 1);
	redis_rig_empties(&rig);
	redis_rig_stop(&rig);
}

// Keys of the others are served while one is away, and it comes back.
TEST(test_dead_node)
{
	char on_dead[] = "GET {x00}", on_live[] = "GET {y00}";
	start();
	for (unsigned i = 0; redis_slot(on_dead + 4, 5) / 5461 != 2; i++)
		on_dead[7] = (char)('0' + i);
	for (unsigned i = 0; redis_slot(on_live + 4, 5) / 5461 != 0; i++)
		on_live[7] = (char)('0' + i);
	assert_int_equal(redis_rig_do(&rig, on_dead).end, REDIS_DONE);
	redis_server_stop(&redis_trio[2]);
	uint64_t end = clock_mono_ms() + 20000;
	struct redis_seen seen = {0};
	while (redis_rig_give(&rig, on_dead, &seen) && clock_mono_ms() < end) {
		redis_rig_turn(&rig, 20);
		assert_int_equal(redis_rig_do(&rig, on_live).end, REDIS_DONE);
	}
	assert_true(clock_mono_ms() < end);
	assert_string_equal(redis_rig_status(&rig).state, "partial");
	assert_int_equal(redis_rig_do(&rig, on_live).end, REDIS_DONE);
	redis_trio_node_start(2);
	end = clock_mono_ms() + 30000;
	while (redis_rig_do(&rig, on_dead).end != REDIS_DONE && clock_mono_ms() < end)
		redis_rig_turn(&rig, 20);
	assert_true(clock_mono_ms() < end);
	redis_rig_await(&rig, "up", 20000);
	redis_rig_stop(&rig);
}

// A node that knows no other answers first.
TEST(test_node_with_an_old_view)
{
	struct redis_server lone = {0};
	const char *port = text_from("%u", redis_free_port());
	redis_server_start(&lone,
		(const char *const[]){"--cluster-enabled", "yes", "--cluster-port", port, NULL});
	redis_server_say(&lone, "CLUSTER ADDSLOTSRANGE 0 5460");
	redis_rig_address(&rig, lone.port);
	redis_rig_start(&rig, REDIS_MODE_CLUSTER, redis_trio[1].port);
	redis_rig_until(&rig, redis_nodes(rig.redis) == NODES);
	redis_rig_await(&rig, "up", 3000);
	redis_rig_stop(&rig);
	redis_server_clean(&lone);
}

static void on_message(void *arg, const char *, size_t)
{
	++*(unsigned *)arg;
}

TEST(test_subscription)
{
	unsigned heard = 0;
	start();
	redis_subscribe(rig.redis, "weir-meta:flush", on_message, NULL, &heard);
	uint64_t end = clock_mono_ms() + 20000;
	while (heard == 0 && clock_mono_ms() < end) {
		redis_rig_turn(&rig, 50);
		redis_trio_say(2, "PUBLISH weir-meta:flush x");
	}
	assert_true(heard > 0);
	redis_rig_stop(&rig);
}

TEST_GROUP(redis_trio_start, redis_trio_stop)
