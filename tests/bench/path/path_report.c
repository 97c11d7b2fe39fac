// SPDX-License-Identifier: BSD-3-Clause
#include "path_report.h"

#include "tests/bench/bench_row.h"

#include <rte_cycles.h>

#include <stdio.h>
#include <stdlib.h>

void path_report_one(const struct path_case *c, const char *metric, double value, const char *unit,
	double reference)
{
	bench_say(c->goal, c->name, metric, value, unit, reference);
}

// All that the worker does for misses is put on the hits. The bench asks as fast as it can, so the
// misses are one in a hundred of its queries and not 100,000 a second: their part is scaled.
static void report_misses(const struct path_case *c, double with, double without)
{
	const double share = c->traffic.missed_percent / 100.0, hit = with / (1 - share);
	const double misses_s = share * (double)rte_get_tsc_hz() / with;
	const double more = (hit / without - 1) * PATH_MISSES_PER_S / misses_s;

	path_report_one(c, "misses_measured", misses_s, "misses/s", 0);
	path_report_one(c, "ratio_misses", 1 / (1 + more), "of hits alone", 1 / 1.05);
}

static void report_versus(const struct path_case *c, const struct path_samples *s)
{
	double with = path_decile(s->whole[1], s->pairs);
	double without = path_decile(s->whole[0], s->pairs);
	switch (c->versus) {
	case VERSUS_PLAIN:
		path_report_one(c, "ratio_plain", without / with, "of plain", 0);
		break;
	case VERSUS_MISSES:
		report_misses(c, with, without);
		break;
	case VERSUS_GROUPS:
		path_report_one(c, "ratio_groups", without / with, "of none", 0.90);
		break;
	case VERSUS_ACCESS:
		path_report_one(c, "ratio_access", without / with, "of none", 0);
		break;
	case VERSUS_HOPS:
		path_report_one(c, "ratio_hops", without / with, "of none", 0.99);
		break;
	case VERSUS_LIMITS:
		path_report_one(c, "ratio_limits", without / with, "of none", 0);
		break;
	case VERSUS_LOG_SAMPLED:
	case VERSUS_LOG_EVERY:
		path_report_one(c, "ratio_log", without / with, "of none", 0);
		path_report_one(c, "over_log", with - without, "cycles",
			c->versus == VERSUS_LOG_SAMPLED ? 20 : 0);
		return;
	default:
		path_report_one(c, "ratio_writes", without / with, "of none", 0.99);
		path_report_one(c, "write_rate", s->write_rate, "writes/s", PATH_WRITES_PER_S);
		path_report_one(c, "writes_refused", (double)s->refused, "writes", 0);
		return;
	}
	path_report_one(c, "over_plain",
		path_decile(s->dns_of[1], s->pairs) - path_decile(s->dns_of[0], s->pairs), "cycles",
		20);
}

void path_report(const struct path_case *c, const struct path_samples *s)
{
	char metric[32];
	double whole = path_decile(s->way[WAY_PLAIN], PATH_SLICES);
	double reflector = path_decile(s->way[WAY_REFLECT], PATH_SLICES);
	path_report_one(c, "dns", path_decile(s->dns, PATH_SLICES), "cycles", c->dns_cycles);
	path_report_one(c, "ratio", reflector / whole, "of reflector", c->ratio);
	path_report_one(c, "whole", whole, "cycles", 0);
	path_report_one(c, "reflector", reflector, "cycles", 0);
	for (unsigned k = 0; k < STAGE_COUNT; k++) {
		snprintf(metric, sizeof(metric), "stage_%s", stage_names[k]);
		path_report_one(c, metric, path_decile(s->stage[k], PATH_SLICES), "cycles", 0);
	}
	if (c->alone_us > 0)
		path_report_one(c, "over_reflector",
			(whole - reflector) * 1e6 / (double)rte_get_tsc_hz(), "us", c->alone_us);
	if (c->traffic.missed_percent)
		path_report_one(
			c, "stage_answer", path_decile(s->answer, PATH_SLICES), "cycles", 0);
	path_report_one(c, "rate", (double)rte_get_tsc_hz() / whole / 1e6, "Mq/s", 0);
	if (s->pairs)
		report_versus(c, s);
	if (c->versus == VERSUS_SWAPS || c->versus == VERSUS_BUILDS) {
		path_report_one(c, "ratio_second", path_window_ratio(s), "of none", 0.95);
		path_report_one(c, "images", (double)s->published, "images", 0);
	}
}

// Between `least` and `most` percent, give or take one.
static bool is_share(uint64_t part, uint64_t all, unsigned least, unsigned most)
{
	double share = 100.0 * (double)part / (double)all;
	return share > least - 1.0 && share < most + 1.0;
}

// Frames without a verdict, replies that were not sent, misses without an answer, and packet
// buffers that are somewhere. One that is in two of these counts twice.
static uint64_t unaccounted(const struct path_rig *r)
{
	const struct stats_worker *s = &r->stats;
	uint64_t verdicts = 0;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		verdicts += s->verdict[i];
	uint64_t replies = s->verdict[VERDICT_reflected] + s->verdict[VERDICT_hit]
			   + s->verdict[VERDICT_blocked] + s->verdict[VERDICT_servfail_ring_full]
			   + s->verdict[VERDICT_servfail_fairness] + s->counter[COUNTER_answers];
	int64_t frames = (int64_t)(s->counter[COUNTER_rx_frames] - verdicts);
	int64_t sent = (int64_t)(s->counter[COUNTER_tx_frames] - replies);
	int64_t late = (int64_t)(s->verdict[VERDICT_miss] - s->counter[COUNTER_answers]);
	return (uint64_t)(llabs(frames) + llabs(sent) + llabs(late)
			  + abs((int)path_rig_buffers() - (int)r->buffers));
}

bool path_report_books(const struct path_rig *r, const struct path_case *c)
{
	const struct stats_worker *s = &r->stats;
	uint64_t reflected = s->verdict[VERDICT_reflected];
	uint64_t asked = s->counter[COUNTER_rx_frames] - reflected;
	uint64_t hits = s->verdict[VERDICT_hit], blocked = s->verdict[VERDICT_blocked];
	uint64_t missed = s->verdict[VERDICT_miss], answers = s->counter[COUNTER_answers];
	uint64_t strays = unaccounted(r);
	path_report_one(c, "unaccounted", (double)strays, "packets", 0);
	// L0 evicts a name for a full bucket, some 0.8 % of a million (docs/reference/l0-table.md).
	bool ok = strays == 0
		  && (double)(hits + blocked)
			     >= (0.98 - c->traffic.missed_percent / 100.0) * (double)asked
		  && is_share(blocked, asked, c->traffic.listed_percent, c->traffic.listed_percent)
		  && s->counter[COUNTER_reply_truncated] == 0 && r->control.bad == 0;
	if (c->traffic.missed_percent)
		ok &= is_share(
			missed, asked, c->traffic.missed_percent, c->traffic.missed_percent + 1);
	if (!ok)
		fprintf(stderr,
			"%s: of %lu queries %lu hit, %lu blocked, %lu missed, %lu of these "
			"answered; sent %lu of %lu; unaccounted %lu\n",
			c->name, asked, hits, blocked, missed, answers,
			(uint64_t)s->counter[COUNTER_tx_frames],
			(uint64_t)s->counter[COUNTER_rx_frames], strays);
	return ok;
}
