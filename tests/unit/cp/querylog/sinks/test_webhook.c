// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/querylog/sinks/webhook.h"
#include "tests/unit/cp/http/fake_post.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/cp/upstream/fake_upstream.h"
#include "tests/unit/unit.h"

#include <weir/log_recent.h>

static struct querylog_rig rig;
static struct fake_post server;
static struct config_webhook target;
static char url[64];
static _Atomic int64_t now_s;
static _Atomic int status;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char last[8192]; // body
static _Atomic unsigned received;
static _Atomic size_t longest; // body
static _Atomic unsigned most;  // queries in a body

static int64_t clock_s(void)
{
	return now_s;
}

static int answer(void *, const struct fake_post_request *r, char[1024])
{
	pthread_mutex_lock(&lock);
	snprintf(last, sizeof(last), "%.*s", (int)r->len, (const char *)r->body);
	unsigned queries = 0;
	for (const char *at = last; (at = strstr(at, "\"qname\"")) != NULL; at++)
		queries++;
	pthread_mutex_unlock(&lock);
	longest = r->len > longest ? r->len : longest;
	most = queries > most ? queries : most;
	received++;
	return status;
}

static int setup(void **)
{
	querylog_rig_open(&rig, 5);
	server = (struct fake_post){.answer = answer};
	fake_post_start(&server);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/secret?token", server.port);
	target = (struct config_webhook){.to = {.url = url, .per_minute = 60}};
	status = 204;
	received = most = 0;
	longest = 0;
	now_s = 1795000000;
	return 0;
}

static int teardown(void **)
{
	fake_post_stop(&server);
	querylog_rig_close(&rig);
	return 0;
}

static struct webhook *open_one(void)
{
	struct webhook *w;
	const struct webhook_settings s = {
		.targets = &target, .count = 1, .box = "box", .unix_s = clock_s};
	assert_int_equal(webhook_open(&w, &s), 0);
	return w;
}

static struct querylog_row row_of(const char *name, bool blocked, unsigned rcode)
{
	return (struct querylog_row){.time_us = 1795000000000000,
		.weight = 2,
		.qname = {name, (uint16_t)strlen(name)},
		.client = {"192.0.2.7", 9},
		.verdict = querylog_rig_text(blocked ? "blocked" : "resolved"),
		.list = querylog_rig_text(blocked ? "ads" : ""),
		.qtype = 1,
		.qclass = 1,
		.rcode = (uint16_t)rcode,
		.ede = QUERYLOG_NO_EDE,
		.tier = blocked ? QUERYLOG_TIER_RULES : QUERYLOG_TIER_L0,
		.is_answered = true,
		.is_blocked = blocked};
}

static void give(struct webhook *w, const char *name, bool blocked, unsigned rcode)
{
	const struct querylog_row row = row_of(name, blocked, rcode);
	const struct querylog_batch *b = querylog_rig_row(&rig, &row);
	const struct querylog_sink sink = sink_thread_sink(webhook_thread(w));
	WAIT_FOR(sink.take(sink.arg, b));
	querylog_release(b);
}

static void await_received(unsigned n)
{
	WAIT_FOR(received >= n);
}

// The thread has heard the reply too, so that nothing waits.
static void await_written(struct webhook *w, unsigned n)
{
	struct sink_status s = {0};
	WAIT_FOR(s.written >= n, sink_thread_status(webhook_thread(w), &s));
}

static bool said(const char *what)
{
	pthread_mutex_lock(&lock);
	bool is = strstr(last, what) != NULL;
	pthread_mutex_unlock(&lock);
	return is;
}

TEST_WITH(test_wanted_kinds_are_sent, setup, teardown)
{
	target.on_block = true;
	struct webhook *w = open_one();
	give(w, "fine.example", false, 0);
	give(w, "failed.example", false, 2);
	give(w, "ads.example", true, 3);
	await_received(1);
	assert_true(said("\"kind\":\"block\"") || said("\"kind\": \"block\""));
	assert_true(said("ads.example") && said("\"ads\""));
	assert_false(said("failed.example") || said("fine.example"));
	await_written(w, 1);
	webhook_close(w);
	assert_int_equal(received, 1);
}

TEST_WITH(test_errors_for_discord, setup, teardown)
{
	target.on_error = true;
	target.to.form = WEBHOOK_DISCORD;
	struct webhook *w = open_one();
	give(w, "ads.example", true, 2); // as its rule says
	give(w, "@everyone`x.example", false, 2);
	await_received(1);
	assert_false(said("ads.example"));
	assert_true(said("@everyone'x.example") && said("allowed_mentions"));
	assert_false(said("`x.example"));
	webhook_close(w);
}

