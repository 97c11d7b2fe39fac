// SPDX-License-Identifier: BSD-3-Clause

// Queries to a server over HTTPS, which is a process of its own (doh_https_server.py). The clock
// stands still, as stream_rig.h says.
#include "controlplane/upstream/upstream_candidate.h"
#include "controlplane/upstream/upstream_https.h"
#include "https_stream.h"
#include "tests/unit/unit.h"

#include <weir/mem_account.h>

TEST_WITH(test_queries_share_a_connection, https_stream_setup, https_stream_teardown)
{
	asks_replied(1);
	assert_true(server_status().srtt_us > 0); // its clock began after the handshake
	asks_replied(100);
	struct upstream_status s = server_status();
	assert_int_equal(s.tcp_opened, 1);
	assert_int_equal(s.tls_handshakes, 1);
	assert_int_equal(s.sent, 101);
	assert_int_equal(s.https.replies, 101);
	assert_int_equal(s.https.version, 2);
	assert_string_equal(s.https.why, "");
	assert_non_null(strstr(s.tls_about, "TLSv1.3"));
	assert_string_equal(s.address,
		text_from("https://dns.example@127.0.0.1:%u/dns-query", https_server.port));
	assert_int_equal(https().queries, 0);
	assert_int_equal(https().open, 1);
	assert_true(https().high >= 1);
}

// What reaches the server: the id 0, padding, and nothing of the client or the software.
TEST_WITH(test_what_a_request_says, https_stream_setup, https_stream_teardown)
{
	asks_replied(2);
	assert_int_equal(fake_https_count(&https_server, "\":method\": \"POST\""), 2);
	assert_int_equal(fake_https_count(&https_server, "\":authority\": \"dns.example:"), 2);
	assert_int_equal(
		fake_https_count(&https_server, "\"content-type\": \"application/dns-message\""),
		2);
	assert_int_equal(fake_https_count(&https_server, "\"content-length\": \"128\""), 2);
	assert_int_equal(fake_https_count(&https_server, "\"000001"), 2); // RFC 8484 4.1
	assert_int_equal(fake_https_count(&https_server, "user-agent"), 0);
	assert_int_equal(
		fake_https_count(&https_server, "cookie"), 0); // though the server has set one
	assert_int_equal(fake_https_count(&https_server, "accept-encoding"), 0);
}

// libcurl would undo it in a call that no deadline ends (http_coding.h).
TEST_WITH(test_packed_on_its_way, https_stream_setup, https_stream_teardown)
{
	text_to_file(text_from("%s/http1", https_server.folder), "");
	asks_replied(1);
	https_is("dns.example", "/packed");
	const uint64_t failed = server_status().https.failed[UPSTREAM_HTTPS_connection];
	ask_fails();
	const struct upstream_status s = server_status();
	assert_int_equal(s.https.failed[UPSTREAM_HTTPS_connection], failed + 1);
	assert_string_equal(s.https.why, "the reply is packed in a way that nobody asked for");
}

static const struct {
	const char *path, *why;
	enum upstream_https_failure failure;
} bad[] = {
	{"/status", "HTTP status 500", UPSTREAM_HTTPS_status},
	{"/lost", "HTTP status 404", UPSTREAM_HTTPS_status},
	{"/redirect", "HTTP status 302", UPSTREAM_HTTPS_status},
	{"/type", "the reply is no application/dns-message", UPSTREAM_HTTPS_type},
	{"/trailer", "the reply is no application/dns-message", UPSTREAM_HTTPS_type},
	{"/big", "a body of more than 65535 bytes", UPSTREAM_HTTPS_body},
	{"/endless", "a body of more than 65535 bytes", UPSTREAM_HTTPS_body},
	{"/short", "a body of 3 bytes", UPSTREAM_HTTPS_body},
	{"/reset", "", UPSTREAM_HTTPS_connection},
};

TEST_WITH(test_replies_that_are_none, https_stream_setup, https_stream_teardown)
{
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		https_is("dns.example", bad[i].path);
		const struct upstream_status before = server_status();
		ask_fails();
		const struct upstream_status s = server_status();
		assert_int_equal(
			s.https.failed[bad[i].failure], before.https.failed[bad[i].failure] + 1);
		assert_int_equal(s.https.replies, 0);
		assert_int_equal(rig.why, bad[i].failure != UPSTREAM_HTTPS_connection
						  ? UPSTREAM_END_FAILURE
						  : UPSTREAM_END_TIMEOUT);
		assert_non_null(strstr(s.https.why, bad[i].why));
		assert_int_equal(
			s.failures - before.failures, bad[i].failure != UPSTREAM_HTTPS_connection);
		assert_int_equal(s.timeouts, 0);
	}
	assert_int_equal(server_status().https.status, 302);
	assert_int_equal(server_status().tls_failed[TLS_FAILURE_handshake], 0);
}

