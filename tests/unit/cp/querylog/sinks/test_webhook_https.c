// SPDX-License-Identifier: BSD-3-Clause

// Webhooks over TLS, as Discord's are: which servers get messages, and what a server may request.
#include "controlplane/querylog/sinks/webhook.h"
#include "tests/unit/cp/http/fake_https.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/unit.h"

static struct querylog_rig rig;
static struct fake_https server;
static struct config_webhook target;
static char url[128];

static int start(void **)
{
	querylog_rig_open(&rig, 5);
	fake_https_start(&server);
	return 0;
}

static int stop(void **)
{
	fake_https_stop(&server);
	querylog_rig_close(&rig);
	return 0;
}

static void give_blocked(struct webhook *w)
{
	const struct querylog_row row = {.time_us = 1795000000000000,
		.weight = 1,
		.qname = {"ads.example", 11},
		.client = {"192.0.2.7", 9},
		.verdict = {"blocked", 7},
		.list = {"ads", 3},
		.qtype = 1,
		.qclass = 1,
		.ede = QUERYLOG_NO_EDE,
		.tier = QUERYLOG_TIER_RULES,
		.is_answered = true,
		.is_blocked = true};
	const struct querylog_batch *b = querylog_rig_row(&rig, &row);
	const struct querylog_sink sink = sink_thread_sink(webhook_thread(w));
	assert_true(sink.take(sink.arg, b));
	querylog_release(b);
}

static struct sink_status send_once(const char *path, char *ca_file)
{
	struct webhook *w;
	struct sink_status s = {0};
	const struct webhook_settings settings = {.targets = &target, .count = 1, .box = "box"};
	snprintf(url, sizeof(url), "https://127.0.0.1:%u%s", server.port, path);
	target = (struct config_webhook){
		.to = {.url = url, .form = WEBHOOK_DISCORD, .per_minute = 60, .ca_file = ca_file},
		.on_block = true};
	assert_int_equal(webhook_open(&w, &settings), 0);
	give_blocked(w);
	WAIT_FOR(s.written + s.failures > 0, sink_thread_status(webhook_thread(w), &s));
	webhook_close(w);
	assert_int_equal(s.written + s.failures, 1);
	return s;
}

// The state once a message to `path` was sent, or was not; a busy machine may keep the server from
// its handshake for the 2 s that a connection has.
static struct sink_status send_one(const char *path, char *ca_file)
{
	struct sink_status s = send_once(path, ca_file);
	for (unsigned i = 0; i < 10 && strstr(s.why, "no answer in time"); i++)
		s = send_once(path, ca_file);
	return s;
}

TEST(test_sent)
{
	struct sink_status s = send_one("/sent", server.ca);
	assert_int_equal(s.written, 1);
	assert_false(s.is_ill);
	assert_int_equal(fake_https_count(&server, "/sent"), 1);
	assert_int_equal(fake_https_count(&server, "ads.example"), 1);
	assert_int_equal(fake_https_count(&server, "allowed_mentions"), 1);
}

TEST(test_nobody_vouches)
{
	struct sink_status s = send_one("/untrusted", server.other);
	assert_int_equal(s.untrusted, 1);
	assert_true(s.is_ill);
	assert_non_null(strstr(s.why, "127.0.0.1: SSL certificate"));
	s = send_one("/untrusted", NULL);
	assert_int_equal(s.untrusted, 1);
	assert_int_equal(fake_https_count(&server, "/untrusted"), 0);
}

TEST(test_a_redirect_is_a_failure)
{
	struct sink_status s = send_one("/redirect", server.ca);
	assert_int_equal(s.failures, 1);
	assert_int_equal(s.untrusted, 0);
	assert_non_null(strstr(s.why, "HTTP 307"));
	assert_int_equal(fake_https_count(&server, "/elsewhere"), 0);
}

// The wait after a first failure is a second, unless the server asks for more.
TEST(test_when_a_server_asks_for_patience)
{
	struct sink_status s = send_one("/limited?600", server.ca);
	assert_non_null(strstr(s.why, "HTTP 429"));
	assert_in_range(s.retry_in_ms, 500 * 1000, 700 * 1000);
	s = send_one("/limited?99999999", server.ca);
	assert_in_range(s.retry_in_ms, (WEBHOOK_AFTER_MAX_S - 100) * 1000,
		(WEBHOOK_AFTER_MAX_S + 100) * 1000);
	s = send_one("/limited?0", server.ca);
	assert_in_range(s.retry_in_ms, 0, 100 * 1000);
}

TEST_GROUP(start, stop)
