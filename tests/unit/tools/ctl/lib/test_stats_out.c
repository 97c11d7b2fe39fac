// SPDX-License-Identifier: BSD-3-Clause
#include "printed.h"
#include "tools/ctl/lib/stats_out.h"

// What was counted has a row, whatever it is.
TEST(each_verdict_and_counter_is_shown)
{
	static struct stats_copy s;
	static const struct stats_rates none;
	const struct view v = {.dataplane = PROCESS_UP,
		.controlplane = PROCESS_DOWN,
		.has_stats = true,
		.stats = &s};
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		s.verdict[i] = 1;
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		s.counter[i] = 1;
	printed_begin();
	stats_print(&v, &none);
	const char *text = printed_end();
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		if (!strstr(text, text_from("\n  %s ", verdict_names[i])))
			fail_msg("no row of %s", verdict_names[i]);
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		if (!strstr(text, text_from("\n  %s ", counter_names[i])))
			fail_msg("no row of %s", counter_names[i]);
}

static double rate(const struct json_doc *doc, const char *key)
{
	double value = -1;
	(void)json_number(json_get(json_get(json_doc_root(doc), "rates"), key), &value);
	return value;
}

TEST(test_ratios)
{
	const struct view v = {.dataplane = PROCESS_DOWN, .controlplane = PROCESS_DOWN};
	struct stats_rates r = {.known = true};
	struct json_doc *doc = stats_doc(&v, &r);
	assert_true(rate(doc, "queries") == 0);
	assert_null(json_get(json_get(json_doc_root(doc), "rates"), "hit_ratio"));
	json_doc_free(doc);
	r.verdict[VERDICT_hit] = 6;
	r.verdict[VERDICT_miss] = 2;
	r.verdict[VERDICT_blocked] = 7;
	r.verdict[VERDICT_blocked_answer] = r.verdict[VERDICT_local] = 1;
	r.verdict[VERDICT_drop_rule] = 1;
	r.verdict[VERDICT_to_kernel] = 100;
	doc = stats_doc(&v, &r);
	assert_true(rate(doc, "hit_ratio") == 0.75);
	assert_true(rate(doc, "queries") == 18);
	json_doc_free(doc);
}
