// SPDX-License-Identifier: BSD-3-Clause

// L1 against a real redis-server: what it writes, what it believes, what it deletes.

#include "l1_rig.h"

static struct {
	unsigned calls;
	enum l1_found found;
	struct l1_value value;
	uint8_t msg[L1_MESSAGE_MAX];
} got;

static void on_got(void *arg, enum l1_found found, const struct l1_value *v)
{
	assert_ptr_equal(arg, &got);
	got.calls++;
	got.found = found;
	assert_int_equal(found == L1_HIT, v != NULL);
	if (v) {
		got.value = *v;
		memcpy(got.msg, v->msg, v->len);
	}
}

static enum l1_found get(const char *name)
{
	struct l1_key key;
	struct l1_status s;
	unsigned calls = got.calls;
	l1_rig_key(name, &key);
	assert_non_null(l1_get(l1_rig.l1, &key, on_got, &got));
	l1_rig_until(got.calls == calls + 1);
	l1_status(l1_rig.l1, &s);
	assert_int_equal(s.looking, 0);
	return got.found;
}

static int fresh(void **state)
{
	got.calls = 0;
	return l1_rig_setup(state);
}

TEST_WITH(test_what_is_put_is_found, fresh, l1_rig_teardown)
{
	l1_rig_put("www.example.com", 300, 0, 7);
	l1_rig_settle();
	assert_int_equal(get("www.example.com"), L1_HIT);
	assert_int_equal(got.value.len, sizeof(l1_rig_message));
	assert_memory_equal(got.msg, l1_rig_message, sizeof(l1_rig_message));
	assert_int_equal(got.value.stored_ttl_s, 300);
	assert_int_equal(got.value.auth_ttl_s, 150);
	assert_in_range(got.value.age_s, 0, 2);
	assert_in_range(got.value.soft_left_s, 298, 300);
	long ttl = strtol(l1_rig_say("TTL weir:www.example.com:1:1") + 1, NULL, 10);
	assert_in_range(ttl, 3898, 3900); // 300 and the stale window
	assert_non_null(strstr(l1_rig_say("HGET weir:www.example.com:1:1 hits"), "7"));
	assert_string_equal(l1_rig_say("ZCARD weir-meta:expiry"), ":1\r\n");
	l1_rig_every_key_has_ttl();
	assert_int_equal(get("other.example.com"), L1_MISS);
}

TEST_WITH(test_ages, fresh, l1_rig_teardown)
{
	l1_rig_put("old.example", 300, 100, 0);
	l1_rig_put("stale.example", 300, 1000, 0);
	l1_rig_put("gone.example", 300, 3900, 0);
	l1_rig_settle();
	assert_int_equal(get("old.example"), L1_HIT);
	assert_in_range(got.value.age_s, 100, 102);
	assert_int_equal(get("stale.example"), L1_HIT);
	assert_in_range(-got.value.soft_left_s, 700, 702);
	long ttl = strtol(l1_rig_say("TTL weir:stale.example:1:1") + 1, NULL, 10);
	assert_in_range(ttl, 2898, 2900);
	assert_int_equal(get("gone.example"), L1_MISS);
	assert_string_equal(l1_rig_say("EXISTS weir:gone.example:1:1"), ":0\r\n");
	l1_rig_every_key_has_ttl();
}

