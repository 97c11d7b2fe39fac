// SPDX-License-Identifier: BSD-3-Clause
#include "../../controlplane/upstream.h"
#include "fake_upstream.h"
#include "unit.h"

#include <event2/event.h>

#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/dns_answer.h>

static struct fake_upstream fake[2];
static struct dns_answer answer;

struct fixture {
	struct loop *loop;
	struct upstreams *up;
	struct config_upstreams config;
	struct upstream_ask ask;
	unsigned replies, ended;
	enum upstream_end why;
	uint64_t took_ms;
	uint8_t first[4]; // RDATA of the answer
};
static struct fixture fx;

static enum upstream_take on_reply(struct upstream_ask *a, const uint8_t *msg, size_t len)
{
	struct dns_query q = {
		.qtype = DNS_TYPE_A, .qclass = DNS_CLASS_IN, .question_len = a->question_len};
	const struct dns_ttl_limits limits = {.max_s = 86400, .negative_s = 3600};
	struct rd r = rd_init(a->question, a->question_len);
	assert_int_equal(dns_name_read(&r, &q.name), 0);
	if (dns_answer_read(msg, len, &q, &limits, &answer) < 0)
		return UPSTREAM_IGNORED;
	if (answer.truncated)
		return UPSTREAM_TRUNCATED;
	if (answer.kind == DNS_ANSWER_FAILURE)
		return UPSTREAM_FAILED;
	if (answer.len >= 4)
		memcpy(fx.first, answer.bytes + answer.len - 4, 4);
	fx.replies++;
	upstream_ask_stop(a);
	event_base_loopbreak(loop_base(fx.loop));
	return UPSTREAM_TAKEN;
}

static void on_ended(struct upstream_ask *a, enum upstream_end why)
{
	(void)a;
	fx.ended++;
	fx.why = why;
	event_base_loopbreak(loop_base(fx.loop));
}

static void set_servers(unsigned count)
{
	fx.config.count = count;
	for (unsigned i = 0; i < count; i++) {
		char text[SOCKET_ADDRESS_TEXT_MAX];
		snprintf(text, sizeof(text), "127.0.0.1:%u", fake[i].port);
		fx.config.server[i].name = NULL;
		assert_int_equal(socket_address_parse(text, 53, &fx.config.server[i].address), 0);
	}
}

static int setup(void **state)
{
	static const struct upstream_callbacks callbacks = {on_reply, on_ended};
	(void)state;
	memset(&fx, 0, sizeof(fx));
	fake_upstream_start(&fake[0]);
	fake_upstream_start(&fake[1]);
	fx.config.first_timeout_ms = 60;
	fx.config.max_sends = 6;
	fx.config.backoff_s = 30;
	set_servers(2);
	assert_int_equal(loop_new("test", &fx.loop), 0);
	assert_int_equal(upstreams_new(&fx.up, fx.loop, &fx.config, &callbacks), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	upstream_ask_stop(&fx.ask);
	upstreams_free(fx.up);
	loop_free(fx.loop);
	fake_upstream_stop(&fake[0]);
	fake_upstream_stop(&fake[1]);
	return 0;
}

// Asks for www.example A, runs the loop until it ends.
static void ask(unsigned life_ms)
{
	static const uint8_t question[] = "\3www\7example\0\0\1\0\1";
	uint64_t start = clock_mono_ms();

	fx.replies = fx.ended = 0;
	upstream_ask_start(fx.up, &fx.ask, question, 17, false, false, start + life_ms);
	if (!fx.ended)
		event_base_loop(loop_base(fx.loop), 0);
	fx.took_ms = clock_mono_ms() - start;
	assert_int_equal(fx.replies + fx.ended, 1);
}

static struct upstream_status status(unsigned i)
{
	struct upstream_status s[CONFIG_UPSTREAMS_MAX];
	assert_true(upstreams_status(fx.up, s) > i);
	return s[i];
}

static void test_one_query_one_reply(void **state)
{
	(void)state;
	ask(2000);
	assert_int_equal(fx.replies, 1);
	assert_memory_equal(fx.first, "\300\0\2\1", 4);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(fake[1].udp_queries, 0);
	assert_int_equal(status(0).answered, 1);
	assert_true(status(0).srtt_us > 0);
	assert_true(status(0).up);
}

static void test_ports_ids_and_case_are_drawn_anew(void **state)
{
	unsigned same_port = 0, same_id = 0, low = 0;
	(void)state;
	for (unsigned i = 0; i < 200; i++)
		ask(2000);
	for (unsigned i = 0; i < 200; i++) {
		low += fake[0].source_port[i] < 1024;
		for (unsigned k = 0; k < i; k++) {
			same_port += fake[0].source_port[i] == fake[0].source_port[k];
			same_id += fake[0].id[i] == fake[0].id[k];
		}
	}
	// 19,900 pairs over some 64,512 ports: 0.3 expected; 8 comes once in a billion runs.
	assert_true(same_port < 8);
	assert_true(same_id < 8);
	assert_int_equal(low, 0);
	assert_true(fake[0].upper_seen);
}

static void test_wrong_question_is_ignored(void **state)
{
	(void)state;
	fake[0].mode = FAKE_WRONG_QUESTION;
	ask(2000);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(status(0).bad_replies, 1);
}

static void test_garbage_is_ignored(void **state)
{
	(void)state;
	fake[0].mode = FAKE_GARBAGE;
	ask(2000);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fake[0].udp_queries + fake[0].tcp_queries, 1);
	assert_true(status(0).bad_replies >= 150);
	fake[0].mode = FAKE_BAD_BODY;
	ask(2000);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fake[0].udp_queries, 2);
}

