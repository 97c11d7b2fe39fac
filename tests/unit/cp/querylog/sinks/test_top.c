// SPDX-License-Identifier: BSD-3-Clause
// The top lists, out of rows: the kinds, weights, and when entries are forgotten.

#include "controlplane/querylog/sinks/top.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/unit.h"

static struct querylog_rig rig;
static struct top *top;
static struct querylog_sink sink;
static struct top_report report;
static const uint64_t start_ms = 1000000;

static struct querylog_row row_of(const char *name, const char *client, uint64_t weight)
{
	return (struct querylog_row){.qname = querylog_rig_text(name),
		.client = querylog_rig_text(client),
		.verdict = querylog_rig_text("hit"),
		.weight = weight,
		.is_answered = true};
}

static void give(const struct querylog_row *row)
{
	const struct querylog_batch *b = querylog_rig_row(&rig, row);
	assert_true(sink.take(sink.arg, b));
	querylog_release(b);
}

static void item_check(enum top_kind kind, unsigned i, const char *name, uint64_t count)
{
	assert_true(i < report.count[kind]);
	assert_string_equal(report.item[kind][i].text, name);
	assert_int_equal(report.item[kind][i].count, count);
	assert_int_equal(report.item[kind][i].error, 0);
}

static int setup(void **)
{
	querylog_rig_open(&rig, 42);
	int rc = top_open(&top, NULL, start_ms);
	sink = top_sink(top);
	return rc;
}

static int teardown(void **)
{
	top_free(top);
	querylog_rig_close(&rig);
	return 0;
}

TEST_WITH(test_kinds, setup, teardown)
{
	struct querylog_row row = row_of("a.example.", "192.0.2.1", 5);
	give(&row);
	row = row_of("ads.example.", "192.0.2.2", 3);
	row.is_blocked = true;
	row.list = querylog_rig_text("ads");
	row.tier = QUERYLOG_TIER_RULES;
	row.rcode = DNS_RCODE_NXDOMAIN; // as blocked names can be answered: counted as blocked
	give(&row);
	row = row_of("none.example.", "192.0.2.2", 4);
	row.tier = QUERYLOG_TIER_L0;
	row.rcode = DNS_RCODE_NXDOMAIN;
	row.total_us = TOP_SLOW_US;
	give(&row);
	row = row_of("slow.example.", "192.0.2.1", 1);
	row.total_us = TOP_SLOW_US + 1;
	give(&row);
	row = row_of("", "", 100); // nothing is known of these
	give(&row);
	top_read(top, 10, &report);
	assert_int_equal(report.count[TOP_NAMES], 4);
	item_check(TOP_NAMES, 0, "a.example.", 5);
	item_check(TOP_NAMES, 3, "slow.example.", 1);
	assert_int_equal(report.queries[TOP_NAMES], 13);
	assert_int_equal(report.count[TOP_CLIENTS], 2);
	item_check(TOP_CLIENTS, 0, "192.0.2.2", 7);
	assert_int_equal(report.count[TOP_BLOCKED], 1);
	item_check(TOP_BLOCKED, 0, "ads.example.", 3);
	assert_int_equal(report.count[TOP_NXDOMAIN], 1);
	item_check(TOP_NXDOMAIN, 0, "none.example.", 4);
	assert_int_equal(report.count[TOP_SLOW], 1);
	item_check(TOP_SLOW, 0, "slow.example.", 1);
	item_check(TOP_LISTS, 0, "ads", 3);
	item_check(TOP_RULES, 0, "ads\n", 3); // there is no image to find the rule in
	assert_int_equal(report.totals.queries, 113);
	assert_int_equal(report.totals.hits, 4);
	assert_int_equal(report.totals.blocked, 3);
	assert_int_equal(report.totals.nxdomain, 4);
	assert_int_equal(report.totals.upstream, 0);
	assert_int_equal(report.totals.slow, 1);
	assert_int_equal(top_list_hits(top, "ads"), 3);
	char title[RULE_TITLE_MAX];
	uint64_t queries;
	assert_true(top_list_at(top, 0, title, &queries));
	assert_string_equal(title, "ads");
	assert_int_equal(queries, 3);
	assert_false(top_list_at(top, 1, title, &queries));
	top_read(top, 2, &report);
	assert_int_equal(report.count[TOP_NAMES], 2);
}

TEST_WITH(test_forgets, setup, teardown)
{
	uint64_t now_ms = start_ms;
	struct querylog_row row = row_of("old.example.", "192.0.2.1", 5);
	give(&row);
	sink.beat(sink.arg, now_ms += TOP_PERIOD_MS - 1);
	top_read(top, 1, &report);
	assert_int_equal(report.since_ms, start_ms);
	sink.beat(sink.arg, now_ms += 1);
	row = row_of("new.example.", "192.0.2.1", 1);
	give(&row);
	top_read(top, 10, &report);
	assert_int_equal(report.since_ms, start_ms);
	item_check(TOP_NAMES, 0, "old.example.", 5);
	item_check(TOP_NAMES, 1, "new.example.", 1);
	item_check(TOP_CLIENTS, 0, "192.0.2.1", 6); // of both
	sink.beat(sink.arg, now_ms += TOP_PERIOD_MS);
	top_read(top, 10, &report);
	assert_int_equal(report.since_ms, start_ms + TOP_PERIOD_MS);
	assert_int_equal(report.count[TOP_NAMES], 1);
	item_check(TOP_NAMES, 0, "new.example.", 1);
	assert_int_equal(report.queries[TOP_NAMES], 1);
	sink.beat(sink.arg, now_ms += TOP_PERIOD_MS);
	top_read(top, 10, &report);
	assert_int_equal(report.count[TOP_NAMES], 0);
}

// Clients and names that the log may hide from now on are gone at once; sums stay.
TEST_WITH(test_forgets_what_may_be_hidden, setup, teardown)
{
	uint64_t now_ms = start_ms;
	struct querylog_row row = row_of("old.example.", "192.0.2.1", 5);
	row.is_blocked = true;
	row.list = querylog_rig_text("ads");
	give(&row);
	sink.beat(sink.arg, now_ms += TOP_PERIOD_MS);
	give(&row);
	sink.forget(sink.arg, rig.number, now_ms += 1000);
	top_read(top, 10, &report);
	for (unsigned k = 0; k < TOP_KINDS; k++) {
		assert_int_equal(report.count[k], 0);
		assert_int_equal(report.queries[k], 0);
	}
	assert_int_equal(report.since_ms, now_ms);
	assert_int_equal(report.totals.queries, 10);
	assert_int_equal(top_list_hits(top, "ads"), 10);
	row = row_of("new.example.", "192.0.2.0", 2);
	give(&row);
	top_read(top, 10, &report);
	assert_int_equal(report.count[TOP_CLIENTS], 1);
	item_check(TOP_CLIENTS, 0, "192.0.2.0", 2);
}

// Whatever comes, no byte more.
TEST_WITH(test_fixed_size, setup, teardown)
{
	struct top_size before, after;
	top_size(top, &before);
	for (unsigned i = 0; i < 20; i++) {
		const struct querylog_batch *b = querylog_rig_batch(&rig, QUERYLOG_ROWS_MAX);
		assert_true(sink.take(sink.arg, b));
		querylog_release(b);
	}
	top_size(top, &after);
	assert_int_equal(after.bytes, before.bytes);
	assert_true(after.bytes < 8 << 20);
	assert_true(after.used > TOP_CAP && after.used <= after.cap);
	top_read(top, TOP_ITEMS_MAX + 1, &report);
	assert_int_equal(report.count[TOP_NAMES], TOP_ITEMS_MAX);
}
