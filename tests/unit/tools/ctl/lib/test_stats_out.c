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