static void test_wrong_id_moves_to_tcp(void **state)
{
	(void)state;
	fake[0].mode = FAKE_WRONG_ID;
	ask(2000);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fake[0].udp_queries, 1);
	assert_int_equal(fake[0].tcp_queries, 1);
	assert_int_equal(status(0).tcp_retries, 1);
}

static void test_wrong_id_without_tcp_still_resolves(void **state)
{
	(void)state;
	set_servers(1);
	upstreams_configure(fx.up, &fx.config);
	fake[0].mode = FAKE_WRONG_ID;
	fake[0].refuse_tcp = true;
	ask(2000);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fake[0].udp_queries, 2);
}

static void test_truncated_goes_to_tcp(void **state)
{
	(void)state;
	fake[0].mode = FAKE_TRUNCATE;
	ask(2000);
	assert_int_equal(fx.replies, 1);
	assert_memory_equal(fx.first, "\300\0\2\1", 4);
	assert_int_equal(fake[0].tcp_queries, 1);
	// Without TCP it is no answer at all: the next server.
	fake[0].refuse_tcp = true;
	ask(2000);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fake[1].udp_queries, 1);
}

static void test_timeout_fails_over_and_backs_off(void **state)
{
	(void)state;
	fake[0].mode = FAKE_SILENT;
	for (unsigned i = 0; i < UPSTREAM_DOWN_AFTER; i++) {
		ask(2000);
		assert_int_equal(fx.replies, 1);
		assert_in_range(fx.took_ms, 50, 400);
	}
	assert_false(status(0).up);
	assert_true(status(0).down_for_ms > 25000);
	unsigned before = fake[0].udp_queries;
	ask(2000);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fake[0].udp_queries, before); // asked last, so not at all
}

static void test_failures_go_to_the_next(void **state)
{
	(void)state;
	fake[0].mode = FAKE_SERVFAIL;
	ask(2000);
	assert_int_equal(fx.replies, 1);
	fake[1].mode = FAKE_REFUSED;
	ask(2000);
	assert_int_equal(fx.ended, 1);
	assert_int_equal(fx.why, UPSTREAM_END_FAILURE);
	assert_true(fx.took_ms < 500);
	assert_int_equal(status(0).failures, 2);
	assert_int_equal(status(1).failures, 1);
}

static void test_all_dead_ends_at_the_deadline(void **state)
{
	(void)state;
	fake[0].mode = fake[1].mode = FAKE_SILENT;
	ask(1200);
	assert_int_equal(fx.ended, 1);
	assert_int_equal(fx.why, UPSTREAM_END_TIMEOUT);
	assert_in_range(fx.took_ms, 1190, 1700);
	assert_int_equal(fake[0].udp_queries + fake[1].udp_queries, 6);
	assert_int_equal(fake[0].udp_queries, 3);
}

static void test_sends_are_bounded_over_all_causes(void **state)
{
	struct upstream_totals t;
	(void)state;
	fake[0].mode = fake[1].mode = FAKE_TRUNCATE;
	fake[0].refuse_tcp = fake[1].refuse_tcp = true;
	ask(2000);
	assert_int_equal(fx.ended, 1);
	upstreams_totals(fx.up, &t);
	assert_true(t.sent <= 6);
	fake[0].mode = fake[1].mode = FAKE_WRONG_ID;
	fx.config.max_sends = 2;
	upstreams_configure(fx.up, &fx.config);
	uint64_t before = t.sent;
	ask(600);
	upstreams_totals(fx.up, &t);
	assert_true(t.sent - before <= 2);
}

static void test_lower_casing_server_is_tolerated(void **state)
{
	(void)state;
	fake[0].mode = FAKE_LOWERCASE;
	for (unsigned i = 0; i < 20; i++) {
		ask(2000);
		assert_int_equal(fx.replies, 1);
	}
	assert_int_equal(fake[0].tcp_queries, UPSTREAM_CASE_STRIKES);
	assert_int_equal(status(0).case_changed, UPSTREAM_CASE_STRIKES);
	assert_false(status(0).mixed_case);
	// And the other way, without TCP.
	fake[1].mode = FAKE_LOWERCASE;
	fake[1].refuse_tcp = true;
	fake[0].mode = FAKE_SERVFAIL;
	ask(2000);
	assert_int_equal(fx.replies, 1);
}

static void test_new_servers_while_asking(void **state)
{
	static const uint8_t question[] = "\3www\7example\0\0\1\0\1";
	(void)state;
	fake[0].mode = FAKE_SILENT;
	set_servers(1);
	upstreams_configure(fx.up, &fx.config);
	upstream_ask_start(fx.up, &fx.ask, question, 17, false, false, clock_mono_ms() + 2000);
	fx.config.server[0] = fx.config.server[1]; // the other server alone
	upstreams_configure(fx.up, &fx.config);
	event_base_loop(loop_base(fx.loop), 0);
	assert_int_equal(fx.replies, 1);
	assert_int_equal(fake[1].udp_queries, 1);
	assert_int_equal(status(0).answered, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_query_one_reply),
		T(test_ports_ids_and_case_are_drawn_anew),
		T(test_wrong_question_is_ignored),
		T(test_garbage_is_ignored),
		T(test_wrong_id_moves_to_tcp),
		T(test_wrong_id_without_tcp_still_resolves),
		T(test_truncated_goes_to_tcp),
		T(test_timeout_fails_over_and_backs_off),
		T(test_failures_go_to_the_next),
		T(test_all_dead_ends_at_the_deadline),
		T(test_sends_are_bounded_over_all_causes),
		T(test_lower_casing_server_is_tolerated),
		T(test_new_servers_while_asking),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
