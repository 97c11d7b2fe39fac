// SPDX-License-Identifier: BSD-3-Clause
// Metrics of the two cache tiers.

#include "metrics.h"

#define L0(kind, field, metric, text) \
	METRICS_FIELD(kind, struct l0_writer_stats, field, "weir_l0_" metric, text, 0)
static const struct metrics_field of_l0[] = {
	L0(METRICS_GAUGE, entries, "entries", "Answers in L0."),
	L0(METRICS_GAUGE, units_used, "units_used", "Units of 32 bytes in use."),
	L0(METRICS_GAUGE, units_retired, "units_retired",
		"Units that wait until no reader uses them."),
	L0(METRICS_GAUGE, units_total, "units", "Units of the whole of L0."),
	L0(METRICS_GAUGE, index_slots, "index_slots", "Slots of the index."),
	L0(METRICS_COUNTER, puts, "puts_total", "Answers stored."),
	L0(METRICS_COUNTER, replaced, "replaced_total",
		"Of these, answers that replaced one of the same key."),
	L0(METRICS_COUNTER, deleted, "deleted_total", "Answers deleted."),
	L0(METRICS_COUNTER, evicted_space, "evicted_space_total",
		"Answers evicted because L0 was full."),
	L0(METRICS_COUNTER, evicted_bucket, "evicted_bucket_total",
		"Answers evicted because their bucket was full."),
	L0(METRICS_COUNTER, expired_swept, "expired_total",
		"Answers that the sweep deleted after their hard expiry."),
	L0(METRICS_COUNTER, refused_nospace, "refused_nospace_total",
		"Answers not stored because there was no room."),
	L0(METRICS_COUNTER, refused_large, "refused_large_total",
		"Answers not stored because they were too large."),
	L0(METRICS_COUNTER, renewed, "renewed_total", "Answers that refresh-ahead renewed."),
	L0(METRICS_COUNTER, renewed_used, "renewed_used_total",
		"Of these, answers that a client asked for afterwards."),
};

#define L1(kind, field, metric, text) \
	METRICS_FIELD(kind, struct l1_status, field, "weir_l1_" metric, text, 0)
static const struct metrics_field of_l1[] = {
	L1(METRICS_COUNTER, lookups, "lookups_total", "Questions looked up in L1."),
	L1(METRICS_COUNTER, hits, "hits_total", "Lookups that found an answer in L1."),
	L1(METRICS_COUNTER, hits_stale, "hits_stale_total",
		"Lookups that found an answer in L1 past its soft expiry."),
	L1(METRICS_COUNTER, misses, "misses_total", "Lookups that found no answer in L1."),
	L1(METRICS_COUNTER, bad, "bad_total", "Values in L1 that held no valid answer."),
	L1(METRICS_COUNTER, skipped, "skipped_total", "Questions not looked up in L1."),
	L1(METRICS_COUNTER, timeouts, "timeouts_total", "Lookups that L1 did not answer in time."),
	L1(METRICS_COUNTER, puts, "puts_total", "Answers sent to L1."),
	L1(METRICS_COUNTER, puts_lost, "puts_lost_total", "Answers that did not reach L1."),
	L1(METRICS_COUNTER, deletes, "deletes_total", "Answers deleted in L1."),
	L1(METRICS_GAUGE, looking, "looking", "Lookups in flight."),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.commands,
		"weir_redis_commands_total", "Commands sent to Redis.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.errors, "weir_redis_errors_total",
		"Errors that Redis returned.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.oom, "weir_redis_oom_total",
		"Errors of Redis because its memory was full.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.readonly,
		"weir_redis_readonly_total", "Errors of Redis because it was a replica.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.denied, "weir_redis_denied_total",
		"Errors of Redis because its ACL does not allow the command.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.wrongtype,
		"weir_redis_wrongtype_total", "Errors of Redis because a key had another type.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct l1_status, refused_in_a_row,
		"weir_redis_refused_writes",
		"Writes that Redis refused since it last accepted one.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.timeouts,
		"weir_redis_timeouts_total", "Commands that Redis did not answer in time.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.lost, "weir_redis_lost_total",
		"Commands lost with their connection.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.full, "weir_redis_full_total",
		"Commands not sent because too many were in flight.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.reconnects,
		"weir_redis_reconnects_total", "Times that weir connected to Redis again.", 0),
	METRICS_FIELD(METRICS_COUNTER, struct l1_status, redis.failovers,
		"weir_redis_failovers_total", "Times that the master changed.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct l1_status, redis.connections, "weir_redis_connections",
		"Connections to Redis.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct l1_status, redis.pending, "weir_redis_pending",
		"Commands in flight.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct l1_status, redis.buffer_bytes,
		"weir_redis_buffer_bytes", "Bytes of commands in flight.", 0),
	METRICS_FIELD(METRICS_GAUGE, struct l1_status, redis.rtt_us, "weir_redis_rtt_seconds",
		"Moving average of the round-trip time to Redis.", 1e-6),
};

