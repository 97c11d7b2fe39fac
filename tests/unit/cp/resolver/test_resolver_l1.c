// SPDX-License-Identifier: BSD-3-Clause

// The resolver with a real Redis behind it: what it takes from there, what it refuses, and how it
// renews what other boxes may be renewing.
#include "l1/redis_conn.h"
#include "resolver_rig.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/cp/l1/redis_local.h"
#include "tests/unit/cp/querylog/row_watch.h"

enum { PATIENCE_MS = 20000 };

static struct redis_server server;

FIXTURE(server_up, redis_server_start(&server, NULL))

FIXTURE(server_down, redis_server_clean(&server))

// lookup_ms: what a look may take; far more than any, unless the test is of one that gets no reply.
static int setup_with(void **state, unsigned lookup_ms)
{
	struct config_redis *c = &rig.config.redis;

	rig_setup(state);
	control_stop();
	close(dp.link_fd);
	redis_server_signal(&server, SIGCONT); // a test that failed may have left it stopped
	redis_server_say(&server, "FLUSHALL");
	*c = redis_local(server.port);
	c->max_keys = 19; // so that one put makes a round due
	c->sweep_min_hits = 1;
	c->sweep_hit_window_s = 60;
	c->timeout_ms = PATIENCE_MS;
	c->lookup_timeout_ms = lookup_ms;
	rig.config.upstreams.first_timeout_ms = 1500; // nothing is sent twice
	rig.config.cache.max_ttl_s = 604800;
	rig.config.refresh.sweep_interval_s = 86400; // no hit fades when the clock jumps
	control_start();
	link_up_now();
	rig_redis_await();
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, PATIENCE_MS);
}

// Room for one record, an OPT and an error, if the name has 13 bytes.
static int setup_tight(void **state)
{
	setup(state);
	rig.config.limits.udp_reply_size = DNS_HEADER_LEN + 13 + 4 + 16 + DNS_OPT_FIXED_LEN + 6;
	rig_restart();
	rig_redis_await();
	return 0;
}

// A look may open a connection, and ends with it after REDIS_CONNECT_MS: it has to be late before.
static int setup_hasty(void **state)
{
	return setup_with(state, REDIS_CONNECT_MS / 2);
}

// A value as another box would write it: `answered` is the name in the message, an A record.
struct value {
	const char *name, *answered;
	uint32_t ttl_s;
	int64_t age_s;
};

static uint8_t *record_put(uint8_t *p, uint16_t owner, uint16_t type, const struct value *v,
	const void *rdata, size_t len)
{
	put_u16(p, (uint16_t)(0xc000 | owner));
	put_u16(p + 2, type);
	put_u16(p + 4, DNS_CLASS_IN);
	put_u32(p + 6, v->ttl_s);
	put_u16(p + 10, (uint16_t)len);
	memcpy(p + 12, rdata, len);
	return p + 12 + len;
}

// With a CNAME to `alias`, and the A record of that; NULL: without.
static void alias_write(const struct value *v, const char *alias)
{
	uint8_t msg[512] = {0, 0, 0x81, 0x80, 0, 1, 0, 1};
	char command[3000];
	const struct dns_name name = name_of_text(v->answered);
	int64_t created = (int64_t)(clock_ms_of(CLOCK_REALTIME) / 1000) - v->age_s;

	uint8_t *p = msg + DNS_HEADER_LEN;
	memcpy(p, name.wire, name.len);
	p += name.len;
	memcpy(p, "\0\1\0\1", 4);
	p += 4;
	uint16_t owner = DNS_HEADER_LEN;
	if (alias) {
		const struct dns_name target = name_of_text(alias);
		put_u16(msg + 6, 2);
		p = record_put(p, owner, DNS_TYPE_CNAME, v, target.wire, target.len);
		owner = (uint16_t)(p - msg - target.len);
	}
	p = record_put(p, owner, DNS_TYPE_A, v, "\306\63\144\7", 4);
	int n = snprintf(command, sizeof(command),
		"HSET %s v 1 created_at %lld soft_expiry %lld stored_ttl %u auth_ttl %u "
		"msg \"",
		rig_l1_key(v->name), (long long)created, (long long)created + v->ttl_s, v->ttl_s,
		v->ttl_s);
	for (const uint8_t *q = msg; q < p; q++)
		n += snprintf(command + n, sizeof(command) - (size_t)n, "\\x%02x", *q);
	snprintf(command + n, sizeof(command) - (size_t)n, "\"");
	assert_int_equal(redis_server_say(&server, command)[0], ':');
}

static void value_write(const struct value *v)
{
	alias_write(v, NULL);
}

