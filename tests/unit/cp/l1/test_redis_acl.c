// SPDX-License-Identifier: BSD-3-Clause

// The user of docs/explanation/cache.md, to the letter: everything that L1 says to Redis is allowed
// to it. And the status of a server that refuses.

#include "controlplane/l1/l1.h"
#include "controlplane/l1/l1_sweep.h"
#include "l1_rig.h"
#include "tests/source_root.h"

#include <weir/log_recent.h>

static struct l1_sweep *sweep;
static char user[] = "weir", password[] = "PASSWORD";
static char rights[1024]; // what follows the name

// The line of redis.conf that operators copy.
static int documented_user(void **state)
{
	static const char begin[] = "user weir on >PASSWORD ";
	FILE *page = fopen(WEIR_SOURCE_ROOT "/docs/explanation/cache.md", "re");
	char line[1024];
	assert_non_null(page);
	while (fgets(line, sizeof(line), page)) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, begin, strlen(begin)) == 0)
			snprintf(rights, sizeof(rights), "%s", line + strlen("user weir "));
	}
	fclose(page);
	assert_true(strlen(rights) > 100);
	return l1_rig_server_up(state);
}

// `more`: rights on top of the documented ones.
static void as_user(const char *more)
{
	static struct config with_user; // is compared with the one in use
	assert_string_equal(l1_rig_say("ACL SETUSER weir reset %s%s", rights, more), "+OK\r\n");
	l1_rig_say("ACL LOG RESET");
	with_user = l1_rig.config;
	with_user.redis.username = user;
	with_user.redis.password = password;
	l1_configure(l1_rig.l1, &with_user);
	l1_rig_await_usable(true);
}

static int teardown(void **state)
{
	l1_rig_say("CONFIG SET maxmemory 0");
	l1_rig_say("REPLICAOF NO ONE");
	int rc = sweep ? 0 : l1_rig_teardown(state);
	if (sweep) {
		l1_free(l1_rig.l1);
		l1_sweep_free(sweep);
		loop_free(l1_rig.loop);
	}
	sweep = NULL;
	return rc;
}

static bool on_drop(void *, const struct l1_key_parts *)
{
	return true;
}

static struct l1_sweep_status swept(void)
{
	struct l1_sweep_status s;
	l1_sweep_status(sweep, &s);
	return s;
}

static void sweep_start(unsigned max_keys)
{
	l1_rig.config.redis.max_keys = max_keys;
	assert_int_equal(
		l1_sweep_new(&sweep, l1_rig.loop, l1_rig.l1, &l1_rig.config.redis, on_drop, NULL),
		0);
}

static struct l1_status status(void)
{
	struct l1_status s;
	l1_status(l1_rig.l1, &s);
	return s;
}

static bool has_been_logged(const char *text)
{
	static struct log_recent kinds[LOG_RECENT_MAX];
	uint64_t replaced;
	unsigned count = log_recent_copy(kinds, LOG_RECENT_MAX, &replaced);
	for (unsigned i = 0; i < count; i++)
		if (strstr(kinds[i].text, text))
			return true;
	return false;
}

static void on_value(void *arg, enum l1_found found, const struct l1_value *)
{
	*(int *)arg = (int)found;
}

static void on_lock(void *arg, bool got)
{
	*(int *)arg = got;
}

static void on_flushed(void *arg, enum l1_flush_end end, uint64_t)
{
	*(int *)arg = (int)end;
}

static void on_message(void *arg, const char *, size_t)
{
	++*(int *)arg;
}

static void on_reply(void *arg, enum redis_end end, const struct redis_reply *)
{
	*(int *)arg = (int)end;
}

static void await(const int *what, int wanted)
{
	l1_rig_until(*what == wanted);
}

TEST_WITH(test_everything_is_allowed, l1_rig_setup, teardown)
{
	static const char channel[] = "weir-meta:flush";
	int found = -1, got = -1, flushed = -1, heard = 0, said = -1;
	struct l1_key key;
	as_user("");
	redis_subscribe(l1_redis(l1_rig.l1), channel, on_message, NULL, &heard);
	l1_rig_put_many(300);
	l1_rig_key("n7.example", &key);
	assert_non_null(l1_get(l1_rig.l1, &key, on_value, &found));
	await(&found, L1_HIT);
	assert_non_null(l1_lock(l1_rig.l1, &key, 10, on_lock, &got));
	await(&got, 1);
	l1_unlock(l1_rig.l1, &key);
	l1_bad(l1_rig.l1, &key);
	sweep_start(100);
	l1_rig_until(swept().rounds == 1);
	assert_int_equal(swept().failed, 0);
	assert_int_equal(swept().keys, 100);
	const struct flush all = {.kind = FLUSH_ALL, .name = {.len = 1}};
	assert_non_null(l1_flush_start(l1_rig.loop, l1_rig.l1, &all, on_flushed, &flushed));
	await(&flushed, L1_FLUSH_DONE);
	const struct redis_command publish = {
		3, {{"PUBLISH", 7}, {channel, strlen(channel)}, {"x", 1}}};
	for (unsigned i = 0; i < 200 && heard == 0; i++) { // the subscription may not be there yet
		assert_true(redis_send(l1_redis(l1_rig.l1), &publish, 1, 1000, on_reply, &said));
		l1_rig_turn(50);
	}
	await(&said, REDIS_DONE);
	assert_true(heard > 0);
	l1_rig_settle();
	assert_int_equal(status().puts_lost, 0);
	assert_int_equal(status().redis.errors, 0);
	assert_string_equal(status().redis.state, "up");
	assert_string_equal(l1_rig_say("ACL LOG"), "*0\r\n");
	redis_subscribe(l1_redis(l1_rig.l1), NULL, NULL, NULL, NULL);
}