// It answers, but never with an answer: after three in a row weir asks others first.
TEST_WITH(test_a_server_of_failures_is_down, https_stream_setup, https_stream_teardown)
{
	https_is("dns.example", "/status");
	for (unsigned i = 0; i < UPSTREAM_DOWN_AFTER; i++) {
		assert_true(server_status().up);
		ask_fails();
	}
	assert_false(server_status().up);
	https_is("dns.example", "/dns-query");
	asks_replied(1);
	assert_true(server_status().up);
}

TEST_WITH(test_another_question_is_no_reply, https_stream_setup, https_stream_teardown)
{
	https_is("dns.example", "/other");
	ask_fails();
	assert_int_equal(server_status().bad_replies, 1);
}

TEST_WITH(test_an_end_after_each_answer, https_stream_setup, https_stream_teardown)
{
	https_is("dns.example", "/close");
	for (unsigned i = 0; i < 5; i++)
		asks_replied(1);
	struct upstream_status s = server_status();
	assert_int_equal(s.failures, 0);
	assert_int_equal(s.https.replies, 5);
	assert_in_range(s.tls_handshakes, 5, 6);
	assert_true(s.tls_resumed >= 4);
	assert_true(s.up);
}

TEST_WITH(test_an_end_without_an_answer, https_stream_setup, https_stream_teardown)
{
	https_is("dns.example", "/break");
	ask_fails();
	struct upstream_status s = server_status();
	assert_true(s.https.failed[UPSTREAM_HTTPS_connection] > 0);
	assert_int_equal(s.tls_failed[TLS_FAILURE_handshake], 0);
}

static bool has_stalled(const void *arg)
{
	return fake_https_count(&https_server, "/stall") >= *(const unsigned *)arg;
}

// The query goes out a second time, on a connection of its own making, and then fails.
TEST_WITH(test_silence, https_stream_setup, https_stream_teardown)
{
	unsigned one = 1, two = 2;
	https_is("dns.example", "/stall");
	unsigned first = ask_more(1);
	wait_for(has_stalled, &one);
	clock_turn(1100);
	wait_for(has_stalled, &two);
	assert_int_equal(server_status().timeouts, 1);
	assert_int_equal(server_status().tls_handshakes, 2);
	assert_false(rig.ended[first]);
	clock_turn(60000);
	wait_done(rig.started);
	assert_true(rig.ended[first]);
	assert_int_equal(https().queries, 0);
}

static bool is_full(const void *)
{
	return https().full > 0;
}

TEST_WITH(test_the_most_queries, https_stream_setup, https_stream_teardown)
{
	https_is("dns.example", "/stall");
	unsigned first = ask_more(UPSTREAM_HTTPS_QUERIES + 1);
	wait_for(is_full, NULL);
	assert_int_equal(https().queries, UPSTREAM_HTTPS_QUERIES);
	assert_true(rig.ended[first + UPSTREAM_HTTPS_QUERIES]);
	assert_int_equal(https().high, UPSTREAM_HTTPS_QUERIES);
	assert_true(https().open <= UPSTREAM_HTTPS_CONNECTIONS);
	assert_true(https().bytes > 0);
}

static void handshake_fails(enum tls_failure f, const char *why)
{
	uint64_t before = server_status().tls_failed[f];
	ask_fails();
	assert_int_equal(server_status().tls_failed[f], before + 1);
	assert_non_null(strstr(server_status().tls_why, why));
	assert_int_equal(server_status().sent, 0);
}

TEST_WITH(test_who_is_not_believed, https_stream_setup, https_stream_teardown)
{
	https_is("else.example", "/dns-query");
	handshake_fails(TLS_FAILURE_name, "another name");
	clock_turn(300);
	rig.config.server[0].tls.pin_count = 1;
	https_is("dns.example", "/dns-query");
	handshake_fails(TLS_FAILURE_pin, "pinned");
	clock_turn(300);
	rig.config.server[0].tls.pin_count = 0;
	rig.config.ca_file = https_server.other;
	https_is("dns.example", "/dns-query");
	handshake_fails(TLS_FAILURE_certificate, "certificate");
	rig.config.ca_file = https_server.ca;
	https_is("", "/dns-query"); // for its address
	asks_replied(1);
	assert_int_equal(fake_https_count(&https_server, "POST"), 1);
}

// All who wait for a handshake that fails count it once; the next one is not begun at once.
TEST_WITH(test_back_off, https_stream_setup, https_stream_teardown)
{
	https_is("else.example", "/dns-query");
	ask_more(20);
	wait_done(rig.started);
	struct upstream_status s = server_status();
	assert_int_equal(s.tls_failed[TLS_FAILURE_name], 1);
	assert_true(s.up);
	ask_fails();
	assert_int_equal(server_status().tls_failed[TLS_FAILURE_name], 1);
	clock_turn(300);
	ask_fails();
	assert_int_equal(server_status().tls_failed[TLS_FAILURE_name], 2);
}