static struct cache_entry entry;

// The records of that name in L0, the last one in `entry`.
static int look_count(const char *text)
{
	const struct rig_look *l = rig_look(text, 0);
	int count = 0;
	for (unsigned i = 0; i < l->look.count; i++) {
		if (l->entry[i].in_l1)
			continue;
		entry = l->entry[i];
		count++;
	}
	return count;
}

static void look(const char *text)
{
	assert_int_equal(look_count(text), 1);
}

// The record is as old as its value, written when it was start_ms, was then; a second is what the
// dates of values are rounded to.
static void expect_age(uint64_t age_s, uint64_t ttl_s, uint64_t start_ms)
{
	uint64_t since_ms = 1000 + clock_mono_ms() - start_ms;

	assert_in_range(entry.age_ms, age_s * 1000, age_s * 1000 + since_ms);
	assert_int_equal(entry.age_ms + entry.soft_left_ms, ttl_s * 1000);
}

TEST_WITH(test_what_is_there_is_not_asked_for, setup, rig_teardown)
{
	uint64_t start_ms = clock_mono_ms();
	value_write(&(struct value){"there.example", "there.example", 300, 100});
	resolves("there.example", 1, ANSWER_CACHED);
	assert_int_equal(rig_asked(), 0);
	look("there.example");
	expect_age(100, 300, start_ms);
	assert_int_equal(status().l1_answers, 1);
}

// Who answered is on record: Redis, or which server.
TEST_WITH(test_rows_tell_who_answered, setup, rig_teardown)
{
	row_watch_start(NULL, 0);
	value_write(&(struct value){"there.example", "there.example", 300, 100});
	resolves("there.example", 1, ANSWER_CACHED);
	struct row_watch_row row = row_watch_await(1);
	assert_string_equal(row.verdict, "resolved");
	assert_int_equal(row.tier, QUERYLOG_TIER_L1);
	assert_string_equal(row.upstream, "");
	resolves("there.example", 2, ANSWER_CACHED);
	row = row_watch_await(2);
	assert_string_equal(row.verdict, "hit");
	assert_int_equal(row.tier, QUERYLOG_TIER_L0);
	resolves("elsewhere.example", 3, ANSWER_UPSTREAM);
	row = row_watch_await(3);
	assert_string_equal(row.verdict, "resolved");
	assert_int_equal(row.tier, QUERYLOG_TIER_UPSTREAM);
	assert_int_equal(rig_asked(), 1);
	assert_string_equal(
		row.upstream, text_from("127.0.0.1:%u", fake[fake[0].udp_queries ? 0 : 1].port));
	row_watch_stop();
}

static struct trace traced;
static _Atomic unsigned traces_seen;

static void on_trace(void *, const struct trace *t)
{
	traced = *t;
	traces_seen++;
}

// What a client was told of a name that somebody watches, and the steps to it as text.
static void expect_steps(const char *name, uint16_t id, enum answer_kind kind, const char *wanted)
{
	char text[512] = "";
	const struct fake_miss m = {.name = name,
		.type = DNS_TYPE_A,
		.id = id,
		.has_opt = true,
		.trace = watch_trace_number(7, id)};
	unsigned before = traces_seen;
	size_t len = 0;
	FAKE_DATAPLANE_SEND(&dp, &m);
	expect_answer(id, 0, kind);
	WAIT_FOR(traces_seen != before);
	assert_int_equal(traces_seen, before + 1);
	for (unsigned i = 0; i < traced.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
			trace_step_names[traced.event[i].step]);
	assert_string_equal(text, wanted);
}

TEST_WITH(test_a_watch_sees_each_tier, setup, rig_teardown)
{
	const struct dp_watch f = {.id = 7, .until_ms = clock_mono_ms() + 600000};
	assert_int_equal(resolver_watch(rig.resolver, &f, on_trace, NULL), 0);
	(void)status(); // the watch is there
	value_write(&(struct value){"there.example", "there.example", 300, 100});
	expect_steps("there.example", 1, ANSWER_CACHED,
		"received l0_miss began l1_sent l1_hit l0_stored answered ended");
	assert_in_range(traced.event[4].value, 100, 130);
	expect_steps("elsewhere.example", 2, ANSWER_UPSTREAM,
		"received l0_miss began l1_sent l1_miss udp_sent reply l0_stored answered "
		"l1_stored ended");
	value_write(&(struct value){"wrong.example", "other.example", 300, 100});
	expect_steps("wrong.example", 3, ANSWER_UPSTREAM,
		"received l0_miss began l1_sent l1_hit l1_unused udp_sent reply l0_stored answered "
		"l1_stored ended");
	assert_int_equal(resolver_watch(rig.resolver, NULL, NULL, NULL), 0);
}