// What is only said to a cluster or with redis.db, and nothing beside.
TEST_WITH(test_rights_are_those_that_are_needed, l1_rig_setup, teardown)
{
	static const char *const allowed[] = {
		"CLUSTER SLOTS", "ASKING", "SELECT 3", "ROLE", "CLIENT SETNAME weir", "PING"};
	static const char *const denied[] = {"GET other", "FLUSHALL", "CONFIG GET *", "KEYS *",
		"SET other 1", "DEL other", "PUBLISH other x", "EVAL x 0", "DEBUG SLEEP 1"};
	as_user("");
	for (unsigned i = 0; i < ARRAY_LEN(allowed); i++)
		assert_string_equal(l1_rig_say("ACL DRYRUN weir %s", allowed[i]), "+OK\r\n");
	for (unsigned i = 0; i < ARRAY_LEN(denied); i++)
		assert_string_not_equal(l1_rig_say("ACL DRYRUN weir %s", denied[i]), "+OK\r\n");
}

// Without GET no round ever ends: 3,001 keys where 1,000 may be, and nobody said so.
TEST_WITH(test_housekeeping_without_a_right_is_told, l1_rig_setup, teardown)
{
	as_user(" -get");
	l1_rig_put_many(300);
	sweep_start(100);
	l1_rig_until(swept().failed_in_a_row == SWEEP_FAILURES_MAX);
	assert_int_equal(swept().rounds, 0);
	assert_non_null(strstr(swept().error, "NOPERM"));
	assert_true(status().redis.denied >= SWEEP_FAILURES_MAX);
	assert_true(has_been_logged("housekeeping fails"));
	assert_string_equal(status().redis.state, "up"); // it takes writes
	as_user("");
	l1_rig_until(swept().rounds != 0);
	assert_int_equal(swept().failed_in_a_row, 0);
	assert_string_equal(swept().error, "");
	assert_int_equal(swept().keys, 100);
}

static void on_gap(void *arg)
{
	++*(int *)arg;
}

// The status names a server that does not let weir listen; weir asks it again.
TEST_WITH(test_listening_without_a_right_is_reported, l1_rig_setup, teardown)
{
	int listens = 0;
	as_user(" resetchannels");
	redis_subscribe(l1_redis(l1_rig.l1), "weir-meta:flush", on_message, on_gap, &listens);
	l1_rig_until(status().redis.denied >= 2);
	assert_non_null(strstr(status().redis.error, "NOPERM"));
	assert_true(status().redis.sub_breaks >= 1);
	assert_int_equal(listens, 0);
	as_user("");
	l1_rig_until(listens == 1);
	redis_subscribe(l1_redis(l1_rig.l1), NULL, NULL, NULL, NULL);
}

static void refuses_every_write(const char *begin, const char *end, const char *word)
{
	as_user("");
	l1_rig_put_many(L1_REFUSALS_MAX);
	assert_string_equal(status().redis.state, "up");
	assert_int_equal(l1_rig_say("%s", begin)[0], '+');
	l1_rig_put_many(L1_REFUSALS_MAX - 1);
	assert_string_equal(status().redis.state, "up");
	l1_rig_put_many(1);
	assert_string_equal(status().redis.state, "refusing");
	assert_non_null(strstr(status().redis.error, word));
	assert_true(has_been_logged("every write is refused"));
	assert_true(l1_usable(l1_rig.l1)); // what is there may be read still
	assert_int_equal(l1_rig_say("%s", end)[0], '+');
	l1_rig_put_many(1);
	assert_string_equal(status().redis.state, "up");
}

TEST_WITH(test_full_server_is_not_up, l1_rig_setup, teardown)
{
	refuses_every_write("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM");
	assert_int_equal(status().redis.oom, L1_REFUSALS_MAX);
}

TEST_WITH(test_replica_is_not_up, l1_rig_setup, teardown)
{
	refuses_every_write("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "READONLY");
	assert_int_equal(status().redis.readonly, L1_REFUSALS_MAX);
}

TEST_WITH(test_server_that_denies_is_not_up, l1_rig_setup, teardown)
{
	refuses_every_write("ACL SETUSER weir -hset", "ACL SETUSER weir +hset", "NOPERM");
	assert_int_equal(status().redis.denied, L1_REFUSALS_MAX);
}

// A key of another type is one key's matter.
TEST_WITH(test_wrong_type_is_no_refusal, l1_rig_setup, teardown)
{
	as_user("");
	for (unsigned i = 0; i < 2 * L1_REFUSALS_MAX; i++) {
		l1_rig_say("DEL weir:n0.example:1:1");
		l1_rig_say("SET weir:n0.example:1:1 text EX 100");
		l1_rig_put_many(1);
	}
	assert_true(status().redis.wrongtype >= L1_REFUSALS_MAX);
	assert_string_equal(status().redis.state, "up");
}

TEST_GROUP(documented_user, l1_rig_server_down)
