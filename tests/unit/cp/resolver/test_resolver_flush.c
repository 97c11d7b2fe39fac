// SPDX-License-Identifier: BSD-3-Clause
// Flushes through the resolver, on a real redis-server: both tiers, what comes late, other boxes,
// and what Redis may say without being believed.
#include "resolver_rig.h"
#include "tests/unit/clock_shift.h"

static struct redis_server server;

static int server_up(void **)
{
	redis_server_start(&server, NULL);
	rig_redis_port = server.port;
	return 0;
}

FIXTURE(server_down, redis_server_clean(&server))

static const char *say(const char *command)
{
	return redis_server_say(&server, command);
}

static bool has_key(const char *key)
{
	return strcmp(say(text_from("EXISTS %s", key)), ":1\r\n") == 0;
}

static void await_subscribed(void)
{
	WAIT_FOR(status().flush.subscribed > 0);
	rig_redis_await();
	assert_int_equal(status().flush.subscribed, 1);
}

static int setup(void **state)
{
	say("FLUSHALL");
	rig_setup(state);
	await_subscribed();
	return 0;
}

// Another box: the same upstreams and Redis, an appliance of its own. The one that is not in `rig`
// and `dp` is kept here.
static struct resolver_rig other_rig;
static struct fake_dataplane other_dp;

static void box_swap(void)
{
	struct resolver_rig r = rig;
	struct fake_dataplane d = dp;
	rig = other_rig;
	dp = other_dp;
	other_rig = r;
	other_dp = d;
}

static int setup_two(void **state)
{
	setup(state);
	other_rig = rig;
	other_dp = dp;
	rig_box_start();
	await_subscribed();
	box_swap();
	return 0;
}

static int teardown_two(void **state)
{
	box_swap();
	rig_box_stop();
	box_swap();
	return rig_teardown(state);
}

static void fill(const char *name, enum answer_kind kind)
{
	static uint16_t id;
	ask(name, ++id);
	expect_answer(id, 0, kind);
}

static void await_key(const char *key)
{
	WAIT_FOR(has_key(key));
}

TEST_WITH(test_both_tiers, setup, rig_teardown)
{
	fill("a.example", ANSWER_UPSTREAM);
	fill("b.a.example", ANSWER_UPSTREAM);
	fill("c.example", ANSWER_UPSTREAM);
	await_key(rig_l1_key("c.example"));
	struct cache_flushed f = rig_flush(FLUSH_NAME, "a.example", true);
	assert_int_equal(f.l0, 1);
	assert_int_equal(f.l1, 1);
	assert_int_equal(f.l1_end, L1_FLUSH_DONE);
	assert_true(f.told);
	assert_false(has_key(rig_l1_key("a.example")));
	fill("a.example", ANSWER_UPSTREAM);
	await_key(rig_l1_key("a.example"));
	f = rig_flush(FLUSH_BELOW, "a.example", true);
	assert_int_equal(f.l0, 2);
	assert_int_equal(f.l1, 2);
	f = rig_flush(FLUSH_ALL, ".", true);
	assert_int_equal(f.l0, 1);
	assert_int_equal(f.l1, 1);
	struct resolver_status s = status();
	assert_int_equal(s.l0.entries, 0);
	assert_int_equal(s.flush.asked, 3);
	assert_int_equal(s.flush.own, 3);
	assert_int_equal(s.flush.heard, 0);
	assert_int_equal(s.flush.kept_out, 0);
}

// Asked for before the flush and answered after it: its client is served, and that is all.
TEST_WITH(test_answer_under_way_is_not_stored, setup, rig_teardown)
{
	fake[0].held = true;
	ask("late.example", 7);
	WAIT_FOR(rig_asked() > 0);
	struct cache_flushed f = rig_flush(FLUSH_BELOW, "example", true);
	assert_int_equal(f.l0, 0);
	fake[0].held = false;
	expect_answer(7, 0, ANSWER_UPSTREAM);
	WAIT_FOR(status().flush.kept_out > 0);
	assert_int_equal(status().flush.kept_out, 1);
	assert_int_equal(status().l0.entries, 0);
	assert_int_equal(status().stored, 0);
	assert_false(has_key(rig_l1_key("late.example")));
	fill("late.example", ANSWER_UPSTREAM);
	assert_int_equal(status().stored, 1);
}

// Its failures are remembered like answers, and go like them.
TEST_WITH(test_failures_are_forgotten, setup, rig_teardown)
{
	fake[0].mode = fake[1].mode = FAKE_SERVFAIL;
	fails("failing.example", 8);
	fake[0].mode = fake[1].mode = FAKE_ANSWER;
	assert_int_equal(status().failures, 1);
	rig_flush(FLUSH_NAME, "failing.example", true);
	assert_int_equal(status().failures, 0);
	fill("failing.example", ANSWER_UPSTREAM);
}