// What a failed message had is in the next one; the URL's path is nowhere.
TEST_WITH(test_a_failure_is_sent_later, setup, teardown)
{
	target.on_block = true;
	status = 500;
	struct webhook *w = open_one();
	give(w, "first.example", true, 3);
	await_received(1);
	struct sink_status s = {0};
	WAIT_FOR(s.failures > 0, sink_thread_status(webhook_thread(w), &s));
	assert_non_null(strstr(s.why, "HTTP 500"));
	assert_null(strstr(s.why, "secret"));
	assert_true(s.is_ill);
	give(w, "second.example", true, 3);
	status = 204;
	await_received(2);
	WAIT_FOR(said("second.example")); // this thread may have given it a try too late
	assert_true(said("first.example") && said("second.example"));
	WAIT_FOR(s.written > 0, sink_thread_status(webhook_thread(w), &s));
	assert_int_equal(s.written, 1);
	assert_false(s.is_ill);
	assert_string_equal(s.why, "");
	assert_in_range(s.failures, 1, 3);
	webhook_close(w);
}

static const char *logged(void)
{
	static struct log_recent kind;
	return log_recent_copy(&kind, 1, NULL) == 1 ? kind.text : "";
}

// Between two messages there is a second, which the end does not wait for.
TEST_WITH(test_the_end_tells_what_waits, setup, teardown)
{
	target.on_block = true;
	struct webhook *w = open_one();
	give(w, "first.example", true, 3);
	await_received(1);
	give(w, "second.example", true, 3);
	webhook_close(w);
	assert_int_equal(received, 2);
	assert_true(said("second.example"));
	assert_null(strstr(logged(), "dropped at shutdown"));
}

static uint64_t end_beside_a_silent_one_ms(void)
{
	target.on_block = true;
	target.on_error = true;
	status = FAKE_POST_SILENT;
	struct webhook *w = open_one();
	give(w, "ads.example", true, 3);
	await_received(1);
	give(w, "failed.example", false, 2);
	uint64_t begin_ms = clock_mono_ms();
	webhook_close(w);
	uint64_t took_ms = clock_mono_ms() - begin_ms;
	assert_string_equal(logged(), "webhook: 2 messages, of 4 queries, dropped at shutdown");
	return took_ms;
}

// A target that is slow holds the end up no longer than the bound; nor is it silent. Once is proof,
// as a busy machine only takes longer.
TEST_WITH(test_the_end_is_not_held_up, setup, teardown)
{
	enum { TRIES = 5, MOST_MS = WEBHOOK_TIMEOUT_MS - 1000 };
	uint64_t took_ms = end_beside_a_silent_one_ms();
	for (unsigned i = 1; i < TRIES && took_ms >= MOST_MS; i++) {
		(void)teardown(unit_state);
		(void)setup(unit_state);
		took_ms = end_beside_a_silent_one_ms();
	}
	assert_true(took_ms < MOST_MS);
}

static _Atomic unsigned heard;

static int answer_well(void *, const struct fake_post_request *, char[1024])
{
	heard++;
	return 204;
}

// Nor does it take the time of one that takes messages.
TEST_WITH(test_the_end_reaches_who_is_not_silent, setup, teardown)
{
	struct fake_post well = {.answer = answer_well};
	fake_post_start(&well);
	char *well_url = text_from("http://127.0.0.1:%u/", well.port);
	target.on_block = true;
	status = FAKE_POST_SILENT;
	heard = 0;
	const struct config_webhook two[] = {
		target, {.to = {.url = well_url, .per_minute = 60}, .on_block = true}};
	const struct webhook_settings s = {
		.targets = two, .count = 2, .box = "box", .unix_s = clock_s};
	struct webhook *w;
	assert_int_equal(webhook_open(&w, &s), 0);
	give(w, "ads.example", true, 3);
	await_received(1);
	webhook_close(w);
	fake_post_stop(&well);
	assert_int_equal(heard, 1);
}

static void names_serve(struct fake_upstream *f, struct socket_address *at)
{
	*f = (struct fake_upstream){.ttl_s = 60};
	fake_upstream_start(f);
	f->address = INADDR_LOOPBACK;
	*at = (struct socket_address){.ip = {4, 32, {127, 0, 0, 1}}, .port = f->port};
}

// The server that knows the target's name is another one from a reload on.
TEST_WITH(test_other_servers_for_names, setup, teardown)
{
	static struct fake_upstream names[2];
	struct socket_address at[2];
	for (unsigned i = 0; i < 2; i++)
		names_serve(&names[i], &at[i]);
	names[0].mode = FAKE_REFUSED;
	snprintf(url, sizeof(url), "http://hook.example:%u/", server.port);
	target.on_block = true;
	struct webhook *w;
	const struct webhook_settings s = {
		.targets = &target, .count = 1, .box = "box", .server_count = 1, .servers = &at[0]};
	assert_int_equal(webhook_open(&w, &s), 0);
	give(w, "ads.example", true, 3);
	struct sink_status shown = {0};
	WAIT_FOR(shown.failures > 0, sink_thread_status(webhook_thread(w), &shown));
	assert_int_equal(received, 0);
	webhook_name_servers(w, &at[1], 1);
	await_received(1);
	assert_true(said("ads.example"));
	assert_true(names[1].udp_queries >= 2); // A and AAAA
	webhook_close(w);
	for (unsigned i = 0; i < 2; i++)
		fake_upstream_stop(&names[i]);
}

