// SPDX-License-Identifier: BSD-3-Clause
// Metrics of times, types and response codes.

#include "base/rdata_text.h"
#include "metrics.h"

static void histogram_put(
	struct metrics_text *t, const char *label, const char *value, const struct took *took)
{
	double bound[TOOK_BUCKETS - 1];
	for (unsigned i = 0; i < TOOK_BUCKETS - 1; i++)
		bound[i] = (double)took_bound_ns(i) / 1e9;
	metrics_histogram(t, METRICS_LABELS({label, value}), took->bucket, bound, TOOK_BUCKETS,
		(double)took->sum_ns / 1e9);
}

static void types_put(struct metrics_text *t, const uint64_t type[STATS_TYPES])
{
	char text[DNS_TYPE_TEXT_MAX];
	metrics_family(t, METRICS_COUNTER, "weir_questions_total",
		"Questions that workers read, by type; types over 65 other than ANY count as "
		"other.");
	for (unsigned i = 0; i < STATS_TYPES; i++) {
		const char *name = i == STATS_TYPE_ANY     ? "ANY"
				   : i == STATS_TYPE_OTHER ? "other"
							   : dns_type_text((uint16_t)i, text);
		if (type[i])
			metrics_count(t, METRICS_LABELS({"type", name}), type[i]);
	}
}

// A code that does not fit into the header has a verdict, and the header has another code: that
// count is taken off.
static void rcodes_put(struct metrics_text *t, const struct stats_copy *s)
{
	uint64_t badvers = s->verdict[VERDICT_badvers], badcookie = s->verdict[VERDICT_badcookie];
	metrics_family(t, METRICS_COUNTER, "weir_replies_total",
		"Replies over UDP by response code, of both planes.");
	for (unsigned i = 0; i < STATS_RCODES; i++) {
		uint64_t other = i == DNS_RCODE_NOERROR          ? badvers
				 : i == DNS_RCODE_BADCOOKIE % 16 ? badcookie
								 : 0;
		uint64_t count = s->rcode[i] > other ? s->rcode[i] - other : 0;
		if (count || i <= DNS_RCODE_REFUSED)
			metrics_count(
				t, METRICS_LABELS({"rcode", dns_rcode_text((uint16_t)i)}), count);
	}
	metrics_count(t, METRICS_LABELS({"rcode", "BADVERS"}), badvers);
	metrics_count(t, METRICS_LABELS({"rcode", "BADCOOKIE"}), badcookie);
}

void metrics_kinds(struct metrics_text *t, const struct stats_copy *s)
{
	types_put(t, s->type);
	rcodes_put(t, s);
	metrics_family(t, METRICS_HISTOGRAM, "weir_dataplane_batch_seconds",
		"Frames, by the time of their batch from receive to send.");
	for (unsigned i = 0; i < OUTCOME_COUNT; i++)
		histogram_put(t, "outcome", outcome_names[i], &s->outcome[i]);
	metrics_family(t, METRICS_HISTOGRAM, "weir_dataplane_stage_seconds",
		"One batch in %d of each worker, by the time of a stage.", STATS_STAGE_SAMPLE);
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		histogram_put(t, "stage", stage_names[i], &s->stage[i]);
}

void metrics_answers(struct metrics_text *t, const struct resolver_status *s)
{
	static const char *const kinds[ANSWER_KINDS] = {
		"upstream", "cached", "stale", "servfail", "blocked"};
	metrics_family(t, METRICS_HISTOGRAM, "weir_resolver_answer_seconds",
		"Misses, by the time from their receipt to the resolver's answer.");
	for (unsigned i = 0; i < ANSWER_KINDS; i++)
		histogram_put(t, "outcome", kinds[i], &s->took[i]);
	metrics_family(t, METRICS_HISTOGRAM, "weir_upstream_reply_seconds",
		"Replies to queries that weir sent once, by round-trip time.");
	for (unsigned i = 0; i < s->upstream_count && i < CONFIG_UPSTREAMS_MAX; i++)
		histogram_put(t, "address", s->upstream[i].address, &s->upstream[i].took);
}
