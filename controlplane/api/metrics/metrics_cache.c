// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the two cache tiers.

#include "metrics.h"

#define L0(kind, field, metric, text) \
	METRICS_FIELD(kind, struct l0_writer_stats, field, "weir_l0_" metric, text, 0)
static const struct metrics_field of_l0[] = {
	L0(METRICS_GAUGE, entries, "entries", "Answers in L0."),
	L0(METRICS_GAUGE, units_used, "units_used", "Units of 32 octets in use."),
	L0(METRICS_GAUGE, units_retired, "units_retired",
		"Units that wait for readers to move on."),
	L0(METRICS_GAUGE, units_total, "units", "Units in all."),
	L0(METRICS_GAUGE, index_slots, "index_slots", "Slots of the index."),
	L0(METRICS_COUNTER, puts, "puts_total", "Answers stored."),
	L0(METRICS_COUNTER, replaced, "replaced_total", "Of these, over one of the same key."),
	L0(METRICS_COUNTER, deleted, "deleted_total", "Answers deleted."),
	L0(METRICS_COUNTER, evicted_space, "evicted_space_total", "Evicted for room."),
	L0(METRICS_COUNTER, evicted_bucket, "evicted_bucket_total",
		"Evicted as a bucket was full."),
	L0(METRICS_COUNTER, expired_swept, "expired_total", "Swept out past hard expiry."),
	L0(METRICS_COUNTER, refused_nospace, "refused_nospace_total",
		"Not stored for want of room."),
	L0(METRICS_COUNTER, refused_large, "refused_large_total", "Not stored, as too large."),
	L0(METRICS_COUNTER, renewed, "renewed_total", "Renewed by refresh-ahead."),
	L0(METRICS_COUNTER, renewed_used, "renewed_used_total", "Of these, asked for afterwards."),
};

#define L1(kind, field, metric, text) \
	METRICS_FIELD(kind, struct l1_status, field, "weir_l1_" metric, text, 0)
static const struct metrics_field of_l1[] = {
	L1(METRICS_COUNTER, lookups, "lookups_total", "Questions put to L1."),
	L1(METRICS_COUNTER, hits, "hits_total", "Found there."),
	L1(METRICS_COUNTER, hits_stale, "hits_stale_total", "Found there past soft expiry."),
	L1(METRICS_COUNTER, misses, "misses_total", "Not there."),
	L1(METRICS_COUNTER, bad, "bad_total", "Values that were no answer."),
	L1(METRICS_COUNTER, skipped, "skipped_total", "Questions that L1 was not asked."),
	L1(METRICS_COUNTER, timeouts, "timeouts_total", "Of these, as it took too long."),
	L1(METRICS_COUNTER, puts, "puts_total", "Answers sent there."),
	L1(METRICS_COUNTER, puts_lost, "puts_lost_total", "Answers that did not get there."),
	L1(METRICS_COUNTER, deletes, "deletes_total", "Answers deleted there."),
	L1(METRICS_GAUGE, looking, "looking", "Lookups under way."),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.commands,
		"weir_redis_commands_total", "Commands sent to Redis.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.errors, "weir_redis_errors_total",
		"Errors that it returned.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.oom, "weir_redis_oom_total",
		"Errors because its memory was full.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.readonly,
		"weir_redis_readonly_total", "Errors because it was a replica.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.denied, "weir_redis_denied_total",
		"Errors because its ACL does not allow the command.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.wrongtype,
		"weir_redis_wrongtype_total", "Errors because a key was of another type.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct l1_status, refused_in_a_row,
		"weir_redis_refused_writes", "Writes that it refused since it last took one.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.timeouts,
		"weir_redis_timeouts_total", "Commands without a reply in time.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.lost, "weir_redis_lost_total",
		"Commands lost with their connection.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.full, "weir_redis_full_total",
		"Commands not sent, as too many were under way.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.reconnects,
		"weir_redis_reconnects_total", "Connections made again.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.failovers,
		"weir_redis_failovers_total", "Times that the master was another.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct l1_status, redis.connections, "weir_redis_connections",
		"Connections to Redis.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct l1_status, redis.pending, "weir_redis_pending",
		"Commands under way.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct l1_status, redis.buffer_bytes,
		"weir_redis_buffer_bytes", "Octets under way.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct l1_status, redis.rtt_us, "weir_redis_rtt_seconds",
		"Moving average of round-trip times.", 1e-6),
};

