// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Housekeeping of L1: enforces the cap on keys, repairs the index, deletes cold keys. Resolver
// loop's thread.
//
// A round each 15 s (2 s after one that failed), and at once when this box has put a twentieth of
// the cap since the last count. One box at a time (lock `<namespace>-meta:sweep`, 15 s). A round:
// per index, drop the entries of keys whose TTL is over for certain, and count; then sample
// L1_SAMPLE entries at random (a gone key's entry is dropped, which also repairs separate writes in
// Cluster; a key older than redis.sweep_hit_window with fewer than redis.sweep_min_hits is
// deleted); then, while there are more keys than redis.max_keys, delete the keys of such a sample
// (unless an eighth of its entries is of no key: the count is too high) with the lowest hits, the
// oldest first among equals: most of the sample while its keys are equally cold, a quarter
// otherwise. A value has the hits of its last write, so the sweep asks the
// owner (l1_drop_fn) first: keys that became popular on this box since are spared, but at most a
// quarter of a sample while the cap is exceeded. An invalid index or member is deleted.
// An index is invalid, too, when it has members so long that a sample of it is over REDIS_REPLY_MAX
// bytes or one is over 64 KiB. The keys of a deleted index are not counted until they are written
// again; they have their TTL.
//
// Every step is one pipelined burst of at most L1_SAMPLE commands, so the loop never waits; a step
// that fails ends the round. Memory is fixed.

#include "base/counts.h"
#include "l1.h"

// After SWEEP_FAILURES_MAX failed rounds in a row the log and the status report the error.
enum { L1_SAMPLE = 256, L1_SWEEP_S = 15, SWEEP_FAILURES_MAX = 3 };

struct l1_sweep;

// The owner is this box's cache. False: its copy is popular and stays, whether or not the key is
// deleted. True: it has deleted its copy, or has no copy.
typedef bool (*l1_drop_fn)(void *arg, const struct l1_key_parts *key);

ATTR_MUST_CHECK int l1_sweep_new(struct l1_sweep **out, struct loop *loop, struct l1 *l,
	const struct config_redis *config, l1_drop_fn drop, void *arg);
// After l1_free, which ends the sweep's commands in flight; NULL is fine.
void l1_sweep_free(struct l1_sweep *s);
void l1_sweep_configure(struct l1_sweep *s, const struct config_redis *config);

#define L1_SWEEP_COUNTS(X)                                                                       \
	X(FIRST, uint64_t, rounds, NAMED("sweep_rounds"), NAMED("sweeps_total"),                 \
		"Sweeps of L1 that this box did.")                                               \
	X(FIRST, uint64_t, elsewhere, NAMED("sweep_elsewhere"), NAMED("sweeps_elsewhere_total"), \
		"Sweeps of L1 left to another box.")                                             \
	X(FIRST, uint64_t, failed, NAMED("sweep_failed"), NAMED("sweeps_failed_total"),          \
		"Sweeps of L1 that failed.")                                                     \
	X(FIRST, uint64_t, failed_in_a_row, NONE, NAMED("sweeps_failing"),                       \
		"Sweeps of L1 that failed since the last success.")                              \
	X(FIRST, uint64_t, keys, NONE, SAME, "Keys of weir in Redis at the last count.")         \
	X(FIRST, uint64_t, max_keys, NONE, NAMED("keys_cap"),                                    \
		"Most keys that weir keeps in Redis.")                                           \
	X(FIRST, uint64_t, trimmed, SAME, TOTAL,                                                 \
		"Index entries removed because their key had expired.")                          \
	X(FIRST, uint64_t, orphans, SAME, TOTAL,                                                 \
		"Index entries removed because their key was already gone.")                     \
	X(FIRST, uint64_t, cold, SAME, TOTAL, "Keys deleted because they were cold.")            \
	X(FIRST, uint64_t, evicted, SAME, TOTAL, "Keys deleted because of redis.max_keys.")      \
	X(FIRST, uint64_t, spared, SAME, TOTAL,                                                  \
		"Keys kept because they had become popular on this box.")                        \
	X(FIRST, uint64_t, foreign, SAME, TOTAL,                                                 \
		"Index entries and keys that weir had not written.")

struct l1_sweep_status {
	L1_SWEEP_COUNTS(COUNT_FIELD)
	char error[128]; // Redis's error when a round last failed; "": a round was done since
	size_t bytes;
};
COUNTS(l1_sweep_rows, struct l1_sweep_status, "weir_l1_", L1_SWEEP_COUNTS)
void l1_sweep_status(const struct l1_sweep *s, struct l1_sweep_status *out);
void l1_sweep_tables(const struct l1_sweep *s, struct table_registry *tables);