// Days may have passed since it was made, and this machine may have been on for a minute.
TEST_WITH(test_a_value_older_than_the_machine_keeps_its_age, setup, rig_teardown)
{
	uint64_t start_ms = clock_mono_ms();
	value_write(&(struct value){"week.example", "week.example", 604800, 604000});
	resolves("week.example", 1, ANSWER_CACHED);
	look("week.example");
	expect_age(604000, 604800, start_ms);
}

TEST_WITH(test_the_answer_to_another_name_is_refused_and_deleted, setup, rig_teardown)
{
	value_write(&(struct value){"victim.example", "evil.example", 300, 0});
	resolves("victim.example", 1, ANSWER_UPSTREAM);
	assert_int_equal(rig_asked(), 1);
	assert_int_equal(status().l1.bad, 1);
}

TEST_WITH(test_a_stale_value_helps_when_nobody_answers, setup, rig_teardown)
{
	fake[0].mode = fake[1].mode = FAKE_REFUSED;
	value_write(&(struct value){"stale.example", "stale.example", 60, 100});
	resolves("stale.example", 1, ANSWER_STALE);
	assert_true(rig_asked() > 0);
}

static int setup_local_alias(void **state)
{
	static struct config_record record;
	static struct dns_name target;

	setup(state);
	target = name_of_text("www.example");
	record = (struct config_record){.name = name_of_text("short.lan"),
		.type = DNS_TYPE_CNAME,
		.ttl_s = 77,
		.rdata = target.wire,
		.rdata_len = target.len};
	rig.config.local.records = &record;
	rig.config.local.record_count = 1;
	rig_restart();
	rig_redis_await();
	return 0;
}

// Not where it leads to a name that is local here: another box's end of it is not this one's.
TEST_WITH(test_a_stale_value_leads_to_no_local_name, setup_local_alias, rig_teardown)
{
	fake[0].mode = fake[1].mode = FAKE_REFUSED;
	alias_write(&(struct value){"a.example", "a.example", 60, 100}, "elsewhere.lan");
	resolves("a.example", 1, ANSWER_STALE);
	alias_write(&(struct value){"b.example", "b.example", 60, 100}, "short.lan");
	fails("b.example", 2);
}

// An error that is left out for want of room (RFC 8914 3) was told to nobody.
TEST_WITH(test_rows_have_the_errors_that_were_told, setup_tight, rig_teardown)
{
	static const char *const names[] = {"old.example", "older.example"};
	row_watch_start(NULL, 0);
	fake[0].mode = fake[1].mode = FAKE_REFUSED;
	for (uint16_t i = 0; i < 2; i++) {
		value_write(&(struct value){names[i], names[i], 60, 100});
		resolves(names[i], i, ANSWER_STALE);
		assert_int_equal(ede_of_answer(), i ? -1 : DNS_EDE_STALE_ANSWER);
		assert_int_equal(
			row_watch_await(i + 1u).ede, i ? QUERYLOG_NO_EDE : DNS_EDE_STALE_ANSWER);
	}
	row_watch_stop();
}

enum { HOT_TTL_S = 600, DUE_S = 500 }; // hot ones are renewed in the last 30%

// Asked for so often, in that order whatever the machine does, that it is renewed when it is old.
static void make_hot(const char *name)
{
	fake[0].ttl_s = fake[1].ttl_s = HOT_TTL_S;
	resolves(name, 1, ANSWER_UPSTREAM);
	for (uint16_t i = 2; i <= 80; i++) {
		resolves(name, i, ANSWER_CACHED);
	}
	assert_int_equal(rig_asked(), 1);
}

// And old it is: a worker tells of a hit.
static void make_due(const char *name)
{
	clock_ahead_by_ms(DUE_S * 1000);
	rig_ask((struct fake_miss){.name = name, .refresh = true});
}

TEST_WITH(test_another_box_renews, setup, rig_teardown)
{
	make_hot("shared.example");
	redis_server_say(
		&server, rig_l1_command("SET weir-meta:refresh:%s 1 EX 1000", "shared.example"));
	make_due("shared.example");
	WAIT_FOR(status().refreshed_elsewhere > 0);
	assert_int_equal(rig_asked(), 1);
	value_write(&(struct value){"shared.example", "shared.example", 3000, 0});
	look("shared.example");
	WAIT_FOR(entry.soft_left_ms > HOT_TTL_S * 1000, look("shared.example"));
	assert_int_equal(rig_asked(), 1);
}