TEST_WITH(test_hostile_values, fresh, l1_rig_teardown)
{
	char big[2000];
	uint64_t s = clock_ms_of(CLOCK_REALTIME) / 1000;
	const char *now = text_from("%llu", (unsigned long long)s);
	const char *soft = text_from("%llu", (unsigned long long)s + 300);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	const struct {
		const char *v, *msg, *created, *soft, *stored, *auth;
	} bad[] = {
		{"2", "aaaaaaaaaaaaaaaa", now, soft, "300", "300"},
		{"", "aaaaaaaaaaaaaaaa", now, soft, "300", "300"},
		{"1", "aaa", now, soft, "300", "300"},
		{"1", "aaaaaaaaaaaaaaaa", "-1", soft, "300", "300"},
		{"1", "aaaaaaaaaaaaaaaa", now, soft, "301", "300"},
		{"1", "aaaaaaaaaaaaaaaa", now, soft, "0x12c", "300"},
		{"1", "aaaaaaaaaaaaaaaa", now, soft, "300", "99999999999"},
		{"1", "aaaaaaaaaaaaaaaa", now, now, "0", "0"},
		{"1", "aaaaaaaaaaaaaaaa", now, "18446744073709551616", "300", "300"},
		{"1", "aaaaaaaaaaaaaaaa", now, big, "300", "300"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		l1_rig_say("HSET weir:bad.example:1:1 v \"%s\" msg %s created_at %s soft_expiry %s "
			   "stored_ttl %s auth_ttl %s",
			bad[i].v, bad[i].msg, bad[i].created, bad[i].soft, bad[i].stored,
			bad[i].auth);
		if (get("bad.example") != L1_BAD)
			fail_msg("value %u: found %d", i, got.found);
		l1_rig_settle();
		assert_string_equal(l1_rig_say("EXISTS weir:bad.example:1:1"), ":0\r\n");
	}
	// The same with nothing wrong, so that each refusal above has one cause.
	l1_rig_say(
		"HSET weir:good.example:1:1 v 1 msg aaaaaaaaaaaaaaaa created_at %s soft_expiry %s "
		"stored_ttl 300",
		now, soft);
	assert_int_equal(get("good.example"), L1_HIT);
	assert_int_equal(got.value.auth_ttl_s, 300);
}

static enum l1_found get_made(int64_t ahead_s)
{
	uint64_t made = clock_ms_of(CLOCK_REALTIME) / 1000 + (uint64_t)ahead_s;
	l1_rig_say("HSET weir:when.example:1:1 v 1 msg aaaaaaaaaaaaaaaa created_at %llu "
		   "soft_expiry %llu stored_ttl 60",
		(unsigned long long)made, (unsigned long long)made + 60);
	return get("when.example");
}

// An answer must not stay fresh for as long as the clock of its box is ahead of this one's. Nor may
// this one delete what the others can use, as its own clock may be the wrong one.
TEST_WITH(test_clocks_differ, fresh, l1_rig_teardown)
{
	assert_int_equal(get_made(4), L1_HIT);
	assert_int_equal(got.value.age_s, 0);
	assert_int_equal(get_made(60), L1_MISS);
	assert_int_equal(get_made(5000), L1_MISS);
	l1_rig_settle();
	assert_string_equal(l1_rig_say("EXISTS weir:when.example:1:1"), ":1\r\n");
}

TEST_WITH(test_wrong_types, fresh, l1_rig_teardown)
{
	l1_rig_say("SET weir:text.example:1:1 hello");
	l1_rig_say("LPUSH weir:list.example:1:1 a b");
	l1_rig_say("HSET weir:empty.example:1:1 other field");
	assert_int_equal(get("text.example"), L1_BAD);
	assert_int_equal(get("list.example"), L1_BAD);
	assert_int_equal(get("empty.example"), L1_MISS);
	l1_rig_settle();
	assert_string_equal(
		l1_rig_say("EXISTS weir:text.example:1:1 weir:list.example:1:1"), ":0\r\n");
	struct l1_status s;
	l1_status(l1_rig.l1, &s);
	assert_int_equal(s.bad, 2);
}

static void on_lock(void *arg, bool yes)
{
	*(int *)arg = yes;
}

TEST_WITH(test_one_refresher, fresh, l1_rig_teardown)
{
	struct l1_key key;
	int first = -1, second = -1;
	l1_rig_key("www.example.com", &key);
	assert_non_null(l1_lock(l1_rig.l1, &key, 10, on_lock, &first));
	assert_non_null(l1_lock(l1_rig.l1, &key, 10, on_lock, &second));
	l1_rig_settle();
	assert_int_equal(first, 1);
	assert_int_equal(second, 0);
	l1_rig_every_key_has_ttl();
	l1_unlock(l1_rig.l1, &key);
	l1_rig_turn(1100);
	assert_non_null(l1_lock(l1_rig.l1, &key, 10, on_lock, &second));
	l1_rig_settle();
	assert_int_equal(second, 1);
}

TEST_WITH(test_delete, fresh, l1_rig_teardown)
{
	struct l1_key key;
	l1_rig_put("www.example.com", 300, 0, 0);
	l1_rig_settle();
	l1_rig_key("www.example.com", &key);
	l1_delete(l1_rig.l1, &key);
	l1_rig_settle();
	assert_string_equal(
		l1_rig_say("EXISTS weir:www.example.com:1:1 weir-meta:expiry"), ":0\r\n");
}

TEST_WITH(test_nobody_waits_any_more, fresh, l1_rig_teardown)
{
	struct l1_key key;
	l1_rig_key("www.example.com", &key);
	l1_get_stop(l1_get(l1_rig.l1, &key, on_got, &got));
	l1_rig_turn(100);
	l1_rig_settle();
	assert_int_equal(got.calls, 0);
	l1_get_stop(NULL);
}

TEST_WITH(test_server_goes_and_comes, fresh, l1_rig_teardown)
{
	struct l1_key key;
	l1_rig_key("www.example.com", &key);
	redis_server_stop(&l1_rig.server);
	l1_rig_await_usable(false);
	assert_null(l1_get(l1_rig.l1, &key, on_got, &got));
	l1_rig_put("www.example.com", 300, 0, 0); // forgotten
	redis_server_start(&l1_rig.server, NULL);
	l1_rig_await_usable(true);
	assert_int_equal(get("www.example.com"), L1_MISS);
}

TEST_WITH(test_more_looks_than_there_is_room_for, fresh, l1_rig_teardown)
{
	struct l1_key key;
	struct l1_status s;
	unsigned sent = 0;
	l1_rig_key("www.example.com", &key);
	for (unsigned i = 0; i < L1_LOOKUPS_MAX + 10; i++)
		sent += l1_get(l1_rig.l1, &key, on_got, &got) != NULL;
	assert_int_equal(sent, L1_LOOKUPS_MAX);
	l1_rig_until(got.calls == sent);
	l1_status(l1_rig.l1, &s);
	assert_int_equal(s.skipped, 10);
	assert_int_equal(s.looking, 0);
}

TEST_GROUP(l1_rig_server_up, l1_rig_server_down)