// As if SCAN had not come to it yet, or another box had written it a moment before it heard.
TEST_WITH(test_old_value_in_redis_is_not_believed, setup, rig_teardown)
{
	fill("a.example", ANSWER_UPSTREAM);
	fill("b.example", ANSWER_UPSTREAM);
	await_key(rig_l1_key("b.example"));
	say(rig_l1_command("COPY %s saved", "a.example"));
	rig_flush(FLUSH_NAME, "a.example", true);
	say(rig_l1_command("COPY saved %s", "a.example"));
	unsigned before = rig_asked();
	fill("a.example", ANSWER_UPSTREAM);
	assert_int_equal(rig_asked(), before + 1);
	assert_int_equal(status().flush.kept_out, 1);
}

TEST_WITH(test_redis_is_away, setup, rig_teardown)
{
	fill("a.example", ANSWER_UPSTREAM);
	redis_server_stop(&server);
	WAIT_FOR(strcmp(status().l1.redis.state, "away") == 0);
	struct cache_flushed f = rig_flush(FLUSH_NAME, "a.example", true);
	assert_int_equal(f.l0, 1);
	assert_int_equal(f.l1, 0);
	assert_int_equal(f.l1_end, L1_FLUSH_AWAY);
	assert_false(f.told);
	redis_server_start(&server, NULL);
}

TEST_WITH(test_other_box, setup_two, teardown_two)
{
	fill("x.example", ANSWER_UPSTREAM);
	fill("y.example", ANSWER_UPSTREAM);
	await_key(rig_l1_key("y.example"));
	box_swap();
	fill("x.example", ANSWER_CACHED);
	fill("y.example", ANSWER_CACHED);
	assert_int_equal(rig_asked(), 2);
	box_swap();
	struct cache_flushed f = rig_flush(FLUSH_NAME, "x.example", true);
	assert_int_equal(f.l0, 1);
	assert_int_equal(f.l1, 1);
	box_swap();
	WAIT_FOR(status().flush.removed_for_others > 0);
	struct resolver_status s = status();
	assert_int_equal(s.flush.heard, 1);
	assert_int_equal(s.flush.removed_for_others, 1);
	assert_int_equal(s.flush.own, 0);
	clock_ahead_by_ms(
		2100); // times in Redis are whole seconds, and what may be older is not taken
	fill("x.example", ANSWER_UPSTREAM);
	fill("y.example", ANSWER_CACHED);
	assert_int_equal(rig_asked(), 3);
	box_swap();
	fill("x.example", ANSWER_CACHED); // what the other one has fetched since
	assert_int_equal(rig_asked(), 3);
}

// The other box answers a question that it had asked before it heard of the flush.
TEST_WITH(test_other_box_stores_nothing_old, setup_two, teardown_two)
{
	fake[0].held = true;
	box_swap();
	ask("late.example", 9);
	WAIT_FOR(rig_asked() > 0);
	box_swap();
	rig_flush(FLUSH_ALL, ".", true);
	box_swap();
	fake[0].held = false;
	expect_answer(9, 0, ANSWER_UPSTREAM);
	WAIT_FOR(status().flush.kept_out > 0);
	assert_int_equal(status().flush.kept_out, 1);
	assert_int_equal(status().l0.entries, 0);
	assert_false(has_key(rig_l1_key("late.example")));
	box_swap();
}

static void publish(const char *text)
{
	assert_string_equal(say(text_from("PUBLISH weir-meta:flush \"%s\"", text)), ":1\r\n");
}

static uint64_t messages_seen(void)
{
	struct flush_status f = status().flush;
	return f.heard + f.own + f.refused + f.bad;
}

static void await_messages(uint64_t n)
{
	WAIT_FOR(messages_seen() >= n);
	assert_int_equal(messages_seen(), n);
}

TEST_WITH(test_hostile_messages, setup, rig_teardown)
{
	enum { FLOOD = 60 };
	static const char *const bad[] = {"", "all", "1 0123456789abcdef all kept.example",
		"1 0123456789abcdef name kept..example", "1 0123456789abcdef below",
		"9 0123456789abcdef all .", "1 0123456789ABCDEF all .",
		"1 0123456789abcdef name Kept.example"};
	char text[64];
	fill("kept.example", ANSWER_UPSTREAM);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		publish(bad[i]);
	await_messages(ARRAY_LEN(bad));
	assert_int_equal(status().flush.bad, ARRAY_LEN(bad));
	assert_int_equal(status().l0.entries, 1);
	for (unsigned i = 0; i < FLOOD; i++) {
		snprintf(text, sizeof(text), "1 0123456789abcdef name n%u.example", i);
		publish(text);
	}
	await_messages(ARRAY_LEN(bad) + FLOOD);
	uint64_t heard = status().flush.heard;
	assert_in_range(heard, FLUSH_NAMES_A_SECOND, 3 * FLUSH_NAMES_A_SECOND);
	assert_int_equal(status().flush.refused, FLOOD - heard);
	fill("kept.example", ANSWER_CACHED);
	// Emptied once; not again while the bound holds, and the name comes back meanwhile.
	publish("1 0123456789abcdef all .");
	WAIT_FOR(status().l0.entries == 0);
	fill("kept.example", ANSWER_UPSTREAM); // older than the flush is what Redis has
	for (unsigned i = 0; i < 5; i++)
		publish(i % 2 ? "1 0123456789abcdef all ." : "1 0123456789abcdef below .");
	await_messages(ARRAY_LEN(bad) + FLOOD + 6);
	assert_int_equal(status().flush.heard, heard + 1);
	assert_int_equal(status().l0.entries, 1);
}

