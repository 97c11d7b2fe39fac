// SPDX-License-Identifier: BSD-3-Clause
// The steps of a miss that somebody watches, as the resolver tells them, each in its place.

#include "resolver_rig.h"
#include "tests/unit/clock_still.h"

enum { PATIENCE_MS = 20000, WATCH_ID = 7, SEEN_MAX = 128 };

static struct trace seen[SEEN_MAX];
static _Atomic unsigned seen_count;

static void on_trace(void *, const struct trace *t)
{
	if (seen_count < SEEN_MAX)
		seen[seen_count] = *t;
	seen_count++;
}

static void watch_begin_now(void)
{
	const struct dp_watch f = {.id = WATCH_ID, .until_ms = clock_mono_ms() + 600000};
	seen_count = 0;
	assert_int_equal(resolver_watch(rig.resolver, &f, on_trace, NULL), 0);
	(void)status(); // the loop may take a worker's rings' questions before what it is called
			// for
}

static const uint8_t *client6; // of who asks; NULL: by IPv4

static void ask_traced(const char *name, uint16_t id)
{
	rig_ask((struct fake_miss){.name = name,
		.id = id,
		.has_opt = true,
		.client_port = id,
		.client = 0x0100007f + ((uint32_t)id << 24),
		.client6 = client6,
		.trace = watch_trace_number(WATCH_ID, id)});
}

static void await_traces(unsigned count)
{
	WAIT_FOR(seen_count >= count);
	assert_int_equal(seen_count, count);
}

// The one of that query, whose times must go forward.
static const struct trace *trace_of(uint16_t id)
{
	const struct trace *t = NULL;
	for (unsigned i = 0; i < seen_count && !t; i++)
		if (seen[i].number == watch_trace_number(WATCH_ID, id))
			t = &seen[i];
	assert_non_null(t);
	for (unsigned i = 1; i < t->count; i++)
		assert_true(t->event[i].at_us >= t->event[i - 1].at_us);
	return t;
}

static void expect_steps(const struct trace *t, const char *wanted)
{
	char text[1024] = "";
	size_t len = 0;
	for (unsigned i = 0; i < t->count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
			trace_step_names[t->event[i].step]);
	assert_string_equal(text, wanted);
}

static const struct trace_event *event_of(const struct trace *t, unsigned step, unsigned which)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->event[i].step == step && which-- == 0)
			return &t->event[i];
	fail_msg("no %s", trace_step_names[step]);
	return NULL;
}

TEST_WITH(test_answered, rig_setup, rig_teardown)
{
	watch_begin_now();
	const uint64_t asked_us = clock_mono_us();
	ask_traced("www.example", 1);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	await_traces(1);
	const struct trace *t = trace_of(1);
	assert_in_range(t->arrival_us, asked_us / 1000 * 1000, clock_mono_us());
	expect_steps(t, "received l0_miss began udp_sent reply l0_stored answered ended");
	assert_int_equal(t->outcome, ANSWER_UPSTREAM);
	assert_int_equal(t->client_port, 0x100); // network byte order
	assert_int_equal(event_of(t, TRACE_udp_sent, 0)->n, 1);
	assert_int_equal(event_of(t, TRACE_udp_sent, 0)->value, 400);
	assert_int_not_equal(event_of(t, TRACE_reply, 0)->server, LOG_NO_UPSTREAM);
	ask_traced("www.example", 2);
	expect_answer(2, 0, ANSWER_CACHED);
	await_traces(2);
	expect_steps(trace_of(2), "received l0_hit answered ended");
	resolves("www.example", 3, ANSWER_CACHED); // of no watch
	assert_int_equal(seen_count, 2);
}

TEST_WITH(test_who_asks, rig_setup, rig_teardown)
{
	static const uint8_t home[16] = {127, 0, 0, 2}, address[16] = "\x20\1\xd\xb8............";
	static const uint8_t name[] = "\3www\7example";
	watch_begin_now();
	for (uint16_t id = 1; id <= 2; id++) {
		client6 = id == 2 ? address : NULL;
		ask_traced("wWw.example", id);
		expect_answer(id, 0, id == 1 ? ANSWER_UPSTREAM : ANSWER_CACHED);
		await_traces(id);
		const struct trace *t = trace_of(id);
		assert_int_equal(t->ip_version, id == 1 ? 4 : 6);
		assert_memory_equal(t->client, id == 1 ? home : address, sizeof(t->client));
		assert_int_equal(t->worker, 0);
		assert_int_equal(t->qtype, DNS_TYPE_A);
		assert_int_equal(t->name_len, sizeof(name));
		assert_memory_equal(t->name, name, sizeof(name));
		assert_false(t->is_tcp);
	}
	client6 = NULL;
}

TEST_WITH(test_tcp_after_tc, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_TRUNCATE;
	watch_begin_now();
	ask_traced("long.example", 1);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	await_traces(1);
	const struct trace *t = trace_of(1);
	expect_steps(t, "received l0_miss began udp_sent reply truncated tcp_queued tcp_sent reply "
			"l0_stored answered ended");
	assert_int_equal(event_of(t, TRACE_tcp_queued, 0)->n, 2);
	assert_int_equal(event_of(t, TRACE_tcp_queued, 0)->value, 1000);
	assert_int_equal(event_of(t, TRACE_tcp_sent, 0)->n, 2);
	assert_int_equal(
		event_of(t, TRACE_tcp_sent, 0)->server, event_of(t, TRACE_udp_sent, 0)->server);
}

