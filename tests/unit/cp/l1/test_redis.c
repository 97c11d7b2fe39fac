// SPDX-License-Identifier: BSD-3-Clause

// The client against a real redis-server.

#include "l1_rig.h"
#include "redis_rig.h"

static struct redis_rig rig;

static int setup(void **)
{
	l1_rig_say("FLUSHALL");
	redis_rig_start(&rig, REDIS_MODE_STANDALONE, l1_rig.server.port);
	redis_rig_await(&rig, "up", 1000);
	return 0;
}

FIXTURE(teardown, redis_rig_stop(&rig))

TEST_WITH(test_commands, setup, teardown)
{
	struct redis_seen s = redis_rig_do(&rig, "HSET k a 1 b 2");
	assert_int_equal(s.end, REDIS_DONE);
	assert_int_equal(s.integer, 2);
	s = redis_rig_do(&rig, "HGETALL k");
	assert_int_equal(s.kind, REDIS_ARRAY);
	assert_int_equal(s.count, 4);
	s = redis_rig_do(&rig, "GET none");
	assert_int_equal(s.end, REDIS_DONE);
	assert_int_equal(s.kind, REDIS_NIL);
	s = redis_rig_do(&rig, "GET k");
	assert_int_equal(s.end, REDIS_REFUSED);
	assert_int_equal(strncmp(s.text, "WRONGTYPE", 9), 0);
	assert_int_equal(redis_rig_status(&rig).wrongtype, 1);
	assert_int_equal(redis_rig_status(&rig).errors, 1);
	assert_int_equal(redis_rig_status(&rig).pending, 0);
	redis_rig_empties(&rig);
}

TEST_WITH(test_any_bytes, setup, teardown)
{
	char key[300], value[70000];
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (char)i;
	memset(value, '\r', sizeof(value));
	struct redis_seen set = {0}, len = {0};
	struct redis_command c = {
		.count = 3, .word = {{"SET", 3}, {key, sizeof(key)}, {value, sizeof(value)}}};
	assert_true(redis_send(rig.redis, &c, 1, 0, redis_rig_done, &set));
	c = (struct redis_command){.count = 2, .word = {{"STRLEN", 6}, {key, sizeof(key)}}};
	assert_true(redis_send(rig.redis, &c, 1, 0, redis_rig_done, &len));
	memset(value, 0, sizeof(value)); // the words were copied
	redis_rig_ends(&rig, &len, 1);
	assert_int_equal(set.ends, 1);
	assert_int_equal(len.integer, sizeof(value));
}

TEST_WITH(test_transaction, setup, teardown)
{
	struct redis_seen s = redis_rig_do(&rig, "HSET k a 1 | EXPIRE k 100 | TTL k");
	assert_int_equal(s.end, REDIS_DONE);
	assert_int_equal(s.kind, REDIS_ARRAY);
	assert_int_equal(s.count, 3);
	// One that fails while it runs, and one that is not even queued.
	s = redis_rig_do(&rig, "SET k 1 | HSET k a 1");
	assert_int_equal(s.end, REDIS_REFUSED);
	assert_int_equal(s.kind, REDIS_ARRAY);
	s = redis_rig_do(&rig, "SET q 1 | NONSENSE q");
	assert_int_equal(s.end, REDIS_REFUSED);
	assert_int_equal(redis_rig_do(&rig, "EXISTS q").integer, 0);
	assert_int_equal(redis_rig_status(&rig).errors, 2);
	assert_int_equal(redis_rig_status(&rig).wrongtype, 1);
}

struct order {
	unsigned next;
	bool wrong;
};

static void on_counted(void *arg, enum redis_end end, const struct redis_reply *reply)
{
	struct order *o = arg;
	if (end != REDIS_DONE || redis_reply_integer(reply) != (int64_t)++o->next)
		o->wrong = true;
}

TEST_WITH(test_pipeline, setup, teardown)
{
	enum { MANY = 4000 };
	struct order o = {0};
	struct redis_command c = {.count = 2, .word = {{"INCR", 4}, {"n", 1}}};
	for (unsigned i = 0; i < MANY; i++)
		assert_true(redis_send(rig.redis, &c, 1, 60000, on_counted, &o));
	uint64_t end = clock_mono_ms() + 60000;
	while (o.next < MANY && !o.wrong && clock_mono_ms() < end)
		redis_rig_turn(&rig, 1);
	assert_int_equal(o.next, MANY);
	assert_false(o.wrong);
	redis_rig_empties(&rig);
}