#define SWEEP(kind, field, metric, text) \
	METRICS_FIELD(kind, struct l1_sweep_status, field, "weir_l1_" metric, text, 0)
static const struct metrics_field of_sweep[] = {
	SWEEP(METRICS_GAUGE, keys, "keys", "Keys of ours in Redis at the last count."),
	SWEEP(METRICS_GAUGE, max_keys, "keys_cap", "Most that there may be."),
	SWEEP(METRICS_COUNTER, rounds, "sweeps_total", "Sweeps of L1 by this box."),
	SWEEP(METRICS_COUNTER, elsewhere, "sweeps_elsewhere_total",
		"Sweeps left to another box that had begun one."),
	SWEEP(METRICS_COUNTER, failed, "sweeps_failed_total", "Sweeps that failed."),
	SWEEP(METRICS_GAUGE, failed_in_a_row, "sweeps_failing",
		"Sweeps that failed since one succeeded."),
	SWEEP(METRICS_COUNTER, trimmed, "trimmed_total",
		"Entries of the index whose key had expired."),
	SWEEP(METRICS_COUNTER, orphans, "orphans_total",
		"Entries of the index whose key was gone before."),
	SWEEP(METRICS_COUNTER, evicted, "evicted_total", "Keys deleted for the cap."),
	SWEEP(METRICS_COUNTER, cold, "cold_total", "Keys deleted as cold."),
	SWEEP(METRICS_COUNTER, spared, "spared_total",
		"Keys kept, as they had become popular on this box."),
	SWEEP(METRICS_COUNTER, foreign, "foreign_total",
		"Entries of the index and keys that weir had not written."),
};

#define FLUSH(field, text)                                                                        \
	METRICS_FIELD(METRICS_COUNTER, struct flush_status, field, "weir_flush_" #field "_total", \
		text, 0)
static const struct metrics_field of_flush[] = {
	FLUSH(asked, "Flushes asked for here."),
	FLUSH(told, "Flushes that other boxes were told of."),
	FLUSH(heard, "Flushes of other boxes that were taken."),
	FLUSH(refused, "Flushes of other boxes over the bounds."),
	FLUSH(bad, "Messages that were no flush."),
};

static void redis_state_out(struct metrics_text *t, const char *state)
{
	static const char *const states[] = {
		"off", "connecting", "up", "partial", "refusing", "away"};
	metrics_family(t, METRICS_GAUGE, "weir_redis_state", "1 for the state that Redis is in.");
	for (unsigned i = 0; i < ARRAY_LEN(states); i++)
		metrics_count(t, METRICS_LABELS({"state", states[i]}),
			state && __builtin_strcmp(state, states[i]) == 0);
}

void metrics_cache(struct metrics_text *t, const struct resolver_status *s)
{
	metrics_fields(t, &s->l0, of_l0, ARRAY_LEN(of_l0));
	metrics_family(t, METRICS_GAUGE, "weir_l0_bytes", "Octets of L0, shared and private.");
	metrics_count(t, METRICS_LABELS({"part", "shared"}), s->l0_bytes);
	metrics_count(t, METRICS_LABELS({"part", "private"}), s->l0_private_bytes);
	metrics_fields(t, &s->l1, of_l1, ARRAY_LEN(of_l1));
	metrics_fields(t, &s->l1_sweep, of_sweep, ARRAY_LEN(of_sweep));
	metrics_fields(t, &s->flush, of_flush, ARRAY_LEN(of_flush));
	redis_state_out(t, s->l1.redis.state);
}
