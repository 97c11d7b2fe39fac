// SPDX-License-Identifier: BSD-3-Clause

// Rows of the query log that the frontend writes itself: of a miss with where its answer came
// from, of a hit, and of a question whose client left. And what a watch shows of them.
#include "controlplane/querylog/querylog_batch.h"
#include "frontend_rig.h"
#include "tests/unit/cp/querylog/row_watch.h"

#include <weir/log_msg.h>

static int setup(void **state)
{
	frontend_rig_setup(state);
	row_watch_start(NULL, 0);
	return 0;
}

static int teardown(void **state)
{
	row_watch_stop();
	return frontend_rig_teardown(state);
}

TEST_WITH(test_miss_and_hit, setup, teardown)
{
	assert_int_equal(ask_for("wWw.Example"), FRONTEND_LATER);
	expect_later(0);
	struct row_watch_row row = row_watch_await(1);
	assert_string_equal(row.qname, "www.example");
	assert_string_equal(row.verdict, "resolved");
	assert_int_equal(row.tier, LOG_TIER_UPSTREAM);
	assert_int_equal(row.transport, QUERYLOG_TCP);
	assert_int_not_equal(row.upstream[0], 0);
	assert_int_equal(ask_for("www.example"), FRONTEND_REPLY);
	row = row_watch_await(2);
	assert_string_equal(row.verdict, "hit");
	assert_int_equal(row.tier, LOG_TIER_L0);
	assert_int_equal(row.upstream[0], 0);
}

// A server's AD that is trusted, of a miss and of a hit; and what nobody vouches for.
TEST_WITH(test_validation, setup, teardown)
{
	rig.config.upstreams.server[0].trust_ad = rig.config.upstreams.server[1].trust_ad = true;
	rig_reload();
	fake[0].sets_ad = fake[1].sets_ad = true;
	assert_int_equal(ask_for("www.example"), FRONTEND_LATER);
	expect_later(0);
	assert_int_equal(row_watch_await(1).validation, QUERYLOG_SECURE);
	assert_int_equal(ask_for("www.example"), FRONTEND_REPLY);
	assert_int_equal(row_watch_await(2).validation, QUERYLOG_SECURE);
	fake[0].sets_ad = fake[1].sets_ad = false;
	assert_int_equal(ask_for("b.example"), FRONTEND_LATER);
	expect_later(0);
	assert_int_equal(row_watch_await(3).validation, QUERYLOG_NOT_VALIDATED);
	assert_int_equal(ask_for("b.example"), FRONTEND_REPLY);
	assert_int_equal(row_watch_await(4).validation, QUERYLOG_NOT_VALIDATED);
}

TEST_WITH(test_over_tls, setup, teardown)
{
	FRONTEND_WAITS(FRONTEND_DOT, .name = "www.example", .id = 7);
	expect_later(0);
	struct row_watch_row row = row_watch_await(1);
	assert_string_equal(row.verdict, "resolved");
	assert_int_equal(row.tier, LOG_TIER_UPSTREAM);
	assert_int_equal(row.transport, QUERYLOG_DOT);
}

TEST_WITH(test_over_https, setup, teardown)
{
	FRONTEND_WAITS(FRONTEND_DOH, .name = "www.example", .id = 7);
	expect_later(0);
	assert_int_equal(row_watch_await(1).transport, QUERYLOG_DOH);
}

TEST_WITH(test_client_left, setup, teardown)
{
	fake[0].held = fake[1].held = true;
	assert_int_equal(ask_for("www.example"), FRONTEND_LATER);
	frontend_rig_end(FRONTEND_TCP);
	assert_string_equal(row_watch_await(1).verdict, "unanswered");
	fake[0].held = fake[1].held = false;
}

static struct trace seen[4];
static _Atomic unsigned seen_count;

static void on_trace(void *, const struct trace *t)
{
	if (seen_count < ARRAY_LEN(seen))
		seen[seen_count] = *t;
	seen_count++;
}

static const struct trace *trace_await(unsigned n)
{
	WAIT_FOR(seen_count > n);
	assert_int_equal(seen_count, n + 1);
	return &seen[n];
}

static bool has_step(const struct trace *t, enum trace_step step)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->event[i].step == step)
			return true;
	return false;
}

// A query that no resolver saw is shown too; without a watch none is.
TEST_WITH(test_watched, setup, teardown)
{
	const struct dp_watch watch = {.id = 5, .until_ms = clock_mono_ms() + 600000};
	assert_int_equal(ask_for("www.example"), FRONTEND_LATER);
	expect_later(0);
	assert_int_equal(ask_for("www.example"), FRONTEND_REPLY);
	assert_int_equal(resolver_watch(rig.resolver, &watch, on_trace, NULL), 0);
	publish_watch(rig.publisher, &watch);
	assert_int_equal(ask_for("www.example"), FRONTEND_REPLY);
	const struct trace *t = trace_await(0);
	assert_true(has_step(t, TRACE_l0_hit));
	assert_int_equal(t->verdict, VERDICT_hit);
	assert_int_equal(t->outcome, ANSWER_CACHED);
	assert_memory_equal(t->name, "\3www\7example", 13);
	assert_int_equal(t->client_port, 4000);
	assert_true(t->is_tcp);
	assert_int_equal(ask_for("other.example"), FRONTEND_LATER);
	t = trace_await(1);
	assert_true(has_step(t, TRACE_l0_miss));
	assert_int_equal(t->worker, TRACE_OF_FRONTEND);
	assert_int_equal(t->outcome, ANSWER_UPSTREAM);
}
