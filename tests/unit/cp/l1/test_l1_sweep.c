// SPDX-License-Identifier: BSD-3-Clause

// Housekeeping of L1 on a real redis-server.

#include "controlplane/l1/l1_sweep.h"
#include "l1_rig.h"

#include <sys/syscall.h>

static struct l1_sweep *sweep;
static bool in_1970; // the wall clock has not been set yet

int clock_gettime(clockid_t id, struct timespec *out)
{
	if (id != CLOCK_REALTIME || !in_1970)
		return (int)syscall(SYS_clock_gettime, id, out);
	*out = (struct timespec){.tv_sec = 100};
	return 0;
}
static unsigned deleted; // as reported to the owner

static unsigned kept; // those that it would not let go of

// Names that begin with "busy" are much asked for on this box.
static bool on_drop(void *arg, const struct l1_key_parts *key)
{
	assert_ptr_equal(arg, &deleted);
	assert_int_equal(key->qtype, 1);
	if (key->name.len > 5 && memcmp(key->name.wire + 1, "busy", 4) == 0) {
		kept++;
		return false;
	}
	deleted++;
	return true;
}

static int setup(void **state)
{
	deleted = kept = 0;
	in_1970 = false;
	l1_rig_setup(state);
	return 0;
}

static int teardown(void **)
{
	l1_free(l1_rig.l1);
	l1_sweep_free(sweep);
	loop_free(l1_rig.loop);
	return 0;
}

static struct l1_sweep_status status(void)
{
	struct l1_sweep_status s;
	l1_sweep_status(sweep, &s);
	return s;
}

// A twentieth of the cap was put, so the round comes at the next look.
static void sweep_start(unsigned max_keys)
{
	l1_rig.config.redis.max_keys = max_keys;
	assert_int_equal(l1_sweep_new(&sweep, l1_rig.loop, l1_rig.l1, &l1_rig.config.redis, on_drop,
				 &deleted),
		0);
}

static void await_round(void)
{
	uint64_t rounds = status().rounds;
	l1_rig_until(status().rounds != rounds);
	assert_int_equal(status().failed, 0);
	assert_true(status().rounds > rounds);
}

static long count_of(const char *command)
{
	return strtol(l1_rig_say("%s", command) + 1, NULL, 10);
}

static void put_many(const char *prefix, unsigned count, uint32_t hits)
{
	char name[64];
	for (unsigned i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s%u.example", prefix, i);
		l1_rig_put(name, 300 + i % 50, 0, hits);
		if (i % 500 == 499)
			l1_rig_settle();
	}
	l1_rig_settle();
}

static long keys(const char *pattern)
{
	return strtol(
		l1_rig_say("EVAL \"return #redis.call('KEYS','%s')\" 0", pattern) + 1, NULL, 10);
}

TEST_WITH(test_cap_keeps_what_is_asked_for, setup, teardown)
{
	put_many("cold", 900, 0);
	put_many("hot", 100, 50);
	assert_int_equal(keys("weir:*"), 1000);
	sweep_start(200);
	await_round();
	assert_in_range(keys("weir:*"), 190, 200);
	assert_int_equal(keys("weir:hot*"), 100);
	assert_int_equal(count_of("ZCARD weir-meta:expiry"), keys("weir:*"));
	assert_int_equal(status().evicted, 1000 - keys("weir:*"));
	assert_int_equal(deleted, status().evicted);
	l1_rig_every_key_has_ttl();
}

// The hits in a key are those of its last write: it may be popular here since. The oldest, so that
// these are first in line.
TEST_WITH(test_cap_spares_what_is_popular_here, setup, teardown)
{
	put_many("busy", 40, 0);
	put_many("cold", 900, 0);
	sweep_start(200);
	await_round();
	assert_in_range(keys("weir:*"), 190, 200);
	assert_int_equal(keys("weir:busy*"), 40);
	assert_true(status().spared > 0);
	assert_int_equal(status().spared, kept);
	assert_int_equal(deleted, status().evicted);
}

TEST_WITH(test_cap_holds_when_all_is_popular, setup, teardown)
{
	put_many("busy", 1000, 0);
	sweep_start(200);
	await_round();
	assert_in_range(keys("weir:*"), 190, 200);
	assert_int_equal(status().evicted, 1000 - keys("weir:*"));
	assert_true(status().spared > 0);
	assert_int_equal(kept, status().spared + status().evicted);
	assert_int_equal(deleted, 0);
}

TEST_WITH(test_no_cap, setup, teardown)
{
	put_many("n", 300, 0);
	sweep_start(0);
	l1_rig_turn(1200); // no round before its time
	assert_int_equal(status().rounds, 0);
	assert_int_equal(keys("weir:*"), 300);
}

