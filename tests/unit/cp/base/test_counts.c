// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/base/counts.h"
#include "tests/unit/unit.h"

#define TIER_COUNTS(X)                                                        \
	X(SUM, uint64_t, hits, SAME, TOTAL, "Hits.")                          \
	X(SUM, uint32_t, held, NAMED("held_now"), SAME, "Entries.")           \
	X(MOST, uint32_t, rtt_us, NONE, NAMED("rtt_seconds"), "Time.")        \
	X(MOST, bool, failing, SAME, NONE, "One fails.")                      \
	X(LEAST, bool, up, SAME, NONE, "All are up.")                         \
	X(EARLIEST, uint64_t, since_ms, NONE, NONE, "When the oldest began.") \
	X(FIRST, uint16_t, links, TOTAL, NONE, "Links.")

struct tier {
	TIER_COUNTS(COUNT_FIELD)
};
COUNTS(tier_rows, struct tier, "weir_tier_", TIER_COUNTS)

TEST(each_row_merges_in_its_way)
{
	struct tier sum = {.hits = UINT64_MAX,
		.held = 70000,
		.rtt_us = 5,
		.up = true,
		.since_ms = 0,
		.links = 3};
	const struct tier one = {
		.hits = 8, .held = 1, .rtt_us = 9, .failing = true, .since_ms = 77, .links = 4};

	counts_merge(tier_rows(), &sum, &one);
	assert_int_equal(sum.hits, 7);
	assert_int_equal(sum.held, 70001);
	assert_int_equal(sum.rtt_us, 9);
	assert_true(sum.failing);
	assert_false(sum.up);
	assert_int_equal(sum.since_ms, 77);
	assert_int_equal(sum.links, 3);
}

TEST(a_row_without_a_key_is_not_in_json)
{
	const struct tier from = {.hits = 1, .held = 2, .rtt_us = 3, .up = true, .links = 65535};
	struct json_out *o = json_out_new();

	counts_json(o, json_out_root(o), "l9_", tier_rows(), &from);
	char *text = json_out_finish(o);
	assert_string_equal(text, "{\"l9_hits\":1,\"l9_held_now\":2,\"l9_failing\":false,"
				  "\"l9_up\":true,\"l9_links_total\":65535}");
	free(text);
}

TEST(a_metric_is_named_by_its_row)
{
	const struct counts *c = tier_rows();

	assert_int_equal(c->rows, 7);
	assert_string_equal(c->prefix, "weir_tier_");
	assert_string_equal(c->row[0].metric, "hits_total");
	assert_string_equal(c->row[1].metric, "held");
	assert_string_equal(c->row[2].metric, "rtt_seconds");
	assert_string_equal(c->row[3].metric, "");
	assert_string_equal(c->row[2].help, "Time.");
	assert_string_equal(c->row[2].name, "rtt_us");
}