TEST_WITH(test_nobody_listens, https_stream_setup, https_stream_teardown)
{
	https_server.port ^= 1;
	https_is("dns.example", "/dns-query");
	ask_fails();
	struct upstream_status s = server_status();
	https_server.port ^= 1;
	assert_int_equal(s.tls_failed[TLS_FAILURE_handshake], 1);
	assert_non_null(strstr(s.tls_why, "cannot connect"));
}

// A reload that changes the server ends what runs there; one that does not keeps its connection.
static struct upstream_tried tried;
static unsigned tried_count;

static void on_tried(void *, int err, const struct upstream_tried t[UPSTREAM_TRANSPORTS])
{
	assert_int_equal(err, 0);
	tried = t[1];
	tried_count++;
}

static void try_it(void)
{
	unsigned trials = tried_count + 1;
	assert_int_equal(upstreams_try(rig.up, server_status().address, on_tried, NULL), 0);
	while (tried_count < trials)
		turn();
	assert_true(tried.is_https && tried.is_tls);
}

// What the operator sees, also while weir opens no connection.
TEST_WITH(test_a_trial_says_why, https_stream_setup, https_stream_teardown)
{
	try_it();
	assert_true(tried.is_answered);
	assert_string_equal(tried.why, "");
	https_is("else.example", "/dns-query");
	for (unsigned i = 0; i < 2; i++) {
		try_it();
		assert_false(tried.is_answered);
		assert_non_null(strstr(tried.why, "another name"));
	}
	clock_turn(300);
	https_is("dns.example", "/status");
	try_it();
	assert_true(tried.is_sent);
	assert_string_equal(tried.why, "HTTP status 500");
}

TEST_WITH(test_reload, https_stream_setup, https_stream_teardown)
{
	unsigned one = 1;
	asks_replied(1);
	stream_configure();
	asks_replied(1);
	assert_int_equal(server_status().tls_handshakes, 1);
	https_is("dns.example", "/stall");
	unsigned first = ask_more(1);
	wait_for(has_stalled, &one);
	https_is("dns.example", "/dns-query");
	wait_done(rig.started);
	assert_true(rig.replied[first]);
	assert_int_equal(https().open, 1);
}

TEST_WITH(test_idle_ones_end, https_stream_setup, https_stream_teardown)
{
	asks_replied(3);
	assert_int_equal(https().open, 1);
	clock_turn(UPSTREAM_HTTPS_IDLE_MS + 1000);
	assert_int_equal(https().open, 0);
	asks_replied(1);
	assert_int_equal(server_status().tls_handshakes, 2);
}

static bool has_replied(const void *)
{
	return server_status().https.replies > 0;
}

TEST_WITH(test_checks_go_over_https, https_stream_setup, https_stream_teardown)
{
	rig.config.check = UPSTREAM_CHECK_ALL;
	rig.config.check_interval_s = 1;
	STREAM_CONFIGURE(check_type, DNS_TYPE_NS);
	clock_turn(1200);
	wait_for(has_replied, NULL);
	struct upstream_status s = server_status();
	assert_int_equal(s.checks, 1);
	assert_int_equal(s.checks_failed, 0);
	assert_int_equal(s.sent, 0);
}

TEST_WITH(test_memory_comes_back, https_stream_setup, https_stream_teardown)
{
	struct mem_sum by[MEM_ACCOUNT_COUNT];
	uint64_t before = 0;
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 10; i++)
			asks_replied(round % 2 ? 1 : 4);
		https_is("dns.example", round % 2 ? "/dns-query" : "/close");
		clock_turn(UPSTREAM_HTTPS_IDLE_MS + 1000);
		uint64_t now = (mem_accounts(by), by[MEM_ACCOUNT_upstream].blocks);
		if (round > 1)
			assert_int_equal(now, before);
		before = now;
	}
}

TEST_GROUP(https_stream_start, NULL)

static struct upstream_candidate candidate;

static void candidate_try(const struct upstream_wish *wish)
{
	unsigned trials = tried_count + 1;
	assert_int_equal(upstream_candidate_try(&candidate, rig.loop, wish, on_tried, NULL), 0);
	while (!candidate.end.link)
		turn();
	clock_turn(10);
	assert_int_equal(tried_count, trials);
	assert_null(candidate.set);
}

// A server that is in no set: over a connection of its own, which ends with the try.
TEST_WITH(test_a_candidate, https_stream_setup, https_stream_teardown)
{
	static struct upstream_wish wish;
	upstream_wish_fill(&wish, &rig.config, &rig.config.server[0]);
	candidate_try(&wish);
	assert_true(tried.is_https && tried.is_answered);
	struct upstream_status s = server_status();
	assert_int_equal(s.tls_handshakes + s.https.replies + s.checks, 0);
	snprintf(wish.config.server[0].tls.name, sizeof(wish.config.server[0].tls.name),
		"else.example");
	candidate_try(&wish);
	assert_true(!tried.is_answered && strstr(tried.why, "another name"));
	assert_int_equal(server_status().tls_failed[TLS_FAILURE_name], 0);
}
