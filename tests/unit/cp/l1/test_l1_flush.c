// SPDX-License-Identifier: BSD-3-Clause

// Flushes of L1 on a real redis-server.

#include "controlplane/l1/l1.h"
#include "l1_rig.h"

static unsigned ended;
static enum l1_flush_end end;
static uint64_t removed;

static void on_flushed(void *arg, enum l1_flush_end how, uint64_t n)
{
	assert_ptr_equal(arg, &ended);
	ended++;
	end = how;
	removed = n;
}

static struct l1_flush *start(enum flush_kind kind, const char *name)
{
	struct flush f = {.kind = kind};
	f.name = name_of_text(name);
	ended = 0;
	return l1_flush_start(l1_rig.loop, l1_rig.l1, &f, on_flushed, &ended);
}

static void await(enum l1_flush_end how)
{
	l1_rig_until(ended == 1);
	assert_int_equal(end, how);
}

static void flush(enum flush_kind kind, const char *name, uint64_t want)
{
	assert_non_null(start(kind, name));
	await(L1_FLUSH_DONE);
	assert_int_equal(removed, want);
}

static long number(const char *command)
{
	return strtol(l1_rig_say("%s", command) + 1, NULL, 10);
}

static long keys(void)
{
	return number("EVAL \"return #redis.call('KEYS','weir:*')\" 0");
}

static long index_size(void)
{
	return number("ZCARD weir-meta:expiry");
}

static void put_variants(const char *name)
{
	struct dns_name n = name_of_text(name);
	for (unsigned i = 0; i < 8; i++) {
		const struct l0_key key = {.name = n.wire,
			.name_len = n.len,
			.qtype = (uint16_t)(1 + 27 * (i / 4)),
			.qclass = 1,
			.flags = (uint8_t)(i % 4)};
		struct l1_key text;
		const struct l1_put p = {
			.msg = l1_rig_message, .len = sizeof(l1_rig_message), .stored_ttl_s = 300};
		l1_key_write("weir", &key, i == 5 ? 0x1234 : 0, &text);
		l1_put(l1_rig.l1, &text, &p);
	}
}

TEST_WITH(test_name_with_all_its_variants, l1_rig_setup, l1_rig_teardown)
{
	put_variants("www.example");
	put_variants("x.www.example");
	put_variants("ww.example");
	l1_rig_settle();
	assert_int_equal(keys(), 24);
	flush(FLUSH_NAME, "www.example", 8);
	assert_int_equal(keys(), 16);
	assert_int_equal(index_size(), 16);
	flush(FLUSH_NAME, "www.example", 0);
	l1_rig_every_key_has_ttl();
}

TEST_WITH(test_names_below, l1_rig_setup, l1_rig_teardown)
{
	static const char *const names[] = {"b.example", "a.b.example", "z.a.b.example",
		"ab.example", "example", "b.example.org", "a\\.b.example", "x*.b.example"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		l1_rig_put(names[i], 300, 0, 0);
	l1_rig_settle();
	flush(FLUSH_BELOW, "b.example", 4);
	assert_int_equal(keys(), 4);
	assert_int_equal(index_size(), 4);
	flush(FLUSH_BELOW, "example", 3);
	flush(FLUSH_BELOW, ".", 1);
	assert_int_equal(index_size(), 0);
}

// What is not ours stays, and the index is as empty as the rest.
TEST_WITH(test_all, l1_rig_setup, l1_rig_teardown)
{
	l1_rig_put_many(3000);
	l1_rig_say("SET other:key 1 EX 100");
	l1_rig_say("SET weir:nonsense 1 EX 100");
	l1_rig_say("SET weir:UPPER.example:1:1 1 EX 100");
	l1_rig_say("ZADD weir-meta:expiry 1000 orphan");
	uint64_t start_ms = clock_mono_ms();
	flush(FLUSH_ALL, ".", 3000);
	assert_true(clock_mono_ms() - start_ms >= L1_FLUSH_SETTLE_MS);
	assert_int_equal(keys(), 2);
	assert_int_equal(number("EXISTS weir-meta:expiry"), 0);
	assert_int_equal(number("EXISTS other:key"), 1);
	assert_int_equal(number("EXISTS weir:nonsense"), 1);
	l1_rig_every_key_has_ttl();
}

// One name among many costs few steps, as the server sends only what fits.
TEST_WITH(test_one_among_many, l1_rig_setup, l1_rig_teardown)
{
	l1_rig_put_many(2000);
	struct l1_status before, after;
	l1_status(l1_rig.l1, &before);
	flush(FLUSH_NAME, "n77.example", 1);
	l1_status(l1_rig.l1, &after);
	assert_int_equal(keys(), 1999);
	assert_in_range(after.redis.commands - before.redis.commands, 3, 12);
}

TEST_WITH(test_wrong_type_under_our_name, l1_rig_setup, l1_rig_teardown)
{
	l1_rig_say("SET weir:a.example:1:1 text EX 100");
	l1_rig_say("LPUSH weir:a.example:28:1 text");
	l1_rig_say("EXPIRE weir:a.example:28:1 100");
	flush(FLUSH_NAME, "a.example", 2);
	l1_rig_say("SET weir-meta:expiry text EX 100");
	l1_rig_put("b.example", 300, 0, 0);
	l1_rig_settle();
	assert_non_null(start(FLUSH_NAME, "b.example"));
	l1_rig_until(ended == 1);
	assert_int_equal(number("EXISTS weir:b.example:1:1"), 0);
}

TEST_WITH(test_server_dies_or_is_away, l1_rig_setup, l1_rig_teardown)
{
	l1_rig_put_many(1000);
	assert_non_null(start(FLUSH_ALL, "."));
	redis_server_stop(&l1_rig.server);
	await(L1_FLUSH_PARTLY);
	l1_rig_await_usable(false);
	assert_null(start(FLUSH_ALL, "."));
	assert_int_equal(ended, 0);
	redis_server_start(&l1_rig.server, NULL);
	l1_rig_await_usable(true);
}

// Dropped at once, and ended amid its work: no callback into freed memory (ASan).
TEST_WITH(test_stopped, l1_rig_setup, l1_rig_teardown)
{
	l1_rig_put_many(1000);
	l1_flush_stop(start(FLUSH_ALL, "."));
	l1_rig_turn(300);
	assert_int_equal(ended, 0);
	assert_int_equal(keys(), 1000);
	struct l1_flush *f = start(FLUSH_ALL, ".");
	redis_until(keys() != 1000, 1, l1_rig_turn(1));
	if (!ended)
		l1_flush_stop(f);
}

TEST_GROUP(l1_rig_server_up, l1_rig_server_down)
