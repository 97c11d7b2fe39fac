// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rooms as the control API sees them in its tests: functions of the same names, which say what the
// test sets. And what the API makes of them.

#include "controlplane/frontend/frontends.h"
#include "controlplane/querylog/sinks/top.h"
#include "controlplane/rules/rules.h"
#include "tests/unit/cp/http/http_client.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"

// The rule manager.
static _Atomic bool forced; // the last reload was

void rules_status(struct rules *, struct rules_status *out)
{
	static const struct rules_list_status list = {.name = "ads",
		.error = -EBADMSG,
		.rejected_by = {[LIST_REJECT_URL] = 7},
		.url = "https://lists.example/ads",
		.last_try_unix_s = 1234,
		.fetch_error = "no route"};
	*out = (struct rules_status){.names = 150000,
		.has_previous = true,
		.previous_unix_s = 1234,
		.list_count = 1,
		.lists = &list};
}

unsigned rules_tasks(const struct rules *, struct rules_task *out, unsigned max)
{
	const uint64_t now_ms = clock_mono_ms();
	if (max < 2)
		return 0;
	out[0] = (struct rules_task){.kind = "build",
		.what = "blocking rules",
		.step = "compiles",
		.since_ms = now_ms - 1000};
	out[1] = (struct rules_task){.kind = "list fetch",
		.what = "https://lists.example/ads",
		.step = "its server",
		.since_ms = now_ms - 4000};
	return 2;
}

static struct {
	int rollback, pause, resume; // what the calls return
	unsigned minutes;
	bool lifts_block_all;
} hold;

int rules_rollback(struct rules *, rules_done done, void *arg)
{
	static const struct rules_status s = {.outcome = RULES_PUBLISHED, .held = true};
	if (hold.rollback == 0)
		done(arg, &s);
	return hold.rollback;
}

int rules_pause(struct rules *, unsigned minutes, bool lifts_block_all)
{
	hold.minutes = minutes;
	hold.lifts_block_all = lifts_block_all;
	return hold.pause;
}

int rules_resume(struct rules *)
{
	return hold.resume;
}

uint32_t rules_pause_left_s(const struct rules *)
{
	return 60 * hold.minutes;
}

bool rules_pause_lifts_block_all(const struct rules *)
{
	return hold.lifts_block_all && hold.minutes;
}

static _Atomic bool no_image;

// The image of one list, which blocks ads.example.
const struct rule_reader *rules_reader(const struct rules *)
{
	static const char *const lists[] = {"", "", "ads.example"};
	static struct rule_arena arena;
	static struct rule_reader reader;
	if (!arena.base)
		reader = fixture_image(lists, ARRAY_LEN(lists), &arena);
	return no_image ? NULL : &reader;
}

// A rule of the list "ads" is for clients that no group is.
const struct rule_list_info *rules_lists(const struct rules *, unsigned *count)
{
	static struct rule_list_info info = {.kind = {.client = "198.18.7.0/24"}};
	rule_title_make(info.title, "ads");
	*count = 1;
	return &info;
}

int rules_reload(struct rules *, bool force, rules_done done, void *arg)
{
	static struct rules_status s;
	forced = force;
	s = (struct rules_status){
		.outcome = force ? RULES_PUBLISHED : RULES_FAILED, .error = "no such file"};
	done(arg, &s);
	return 0;
}

// The frontends' reply, sent at once: the API asks on the loop that gets the reply.
void frontends_drain(struct frontends *, enum frontend_tcp_drain)
{
}

int frontends_report(const struct frontends *, struct loop *,
	void (*done)(void *arg, const struct frontends_status *s), void *arg)
{
	static const struct frontends_status s = {
		.tcp = {.open = 5,
			.busiest = {.version = 4, .prefix_len = 32, .bytes = {198, 18, 0, 2}},
			.ended = {[FRONTEND_TCP_END_idle] = 9},
			.listener_count = 1,
			.tls = {.open = 3,
				.handshakes = 7,
				.failed = {[TLS_REFUSED_version] = 2},
				.certificates = 1,
				.certificate = {{"dns.example", 1800000000}}},
			.doh = {.connections = 2,
				.counts = {.requests = {[DOH_http2] = {[DOH_METHOD_post] = 11}},
					.responses = {[DOH_415] = 4},
					.goaways = 1}},
			.listener = {{FRONTEND_TCP_DOT, {{4, 32, {198, 18, 0, 53}}, 853},
				-EADDRINUSE}}}};

	done(arg, &s);
	return 0;
}

static inline void tcp_double_check(void)
{
	assert_reply("GET /tcp", 200, "\"open\":5,", "\"busiest\":\"198.18.0.2\"",
		"\"ended\":{\"client\":0,\"error\":0,\"memory\":0,\"idle\":9,",
		"198.18.0.53:853\",\"kind\":\"dot\",\"error\":\"Address already in use\"",
		"\"tls\":{\"open\":3,", "\"version\":2,", "\"doh\":{\"connections\":2,",
		"\"http2\":{\"get\":0,\"post\":11,\"other\":0}", "\"415\":4,", "\"goaways\":1,",
		"{\"names\":\"dns.example\",\"until\":1800000000,\"left_s\":");
}

// Counts of one row of weight 7.
static struct top *top_counts; // reachable until the process ends

static inline struct top *top_double(void)
{
	const struct querylog_row row = {.qname = {"a.example.", 10},
		.client = {"192.0.2.1", 9},
		.weight = 7,
		.total_us = TOP_SLOW_US + 1};
	const struct querylog_batch b = {.count = 1, .row = &row, .weight = 7};
	if (top_counts)
		return top_counts;
	assert_int_equal(top_open(&top_counts, NULL, clock_mono_ms()), 0);
	const struct querylog_sink sink = top_sink(top_counts);
	assert_true(sink.take(sink.arg, &b));
	return top_counts;
}

static inline void top_double_check(void)
{
	assert_reply("GET /top", 200, "\"names\":{\"queries\":7,\"items\":[{\"text\":\"a.exam");
	assert_reply("GET /top?limit=1", 200, "\"blocked\":{\"queries\":0,\"items\":[]}");
	assert_reply("GET /top?limit=101", 400, "limit: must be 1 to 100");
}