TEST_WITH(test_index_loses_what_is_gone, setup, teardown)
{
	put_many("n", 100, 0);
	l1_rig_say("EVAL \"for i=0,49 do redis.call('DEL','weir:n'..i..'.example:1:1') end\" 0");
	l1_rig_say("ZADD weir-meta:expiry 1000 weir:ancient.example:1:1");
	l1_rig_say("ZADD weir-meta:expiry 99999999999 nonsense");
	sweep_start(1000);
	for (unsigned i = 0; i < 40 && count_of("ZCARD weir-meta:expiry") > 50; i++) {
		put_many("again", 51, 0); // makes the next round due
		l1_rig_say("EVAL \"for i=0,50 do redis.call('DEL','weir:again'..i..'.example:1:1') "
			   "redis.call('ZREM','weir-meta:expiry','weir:again'..i..'.example:1:1') "
			   "end\" "
			   "0");
		l1_rig_turn(300);
	}
	assert_int_equal(count_of("ZCARD weir-meta:expiry"), 50);
	assert_int_equal(keys("weir:n*"), 50);
	assert_true(status().trimmed >= 1);
	assert_int_equal(status().foreign, 1);
	assert_int_equal(deleted, 0); // nothing of this box was deleted
}

// The index is of all boxes: one that does not know the time takes nothing out of it.
TEST_WITH(test_clock_of_1970, setup, teardown)
{
	put_many("n", 60, 0);
	in_1970 = true;
	sweep_start(1000);
	await_round();
	assert_int_equal(count_of("ZCARD weir-meta:expiry"), 60);
	assert_int_equal(keys("weir:n*"), 60);
	assert_int_equal(status().trimmed, 0);
	l1_rig_put("old.example", 300, 200, 0); // older than that clock: no date for it
	l1_rig_settle();
	assert_int_equal(keys("weir:old*"), 0);
	assert_int_equal(count_of("ZCARD weir-meta:expiry"), 60);
}

TEST_WITH(test_cold_keys, setup, teardown)
{
	l1_rig.config.redis.sweep_min_hits = 1;
	l1_rig.config.redis.sweep_hit_window_s = 100;
	char name[64];
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		l1_rig_put(name, 300, i < 10 ? 200 : 50, i % 2); // old or young, asked for or not
	}
	l1_rig_put("busy.example", 300, 200, 0);
	l1_rig_settle();
	sweep_start(20);
	await_round();
	assert_int_equal(status().cold, 5);
	assert_int_equal(deleted, 5);
	assert_int_equal(status().spared, 1);
	assert_int_equal(keys("weir:*"), 16);
}

TEST_WITH(test_hostile_index, setup, teardown)
{
	put_many("n", 60, 0);
	l1_rig_say("DEL weir-meta:expiry");
	l1_rig_say("SET weir-meta:expiry text EX 100");
	sweep_start(100);
	await_round();
	assert_true(status().foreign >= 1);
	assert_int_equal(count_of("EXISTS weir-meta:expiry"), 0);
	l1_rig_say("DEL weir:n1.example:1:1");
	l1_rig_say("SET weir:n1.example:1:1 text EX 100");
	put_many("n", 60, 0);
	await_round();
	l1_rig_every_key_has_ttl();
}

// A writer fills the index with members that are longer than any key: none of them stays, and no
// key goes in their place.
TEST_WITH(test_overlong_members, setup, teardown)
{
	put_many("n", 20, 0);
	l1_rig_say("EVAL \"for i=1,400 do redis.call('ZADD','weir-meta:expiry',99999999999,"
		   "i..string.rep('x',1100)) end\" 0");
	sweep_start(20);
	await_round();
	assert_int_equal(count_of("ZCARD weir-meta:expiry"), 20);
	assert_int_equal(keys("weir:n*"), 20);
	assert_int_equal(status().foreign, 400);
	assert_int_equal(status().evicted, 0);
}

// More of them than a few samples hold.
TEST_WITH(test_many_overlong_members, setup, teardown)
{
	put_many("n", 20, 0);
	l1_rig_say("EVAL \"for i=1,2500 do redis.call('ZADD','weir-meta:expiry',99999999999,"
		   "i..string.rep('x',1100)) end\" 0");
	sweep_start(20);
	await_round();
	assert_int_equal(count_of("ZCARD weir-meta:expiry"), 20);
	assert_int_equal(status().foreign, 2500);
	assert_int_equal(status().evicted, 0);
	assert_int_equal(keys("weir:n*"), 20);
}

