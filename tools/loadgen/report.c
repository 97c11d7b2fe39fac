// SPDX-License-Identifier: BSD-3-Clause
#include "report.h"

#include <rte_cycles.h>

#include <stdio.h>

static void print_latency(const char *name, const struct latency *t)
{
	static const struct {
		const char *name;
		double q;
	} quantiles[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}, {"p9999", 0.9999}};
	double ns = 1e9 / (double)rte_get_tsc_hz();
	if (!t->count)
		return;
	for (unsigned i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		printf(", \"%s_%s_ns\": %.0f", name, quantiles[i].name,
			latency_quantile(t, quantiles[i].q) * ns);
	printf(", \"%s_longest_ns\": %.0f, \"%s_timed\": %lu", name, (double)t->longest * ns, name,
		t->count);
}

bool report_load(const struct load *l, double seconds, unsigned percent)
{
	uint64_t lost = l->asked - l->answered - l->sent_back - l->bad;
	printf("{\"asked\": %lu, \"answered\": %lu, \"reflected\": %lu, \"bad\": %lu, "
	       "\"lost\": %lu, \"asked_again\": %lu, \"unmatched\": %lu, \"seconds\": %.3f, "
	       "\"qps\": %.0f, \"stalls\": %lu, \"untimed\": %lu",
		l->asked, l->answered, l->sent_back, l->bad, lost, l->again, l->unmatched, seconds,
		(double)(l->answered + l->sent_back) / seconds, l->stalls, l->untimed);
	if (l->rate)
		printf(", \"rate\": %lu", l->rate);
	if (percent)
		printf(", \"percent\": %u", percent);
	print_latency("answer", &l->answer_time);
	print_latency("reflect", &l->reflect_time);
	puts("}");
	fflush(stdout);
	return l->asked && !lost && !l->bad;
}