// How long Redis may take from now on: longer than a busy machine keeps a process from its CPU.
static void patience(unsigned ms)
{
	rig.config.redis.timeout_ms = rig.config.redis.lookup_timeout_ms = ms;
	rig_restart();
	await_subscribed();
}

TEST_WITH(test_look_at_both_tiers, setup, rig_teardown)
{
	patience(2000);
	fill("a.example", ANSWER_UPSTREAM);
	await_key(rig_l1_key("a.example"));
	uint64_t lookups = status().l1.lookups;
	const struct rig_look *w = rig_look("a.example", 0);
	assert_int_equal(w->look.count, 2);
	assert_false(w->entry[0].in_l1);
	assert_true(w->entry[0].units > 0 && !w->entry[0].inflight && !w->entry[0].held_back);
	const struct cache_entry *e = &w->entry[1];
	assert_true(e->in_l1);
	assert_int_equal(e->qtype, DNS_TYPE_A);
	assert_int_equal(e->ancount, 1);
	assert_int_equal(e->hits_per_minute, w->entry[0].hits_per_minute);
	assert_in_range(e->soft_left_ms, 290000, 300000);
	assert_int_equal(e->hard_left_ms - e->soft_left_ms, 3600 * 1000);
	assert_int_equal(e->message_len, w->entry[0].message_len);
	assert_int_equal(w->look.l1_lost, 0);
	assert_int_equal(w->look.l1_asked, 4 * w->look.l1_type_count);
	assert_int_equal(status().l1.lookups, lookups);

	assert_int_equal(rig_look("a.example", DNS_TYPE_AAAA)->look.count, 0);
	assert_int_equal(rig_look("a.example", DNS_TYPE_A)->look.l1_asked, 4);
	say(rig_l1_command("HSET %s msg nonsense", "a.example"));
	w = rig_look("a.example", DNS_TYPE_A);
	assert_int_equal(w->look.count, 1);
	assert_int_equal(w->look.l1_bad, 1);
	redis_server_signal(&server, SIGSTOP); // no reply in time
	w = rig_look("a.example", DNS_TYPE_A);
	redis_server_signal(&server, SIGCONT);
	assert_int_equal(w->look.count, 1);
	assert_int_equal(w->look.l1_asked, 4);
	assert_int_equal(w->look.l1_lost, 4);
}

// A look still waits for Redis when the resolver ends: nobody is called back.
TEST_WITH(test_ends_amid_a_look, setup, rig_teardown)
{
	enum { ALL_TYPES = 50 /* keys, at least */ };
	static struct rig_look w;
	const struct dns_name n = name_of_text("a.example");
	struct loop *client;
	assert_int_equal(loop_new("client", &client), 0);
	patience(20000);
	fill("a.example", ANSWER_UPSTREAM); // an entry, found before Redis is asked
	redis_server_signal(&server, SIGSTOP);
	assert_int_equal(resolver_cache_get(rig.resolver, &n, 0, client, rig_on_look, &w), 0);
	WAIT_FOR(status().l1.redis.pending >= ALL_TYPES);
	control_stop();
	redis_server_signal(&server, SIGCONT);
	loop_stop(client);
	assert_int_equal(loop_run(client), 0);
	loop_free(client);
	assert_false(w.there);
	close(dp.link_fd);
	control_start();
	link_up_now();
}

// The end comes while everything is under way (ASan).
TEST_WITH(test_ends_amid_flushes, setup, rig_teardown)
{
	static struct rig_flush w[3];
	fill("a.example", ANSWER_UPSTREAM);
	for (unsigned i = 0; i < 3; i++)
		rig_flush_begin(
			&w[i], (enum flush_kind)i, i == FLUSH_ALL ? "." : "a.example", true);
	publish("1 0123456789abcdef below example");
}

static int sends_once(void **state)
{
	rig_max_sends = 1;
	return server_up(state);
}
TEST_GROUP(sends_once, server_down)
