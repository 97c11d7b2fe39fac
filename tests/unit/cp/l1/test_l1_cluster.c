// SPDX-License-Identifier: BSD-3-Clause

// L1 in a real cluster: its keys lie on three servers, and so do the indexes.

#include "controlplane/l1/l1.h"
#include "l1_rig.h"
#include "redis_trio.h"

enum { NODES = REDIS_TRIO_NODES, NAMES = 600 };

static int setup(void **)
{
	static struct config clustered;
	redis_trio_start(NULL);
	l1_rig.server = redis_trio[1];
	l1_rig_setup(NULL);
	clustered = l1_rig.config;
	clustered.redis.mode = REDIS_MODE_CLUSTER;
	l1_configure(l1_rig.l1, &clustered);
	l1_rig_until(redis_nodes(l1_redis(l1_rig.l1)) == NODES);
	l1_rig_await_usable(true);
	return 0;
}

static int teardown(void **)
{
	l1_rig_teardown(NULL);
	return redis_trio_stop(NULL);
}

// Over all nodes, what the script returns.
static long sum(const char *script)
{
	long n = 0;
	for (unsigned i = 0; i < NODES; i++)
		n += strtol(redis_trio_say(i, "EVAL \"%s\" 0", script) + 1, NULL, 10);
	return n;
}

static long keys(void)
{
	return sum("return #redis.call('KEYS','weir:*')");
}

static long indexed(void)
{
	return sum("local n=0 for _,k in ipairs(redis.call('KEYS','weir-meta:*expiry')) do "
		   "n=n+redis.call('ZCARD',k) end return n");
}

static bool ended;
static enum l1_flush_end end;
static uint64_t removed;

static void on_flushed(void *, enum l1_flush_end how, uint64_t n)
{
	ended = true;
	end = how;
	removed = n;
}

static void flush(enum flush_kind kind, const char *name, uint64_t want)
{
	struct flush f = {.kind = kind};
	f.name = name_of_text(name);
	ended = false;
	assert_non_null(l1_flush_start(l1_rig.loop, l1_rig.l1, &f, on_flushed, NULL));
	l1_rig_until(ended);
	assert_int_equal(end, L1_FLUSH_DONE);
	assert_int_equal(removed, want);
}

TEST(test_flush_reaches_every_master)
{
	char name[64];
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "n%u.%s.example", i, i % 3 ? "a" : "b");
		l1_rig_put(name, 300, 0, 0);
		if (i % 200 == 199)
			l1_rig_settle();
	}
	l1_rig_settle();
	assert_int_equal(keys(), NAMES);
	assert_int_equal(indexed(), NAMES);
	flush(FLUSH_NAME, "n1.a.example", 1);
	assert_int_equal(keys(), NAMES - 1);
	flush(FLUSH_BELOW, "b.example", NAMES / 3);
	assert_int_equal(keys(), NAMES - 1 - NAMES / 3);
	assert_int_equal(indexed(), keys());
	flush(FLUSH_ALL, ".", NAMES - 1 - NAMES / 3);
	assert_int_equal(keys(), 0);
	assert_int_equal(indexed(), 0);
}

TEST_GROUP(setup, teardown)