// Entries of keys that Redis itself evicted count as keys until a sample finds them.
TEST_WITH(test_cap_with_many_orphans, setup, teardown)
{
	put_many("n", 600, 0);
	l1_rig_say("EVAL \"for i=1,400 do redis.call('ZADD','weir-meta:expiry',99999999999,"
		   "'weir:gone'..i..'.example:1:1') end\" 0");
	sweep_start(600);
	await_round();
	assert_in_range(keys("weir:n*"), 500, 600);
}

// A sample of the index is a reply that is too large to be read: one round mends that.
TEST_WITH(test_members_too_long_to_read, setup, teardown)
{
	put_many("n", 20, 0);
	l1_rig_say("EVAL \"for i=1,300 do redis.call('ZADD','weir-meta:expiry',99999999999,"
		   "i..string.rep('x',5000)) end\" 0");
	sweep_start(20);
	await_round();
	assert_int_equal(count_of("EXISTS weir-meta:expiry"), 0);
	assert_int_equal(status().foreign, 1);
	assert_int_equal(status().evicted, 0);
	put_many("n", 20, 0);
	assert_int_equal(count_of("ZCARD weir-meta:expiry"), 20);
	l1_rig_every_key_has_ttl();
}

// The client has no room for a command that removes such a member.
TEST_WITH(test_member_too_long_to_remove, setup, teardown)
{
	l1_rig.config.redis.buffer_kb = 256;
	put_many("n", 20, 0);
	l1_rig_say("EVAL \"redis.call('ZADD','weir-meta:expiry',99999999999,"
		   "string.rep('x',300000))\" 0");
	sweep_start(20);
	await_round();
	assert_int_equal(count_of("EXISTS weir-meta:expiry"), 0);
	assert_int_equal(keys("weir:n*"), 20);
}

// The client has room for some removals of a sample at a time.
TEST_WITH(test_little_room_to_remove, setup, teardown)
{
	l1_rig.config.redis.buffer_kb = 256;
	put_many("n", 20, 0);
	l1_rig_say("EVAL \"for i=1,200 do redis.call('ZADD','weir-meta:expiry',99999999999,"
		   "i..string.rep('x',4000)) end\" 0");
	sweep_start(20);
	await_round();
	assert_int_equal(count_of("ZCARD weir-meta:expiry"), 20);
	assert_int_equal(status().foreign, 200);
	assert_int_equal(keys("weir:n*"), 20);
}

TEST_WITH(test_one_box_at_a_time, setup, teardown)
{
	put_many("n", 300, 0);
	l1_rig_say("SET weir-meta:sweep other EX 60");
	sweep_start(100);
	l1_rig_turn(1500);
	assert_int_equal(status().rounds, 0);
	assert_true(status().elsewhere >= 1);
	assert_int_equal(keys("weir:n*"), 300);
}

// The lock of a round whose end did not reach Redis does not stop this box itself.
TEST_WITH(test_own_lock_is_left, setup, teardown)
{
	put_many("n", 300, 0);
	sweep_start(100);
	await_round();
	long long one = strtoll(l1_rig_say("PTTL weir-meta:sweep") + 1, NULL, 10);
	assert_true(one < 0);
	put_many("more", 100, 0);
	for (unsigned i = 0; i < 10000 && count_of("EXISTS weir-meta:sweep") == 0; i++)
		l1_rig_turn(1);
	char token[17] = "";
	const char *said = strstr(l1_rig_say("GET weir-meta:sweep"), "\r\n");
	assert_non_null(said);
	memcpy(token, said + 2, 16);
	await_round();
	l1_rig_say("SET weir-meta:sweep %s EX 60", token);
	put_many("most", 100, 0);
	await_round();
	assert_int_equal(keys("weir:*"), 100);
}

TEST_WITH(test_lock_of_another_type, setup, teardown)
{
	put_many("n", 300, 0);
	l1_rig_say("RPUSH weir-meta:sweep x");
	sweep_start(100);
	l1_rig_until(status().rounds == 1);
	assert_int_equal(keys("weir:n*"), 100);
	l1_rig_every_key_has_ttl();
}

// Ends while a round runs: nothing is called back into what is gone (ASan).
TEST_WITH(test_ends_amid_a_round, setup, teardown)
{
	put_many("n", 300, 0);
	sweep_start(100);
	for (unsigned i = 0; i < 6000 && count_of("EXISTS weir-meta:sweep") == 0; i++)
		l1_rig_turn(1);
}

TEST_GROUP(l1_rig_server_up, l1_rig_server_down)