TEST_WITH(test_next_server, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_SILENT;
	watch_begin_now();
	ask_traced("next.example", 1);
	expect_answer(1, 0, ANSWER_UPSTREAM);
	await_traces(1);
	const struct trace *t = trace_of(1);
	expect_steps(t, "received l0_miss began udp_sent timed_out udp_sent reply l0_stored "
			"answered ended");
	assert_int_not_equal(
		event_of(t, TRACE_udp_sent, 0)->server, event_of(t, TRACE_udp_sent, 1)->server);
	assert_int_equal(
		event_of(t, TRACE_timed_out, 0)->server, event_of(t, TRACE_udp_sent, 0)->server);
	// The loop's clock ticks in ms, and what is told is the difference of two of its readings.
	assert_true(event_of(t, TRACE_timed_out, 0)->value + 1000
		    >= 1000 * event_of(t, TRACE_udp_sent, 0)->value);
	assert_int_equal(
		event_of(t, TRACE_reply, 0)->server, event_of(t, TRACE_udp_sent, 1)->server);
}

TEST_WITH(test_all_fail, rig_setup, rig_teardown)
{
	fake[0].mode = FAKE_SERVFAIL;
	fake[1].mode = FAKE_REFUSED;
	watch_begin_now();
	ask_traced("fail.example", 1);
	expect_answer(1, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	await_traces(1);
	const struct trace *t = trace_of(1);
	expect_steps(t, "received l0_miss began udp_sent reply failed udp_sent reply failed "
			"upstreams_failed stale_none answered ended");
	assert_int_equal(event_of(t, TRACE_failed, 0)->value, DNS_RCODE_SERVFAIL);
	assert_int_equal(event_of(t, TRACE_failed, 1)->value, DNS_RCODE_REFUSED);
	assert_int_equal(event_of(t, TRACE_answered, 0)->value, DNS_RCODE_SERVFAIL);
	assert_int_equal(t->outcome, ANSWER_SERVFAIL);
	ask_traced("fail.example", 2);
	expect_answer(2, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	await_traces(2);
	expect_steps(trace_of(2), "received l0_miss failed_recently answered ended");
}

// Nobody answers any more: the stale answer after 1.8 s, while the question waits on.
TEST_WITH(test_stale, rig_setup, rig_teardown)
{
	fake[0].ttl_s = fake[1].ttl_s = 1;
	resolves("old.example", 1, ANSWER_UPSTREAM);
	clock_pass_ms(2500);
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	watch_begin_now();
	ask_traced("old.example", 2);
	expect_answer(2, 0, ANSWER_STALE);
	await_traces(1);
	const struct trace *t = trace_of(2);
	assert_int_equal(t->outcome, ANSWER_STALE);
	assert_true(event_of(t, TRACE_stale_timer, 0)->at_us >= 1800000);
	assert_int_equal(event_of(t, TRACE_stale_served, 0)->value, 4); // 2.5 and 1.8 s
	const struct trace_event *end = &t->event[t->count - 1];
	assert_int_equal(end->step, TRACE_ended);
	assert_true(end->at_us > event_of(t, TRACE_left_waiting, 0)->at_us);
}

// The second one comes while the first one waits.
TEST_WITH(test_joined, rig_setup, rig_teardown)
{
	fake[0].held = true;
	watch_begin_now();
	ask_traced("one.example", 1);
	WAIT_FOR(fake[0].udp_queries > 0);
	ask_traced("one.example", 2);
	WAIT_FOR(status().coalesced > 0);
	fake[0].held = false;
	expect_answer(1, 0, ANSWER_UPSTREAM);
	expect_answer(2, 0, ANSWER_UPSTREAM);
	await_traces(2);
	const struct trace *second = trace_of(2);
	assert_int_equal(second->event[2].step, TRACE_joined);
	assert_int_equal(second->event[2].value, 1);
	assert_true(second->event[2].n >= 1);
	(void)event_of(second, TRACE_reply, 0);
	(void)event_of(second, TRACE_answered, 0);
	(void)event_of(trace_of(1), TRACE_answered, 0);
}

// Over the bound the queries are answered as ever.
TEST_WITH(test_too_many, rig_setup, rig_teardown)
{
	char name[32];
	unsigned left_out = 0;
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	watch_begin_now();
	for (uint16_t i = 1; i <= TRACES_MAX + 5; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		ask_traced(name, i);
	}
	for (unsigned i = 0; i < TRACES_MAX + 5; i++)
		assert_true(fake_dataplane_answer(&dp, &got, PATIENCE_MS));
	await_traces(TRACES_MAX + 5);
	for (unsigned i = 0; i < seen_count; i++)
		left_out += seen[i].is_left_out;
	assert_int_equal(left_out, 5);
}

// A watch that ends takes what goes on with it; the resolver may end in its midst.
TEST_WITH(test_end, rig_setup, rig_teardown)
{
	fake[0].held = true;
	watch_begin_now();
	ask_traced("end.example", 1);
	WAIT_FOR(fake[0].udp_queries > 0);
	assert_int_equal(resolver_watch(rig.resolver, NULL, NULL, NULL), 0);
	(void)status();
	fake[0].held = false;
	expect_answer(1, 0, ANSWER_UPSTREAM);
	(void)status();
	assert_int_equal(seen_count, 0);
	fake[0].held = true;
	watch_begin_now();
	ask_traced("end2.example", 2);
	WAIT_FOR(status().inflight > 0);
}