#define SWEEP(kind, field, metric, text) \
	METRICS_FIELD(kind, struct l1_sweep_status, field, "weir_l1_" metric, text, 0)
static const struct metrics_field of_sweep[] = {
	SWEEP(METRICS_GAUGE, keys, "keys", "Keys of weir in Redis at the last count."),
	SWEEP(METRICS_GAUGE, max_keys, "keys_cap", "Most keys that weir keeps in Redis."),
	SWEEP(METRICS_COUNTER, rounds, "sweeps_total", "Sweeps of L1 that this box did."),
	SWEEP(METRICS_COUNTER, elsewhere, "sweeps_elsewhere_total",
		"Sweeps of L1 left to another box."),
	SWEEP(METRICS_COUNTER, failed, "sweeps_failed_total", "Sweeps of L1 that failed."),
	SWEEP(METRICS_GAUGE, failed_in_a_row, "sweeps_failing",
		"Sweeps of L1 that failed since the last success."),
	SWEEP(METRICS_COUNTER, trimmed, "trimmed_total",
		"Index entries removed because their key had expired."),
	SWEEP(METRICS_COUNTER, orphans, "orphans_total",
		"Index entries removed because their key was already gone."),
	SWEEP(METRICS_COUNTER, evicted, "evicted_total", "Keys deleted because of redis.max_keys."),
	SWEEP(METRICS_COUNTER, cold, "cold_total", "Keys deleted because they were cold."),
	SWEEP(METRICS_COUNTER, spared, "spared_total",
		"Keys kept because they had become popular on this box."),
	SWEEP(METRICS_COUNTER, foreign, "foreign_total",
		"Index entries and keys that weir had not written."),
};

#define FLUSH(field, text)                                                                        \
	METRICS_FIELD(METRICS_COUNTER, struct flush_status, field, "weir_flush_" #field "_total", \
		text, 0)
static const struct metrics_field of_flush[] = {
	FLUSH(asked, "Flushes requested on this box."),
	FLUSH(told, "Flushes sent to other boxes."),
	FLUSH(heard, "Flushes of other boxes that this box carried out."),
	FLUSH(refused, "Flushes of other boxes refused because of a rate limit."),
	FLUSH(bad, "Messages on the flush channel that were not valid."),
};

static void redis_state_out(struct metrics_text *t, const char *state)
{
	static const char *const states[] = {
		"off", "connecting", "up", "partial", "refusing", "away"};
	metrics_family(t, METRICS_GAUGE, "weir_redis_state",
		"State of Redis: 1 for the label that is true.");
	for (unsigned i = 0; i < ARRAY_LEN(states); i++)
		metrics_count(t, METRICS_LABELS({"state", states[i]}),
			state && __builtin_strcmp(state, states[i]) == 0);
}

void metrics_cache(struct metrics_text *t, const struct resolver_status *s)
{
	metrics_fields(t, &s->l0, of_l0, ARRAY_LEN(of_l0));
	metrics_family(t, METRICS_GAUGE, "weir_l0_bytes", "Bytes of L0, shared and private.");
	metrics_count(t, METRICS_LABELS({"part", "shared"}), s->l0_bytes);
	metrics_count(t, METRICS_LABELS({"part", "private"}), s->l0_private_bytes);
	metrics_fields(t, &s->l1, of_l1, ARRAY_LEN(of_l1));
	metrics_fields(t, &s->l1_sweep, of_sweep, ARRAY_LEN(of_sweep));
	metrics_fields(t, &s->flush, of_flush, ARRAY_LEN(of_flush));
	redis_state_out(t, s->l1.redis.state);
}