// In seconds; below 0: no lock.
static long lock_left(const char *name)
{
	return strtol(
		redis_server_say(&server, rig_l1_command("TTL weir-meta:refresh:%s", name)) + 1,
		NULL, 10);
}

static bool is_in_redis(const char *name)
{
	return strncmp(redis_server_say(&server, rig_l1_command("EXISTS %s", name)), ":1", 2) == 0;
}

// What it is renewed with leads on: no other box waits for a lock of either name.
TEST_WITH(test_the_lock_of_an_alias_ends_when_it_is_followed, setup, rig_teardown)
{
	make_hot("alias.example");
	for (unsigned i = 0; i < 2; i++)
		rig_alias(i, FAKE_ALIAS_ALONE, "target.example");
	make_due("alias.example");
	WAIT_FOR(is_in_redis("target.example"));
	assert_int_equal(rig_asked(), 3);
	assert_true(lock_left("alias.example") <= 1);
	assert_true(lock_left("target.example") <= 1);
}

static unsigned long hits_written(void)
{
	const char *number = strchr(
		redis_server_say(&server, rig_l1_command("HGET %s hits", "counted.example")), '\n');
	assert_non_null(number);
	return strtoul(number + 1, NULL, 10);
}

// How often it is asked for goes along, or the cap would choose among keys that are all alike.
TEST_WITH(test_hits_are_written, setup, rig_teardown)
{
	make_hot("counted.example");
	make_due("counted.example");
	// One, when the first answer was written.
	WAIT_FOR(hits_written() >= 2);
	assert_int_equal(rig_asked(), 2);
	assert_in_range(hits_written(), 60, 100);
}

// By the hits in its key it is cold, and by those on this box it is not.
TEST_WITH(test_what_became_popular_here_is_not_deleted_as_cold, setup, rig_teardown)
{
	value_write(&(struct value){"busy.example", "busy.example", 300, 100});
	value_write(&(struct value){"quiet.example", "quiet.example", 300, 100});
	redis_server_say(
		&server, rig_l1_command("ZADD weir-meta:expiry 99999999999 %s", "busy.example"));
	redis_server_say(
		&server, rig_l1_command("ZADD weir-meta:expiry 99999999999 %s", "quiet.example"));
	for (uint16_t i = 1; i <= 80; i++) {
		resolves("busy.example", i, ANSWER_CACHED);
	}
	resolves("quiet.example", 81, ANSWER_CACHED);
	resolves("one.example", 82,
		ANSWER_UPSTREAM); // a twentieth of the cap is put: a round is due
	WAIT_FOR(status().l1_sweep.cold > 0);
	assert_int_equal(status().l1_sweep.cold, 1);
	assert_int_equal(status().l1_sweep.spared, 1);
	assert_true(is_in_redis("busy.example"));
	assert_false(is_in_redis("quiet.example"));
	assert_int_equal(look_count("busy.example"), 1);
	assert_int_equal(look_count("quiet.example"), 0);
}

static void await_looks(unsigned count)
{
	WAIT_FOR(status().l1.looking == count);
}

// A server that hangs costs the questions that wait for it its time-out.
TEST_WITH(test_it_answers_while_redis_hangs, setup_hasty, rig_teardown)
{
	redis_server_signal(&server, SIGSTOP);
	resolves("waits.example", 1, ANSWER_UPSTREAM);
	assert_int_equal(status().l1.timeouts, 1);
	redis_server_signal(&server, SIGCONT);
}

// And questions that wait for it end with us.
TEST_WITH(test_it_ends_while_redis_hangs, setup, rig_teardown)
{
	redis_server_signal(&server, SIGSTOP);
	for (uint16_t i = 0; i < 100; i++)
		ask((const char *[]){"a.example", "b.example", "c.example"}[i % 3], i);
	await_looks(3);
	control_stop();
	redis_server_signal(&server, SIGCONT);
	close(dp.link_fd);
	control_start();
	link_up_now();
}

TEST_WITH(test_it_is_turned_off_while_questions_wait, setup_hasty, rig_teardown)
{
	static struct config off;

	off = rig.config;
	off.redis.mode = REDIS_MODE_OFF;
	redis_server_signal(&server, SIGSTOP);
	ask("off.example", 1);
	await_looks(1);
	rig_reload_to(&off);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	redis_server_signal(&server, SIGCONT);
	resolves("later.example", 2, ANSWER_UPSTREAM);
	assert_string_equal(status().l1.redis.state, "off");
	assert_int_equal(status().l1.looking, 0);
}

TEST_GROUP(server_up, server_down)