TEST_WITH(test_a_flood_is_few_messages, setup, teardown)
{
	target.on_block = true;
	target.to.per_minute = 1;
	struct webhook *w = open_one();
	for (unsigned i = 0; i < 50; i++)
		give(w, "ads.example", true, 3);
	await_received(1);
	STAYS_SO(received == 1, 1500);
	webhook_close(w);
	assert_int_equal(received, 1); // the next is due in a minute
}

TEST_WITH(test_a_day, setup, teardown)
{
	target.summary = true;
	target.on_block = true;
	struct webhook *w = open_one();
	give(w, "often.example", false, 0);
	give(w, "often.example", false, 0);
	give(w, "broken.example", false, 2);
	give(w, "ads.example", true, 3);
	await_received(1); // of that one, so all before it are counted
	assert_false(said("summary"));
	now_s += 86400;
	await_received(2);
	assert_true(said("summary") && said("often.example") && said("192.0.2.7"));
	assert_true(said("\"queries\":8") || said("\"queries\": 8"));
	assert_true(said("\"blocked\":2") || said("\"blocked\": 2"));
	assert_true(said("\"failed\":2") || said("\"failed\": 2"));
	webhook_close(w);
}

// The log begins to hide clients: no message has one from before, or of a batch in the queue.
TEST_WITH(test_forgets_what_may_be_hidden, setup, teardown)
{
	target.summary = true;
	target.on_block = true;
	struct webhook *w = open_one();
	const struct querylog_sink sink = sink_thread_sink(webhook_thread(w));
	struct sink_status s = {0};
	give(w, "often.example", false, 0);
	give(w, "first.example", true, 3);
	await_written(w, 1);
	status = 500;
	give(w, "waiting.example", true, 3);
	WAIT_FOR(s.failures > 0, sink_thread_status(webhook_thread(w), &s));
	sink.forget(sink.arg, rig.number + 1, clock_mono_ms());
	give(w, "queued.example", true, 3);
	status = 204;
	await_written(w, 2);
	assert_true(said("\"queries\":[]") || said("\"queries\": []"));
	give(w, "new.example", true, 3);
	WAIT_FOR(said("new.example"));
	assert_false(said("waiting.example") || said("queued.example"));
	now_s += 86400;
	WAIT_FOR(said("summary"));
	assert_true(said("new.example"));
	assert_false(said("often.example") || said("first.example") || said("queued.example"));
	webhook_close(w);
}

// A summary that waits for its server has clients, too.
TEST_WITH(test_forgets_a_summary_that_waits, setup, teardown)
{
	target.summary = true;
	status = 500;
	struct webhook *w = open_one();
	const struct querylog_sink sink = sink_thread_sink(webhook_thread(w));
	struct sink_status s = {0};
	give(w, "often.example", false, 0);
	now_s += 86400;
	WAIT_FOR(s.failures > 0, sink_thread_status(webhook_thread(w), &s));
	sink.forget(sink.arg, rig.number, clock_mono_ms());
	WAIT_FOR(s.lost == 1, sink_thread_status(webhook_thread(w), &s));
	status = 204;
	now_s += 86400;
	await_written(w, 1);
	assert_true(said("summary"));
	assert_false(said("often.example"));
	webhook_close(w);
}

// The clock was days ahead at the start, and is set right: the day goes on, and ends at the next
// midnight. A second back over a midnight begins no day.
TEST_WITH(test_a_day_of_a_clock_that_was_ahead, setup, teardown)
{
	target.summary = true;
	target.on_block = true;
	now_s += 5 * 86400;
	struct webhook *w = open_one();
	give(w, "often.example", false, 0);
	give(w, "ads.example", true, 3);
	await_received(1);
	now_s -= 5 * 86400;
	give(w, "ads.example", true, 3);
	await_received(2);
	now_s += 86400;
	await_received(3);
	assert_true(said("summary") && said("often.example"));
	assert_true(said("\"queries\":6") || said("\"queries\": 6"));
	now_s += 86400 - now_s % 86400;
	await_received(4);
	now_s -= 1;
	STAYS_SO(received == 4, 1500);
	now_s += 1;
	STAYS_SO(received == 4, 1500);
	webhook_close(w);
}

// Gives 20 blocked queries, which leave in two messages or so, a second apart.
static struct webhook *give_many(enum webhook_form form)
{
	char name[260];
	memset(name, '`', 250);
	name[250] = '\0';
	target.on_block = true;
	target.to.form = form;
	struct webhook *w = open_one();
	for (unsigned i = 0; i < 20; i++)
		give(w, name, true, 3);
	return w;
}

// However long its names are, a message has its bound.
TEST_WITH(test_a_message_has_a_bound, setup, teardown)
{
	struct webhook *w = give_many(WEBHOOK_DISCORD);
	WAIT_FOR(longest > WEBHOOK_CONTENT_MAX - 300);
	webhook_close(w);
	assert_true(longest < WEBHOOK_CONTENT_MAX + 200);
}

TEST_WITH(test_a_message_shows_the_first_queries, setup, teardown)
{
	struct webhook *w = give_many(WEBHOOK_GENERIC);
	WAIT_FOR(most >= WEBHOOK_EVENTS_MAX);
	webhook_close(w);
	assert_int_equal(most, WEBHOOK_EVENTS_MAX);
}