TEST_WITH(test_bounds, setup, teardown)
{
	struct redis_seen s[REDIS_PENDING_MAX] = {0}, over = {0};
	for (unsigned i = 0; i < REDIS_PENDING_MAX; i++)
		assert_true(redis_rig_give(&rig, "GET x", &s[i]));
	assert_false(redis_rig_give(&rig, "GET x", &over));
	assert_int_equal(redis_rig_status(&rig).full, 1);
	redis_rig_ends(&rig, &s[REDIS_PENDING_MAX - 1], 1);
	for (unsigned i = 0; i < REDIS_PENDING_MAX; i++)
		assert_int_equal(s[i].ends, 1);

	// Bytes: a value that is over the bound, and what fits beside another.
	static char big[300 << 10];
	struct redis_command c = {.count = 3, .word = {{"SET", 3}, {"b", 1}, {big, sizeof(big)}}};
	rig.config.buffer_kb = 512;
	assert_true(redis_send(rig.redis, &c, 1, 0, redis_rig_done, &over));
	assert_false(redis_send(rig.redis, &c, 1, 0, redis_rig_done, &over));
	assert_int_equal(redis_rig_status(&rig).full, 2);
	redis_rig_ends(&rig, &over, 1);
	assert_int_equal(over.end, REDIS_DONE);
	assert_true(redis_send(rig.redis, &c, 1, 0, redis_rig_done, &over));
	redis_rig_ends(&rig, &over, 2);
	rig.config.buffer_kb = 4096;
}

TEST_WITH(test_stopped_server, setup, teardown)
{
	struct redis_seen s[20] = {0};
	unsigned given = 0;
	redis_server_signal(&l1_rig.server, SIGSTOP);
	rig.config.timeout_ms = 100;
	uint64_t start = clock_mono_ms();
	for (unsigned i = 0; i < 10; i++)
		given += redis_rig_give(&rig, "GET x", &s[i]) ? 1 : 0;
	assert_int_equal(given, 10);
	redis_rig_await(&rig, "away", 1000);
	assert_in_range(clock_mono_ms() - start, 90, 20000);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(s[i].ends, 1);
		assert_int_equal(s[i].end, REDIS_TIMEOUT);
	}
	assert_false(redis_usable(rig.redis));
	assert_false(redis_rig_give(&rig, "GET x", &s[10]));
	assert_int_equal(redis_rig_status(&rig).timeouts, 10);
	redis_rig_turn(&rig, 1500); // long enough for stuck connections to be closed
	assert_int_equal(redis_rig_status(&rig).away, 1);
	redis_server_signal(&l1_rig.server, SIGCONT);
	redis_rig_await(&rig, "up", 6000);
	assert_int_equal(redis_rig_do(&rig, "GET x").end, REDIS_DONE);
	assert_int_equal(s[0].ends, 1);
}

TEST_WITH(test_killed_server, setup, teardown)
{
	struct redis_seen s[100] = {0};
	// A waiting command gets the error of its end, however late that comes.
	rig.config.timeout_ms = 10000;
	assert_int_equal(redis_rig_do(&rig, "SET x 1 PX 60000").end, REDIS_DONE);
	redis_server_signal(&l1_rig.server, SIGSTOP);
	for (unsigned i = 0; i < 100; i++)
		assert_true(redis_rig_give(&rig, "GET x", &s[i]));
	redis_rig_turn(&rig, 20);
	redis_server_stop(&l1_rig.server);
	redis_rig_await(&rig, "away", 1000);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(s[i].ends, 1);
		assert_int_equal(s[i].end, REDIS_LOST);
	}
	assert_false(redis_rig_give(&rig, "GET x", &s[0]));
	redis_server_start(&l1_rig.server, NULL);
	redis_rig_await(&rig, "up", 6000);
	assert_int_equal(redis_rig_do(&rig, "GET x").kind, REDIS_NIL);
}

TEST_WITH(test_full_and_readonly, setup, teardown)
{
	l1_rig_say("CONFIG SET maxmemory 1");
	struct redis_seen s = redis_rig_do(&rig, "HSET k a 1 | EXPIRE k 100");
	assert_int_equal(s.end, REDIS_REFUSED);
	assert_int_equal(redis_rig_do(&rig, "GET k").end, REDIS_DONE);
	assert_int_equal(redis_rig_status(&rig).oom, 1);
	assert_non_null(strstr(redis_rig_status(&rig).error, ": OOM command not allowed"));
	assert_true(redis_rig_status(&rig).error_ms > 0);
	l1_rig_say("CONFIG SET maxmemory 0");
	l1_rig_say("REPLICAOF 127.0.0.1 1");
	assert_int_equal(redis_rig_do(&rig, "SET k 1").end, REDIS_REFUSED);
	assert_int_equal(redis_rig_status(&rig).readonly, 1);
	l1_rig_say("REPLICAOF NO ONE");
	assert_string_equal(redis_rig_status(&rig).state, "up");
}

TEST_WITH(test_log_in, setup, teardown)
{
	char user[] = "weir", right[] = "s3cret", wrong[] = "secret-nobody-may-see";
	l1_rig_say("ACL SETUSER weir on >s3cret ~* &* +@all");
	struct config_redis c = rig.config;
	c.username = user;
	c.password = wrong;
	redis_configure(rig.redis, &c);
	redis_rig_await(&rig, "away", 1000);
	assert_non_null(strstr(redis_rig_status(&rig).error, "log-in refused: WRONGPASS"));
	assert_null(strstr(redis_rig_status(&rig).error, wrong));

	struct config_redis c2 = c;
	c2.password = right;
	c2.db = 3;
	redis_configure(rig.redis, &c2);
	redis_rig_await(&rig, "up", 1000);
	assert_int_equal(redis_rig_do(&rig, "SET here 1").end, REDIS_DONE);
	assert_string_equal(l1_rig_say("EXISTS here"), ":0\r\n");
	assert_string_equal(redis_rig_do(&rig, "CLIENT GETNAME").text, "weir");

	struct config_redis c3 = c2;
	c3.db = 4000;
	redis_configure(rig.redis, &c3);
	redis_rig_await(&rig, "away", 1000);
	assert_non_null(strstr(redis_rig_status(&rig).error, "refused: ERR"));
	redis_configure(rig.redis, &rig.config);
	redis_rig_await(&rig, "up", 1000);
}

// What was given before a change ends as if there had been none.
TEST_WITH(test_configure, setup, teardown)
{
	struct redis_seen s = {0}, t = {0};
	struct config_redis same = rig.config, off = rig.config;
	same.timeout_ms = 200;
	assert_true(redis_rig_give(&rig, "GET x", &s));
	redis_configure(rig.redis, &same);
	off.mode = REDIS_MODE_OFF;
	assert_true(redis_rig_give(&rig, "GET x", &t));
	redis_configure(rig.redis, &off);
	assert_string_equal(redis_rig_status(&rig).state, "off");
	assert_false(redis_rig_give(&rig, "GET x", &s));
	redis_rig_ends(&rig, &s, 1);
	redis_rig_ends(&rig, &t, 1);
	assert_int_equal(s.end, REDIS_DONE);
	assert_int_equal(t.end, REDIS_DONE);
	redis_configure(rig.redis, &rig.config);
	assert_int_equal(redis_rig_do(&rig, "GET x").end, REDIS_DONE);
	assert_int_equal(redis_rig_status(&rig).lost, 0);
}

TEST_WITH(test_free_calls_back, setup, teardown)
{
	struct redis_seen s = {0};
	assert_true(redis_rig_give(&rig, "GET x", &s));
	redis_free(rig.redis);
	rig.redis = NULL;
	assert_int_equal(s.ends, 1);
	assert_int_equal(s.end, REDIS_AWAY);
}

struct heard {
	unsigned messages, gaps;
	char last[32];
};

static void on_message(void *arg, const char *text, size_t len)
{
	struct heard *h = arg;
	h->messages++;
	snprintf(h->last, sizeof(h->last), "%.*s", (int)len, text);
}

static void on_gap(void *arg)
{
	((struct heard *)arg)->gaps++;
}

TEST_WITH(test_subscription, setup, teardown)
{
	struct heard h = {0};
	redis_subscribe(rig.redis, "weir-meta:flush", on_message, on_gap, &h);
	redis_rig_until(&rig, h.gaps == 1);
	assert_int_equal(redis_rig_do(&rig, "PUBLISH weir-meta:flush one").integer, 1);
	redis_rig_until(&rig, h.messages == 1);
	assert_string_equal(h.last, "one");
	l1_rig_say("CLIENT KILL TYPE pubsub");
	redis_rig_until(&rig, h.gaps == 2);
	assert_int_equal(redis_rig_do(&rig, "PUBLISH weir-meta:flush two").integer, 1);
	redis_rig_until(&rig, h.messages != 1);
	assert_string_equal(h.last, "two");
	redis_subscribe(rig.redis, NULL, NULL, NULL, NULL);
	// Nobody hears it once the server has seen our end.
	struct redis_seen s = {.integer = 1};
	for (unsigned i = 0; i < 1000 && s.integer > 0; i++) {
		redis_rig_turn(&rig, 10);
		s = redis_rig_do(&rig, "PUBLISH weir-meta:flush three");
	}
	assert_int_equal(s.end, REDIS_DONE);
	assert_int_equal(s.integer, 0);
	assert_string_equal(h.last, "two");
}

TEST(test_no_server)
{
	struct redis_rig g = {0};
	struct redis_seen s = {0};
	redis_rig_start(&g, REDIS_MODE_STANDALONE, redis_free_port());
	assert_string_equal(redis_rig_status(&g).state, "connecting");
	(void)redis_rig_give(&g, "GET x", &s);
	redis_rig_await(&g, "away", 1000);
	assert_int_equal(s.ends, 1);
	assert_int_equal(s.end, REDIS_AWAY);
	assert_non_null(strstr(redis_rig_status(&g).error, "refused"));
	redis_rig_stop(&g);
	redis_rig_start(&g, REDIS_MODE_OFF, 0);
	assert_false(redis_rig_give(&g, "GET x", &s));
	assert_string_equal(redis_rig_status(&g).state, "off");
	assert_int_equal(redis_nodes(g.redis), 0);
	redis_rig_stop(&g);
}

TEST_GROUP(l1_rig_server_up, l1_rig_server_down)
