// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// L1: answers in Redis, shared between boxes, never in a packet's way. Resolver loop's thread only.
//
// Keys are l1_key.h's. A value is a HASH: `v` (1), `msg` (a whole response, id 0, no OPT, TTLs as
// of created_at), `created_at` and `soft_expiry` (Unix seconds), `stored_ttl`, `auth_ttl`, and
// `hits` (a minute, as the box that wrote it counted). HSET and EXPIRE are one MULTI, with the
// key's entry in the index of soft expiry (ZSET `<namespace>-meta:expiry`); in Cluster, where keys
// of two slots cannot share a MULTI, the key's entry goes to one of 64 indexes
// (`<namespace>-meta:{NN}:expiry`) by a second MULTI right after, and l1_sweep.h closes the gap.
// EVERY key has a TTL, the index as well.
//
// Values are not trusted: fields are bounded and must fit each other, and the message goes through
// dns_answer_read like an upstream's. A bad value is a miss, counted, and deleted. Wall time is
// used here alone. Clocks that differ make answers older or younger by as much: a value from the
// future counts as just made, and so lives longer by that, L1_SKEW_MAX_S at most. One from further
// in the future is a miss and is not deleted, because it is unknown which clock is wrong.
//
// A server that answers but refuses L1_REFUSALS_MAX writes in a row (full, a replica, no right) is
// not "up" or "partial" but "refusing", until it accepts one: weir still reads from it, and stores
// nothing there.
//
// Cost: one round trip per lookup, L1_LOOKUPS_MAX of them at once (one more: L1 is skipped,
// counted). Nothing waits for writes and deletions; their results are counted.

#include "base/counts.h"
#include "flush.h"
#include "l1_key.h"
#include "l1_value.h"

#include <weir/config.h>

enum {
	L1_LOOKUPS_MAX = 2048,
	L1_SHARDS = 64, // indexes in Cluster
	L1_REFUSALS_MAX = 8,
};

struct l1;
struct l1_lookup; // one lookup in progress

// Called once unless l1_get_stop came before, never from within l1_get; `v` with L1_HIT alone.
typedef void (*l1_get_fn)(void *arg, enum l1_found found, const struct l1_value *v);

ATTR_MUST_CHECK int l1_new(struct l1 **out, struct loop *loop, const struct config *config);
void l1_free(struct l1 *l);                                   // NULL is fine
void l1_configure(struct l1 *l, const struct config *config); // must outlive `l`, or its next call
bool l1_usable(const struct l1 *l);
struct redis *l1_redis(struct l1 *l);

// NULL: no lookup (Redis is off or away, or too many lookups); the caller goes on without L1.
struct l1_lookup *l1_get(struct l1 *l, const struct l1_key *key, l1_get_fn done, void *arg);
// Like l1_get, for people who inspect the cache: the lookup is not counted.
struct l1_lookup *l1_peek(struct l1 *l, const struct l1_key *key, l1_get_fn done, void *arg);
void l1_get_stop(struct l1_lookup *look); // not after `done`; NULL is fine

// One refresher per key over all boxes: SET NX EX under `<namespace>-meta:refresh:<key>`, which
// expires by itself. `done` is called as for l1_get; `got` also when Redis does not answer, because
// then no other box has the lock either. NULL: no lock in Redis; only the caller's own table guards
// the key.
typedef void (*l1_lock_fn)(void *arg, bool got);
struct l1_lookup *l1_lock(
	struct l1 *l, const struct l1_key *key, unsigned life_s, l1_lock_fn done, void *arg);

// Lets the lock end within a second, once the refreshed value is stored: a name of a short TTL is
// due again before the lock would expire by itself. Not at once, because a box that has just read
// the old value may be asking for the lock.
void l1_unlock(struct l1 *l, const struct l1_key *key);

struct l1_put {
	const uint8_t *msg;
	uint16_t len;
	uint32_t age_s; // time since the TTLs began to run, 0 for a fresh answer
	uint32_t stored_ttl_s, auth_ttl_s;
	uint32_t hits;
};
// False: nothing was sent: the answer is too large or too old, or there is no Redis.
bool l1_put(struct l1 *l, const struct l1_key *key, const struct l1_put *put);
void l1_delete(struct l1 *l, const struct l1_key *key); // the key and its index entry
void l1_bad(struct l1 *l, const struct l1_key *key); // the message was no answer: counted, deleted

// The name of an index, NUL-terminated.
enum { L1_INDEX_MAX = CONFIG_NAMESPACE_MAX + 32 };
const char *l1_space(const struct l1 *l); // the namespace, for l1_key.h
// Writes `<namespace>-meta:<what>`.
void l1_meta_name(const struct l1 *l, const char *what, char out[L1_INDEX_MAX]);
// Counts the result of a write of the housekeeping: refusals make the state "refusing".
void l1_wrote(struct l1 *l, enum redis_end end, const struct redis_reply *reply);
struct ttl_rules l1_rules(const struct l1 *l);
unsigned l1_shards(const struct l1 *l); // 1, or L1_SHARDS
void l1_index_name(const struct l1 *l, unsigned shard, char out[L1_INDEX_MAX]);

#define L1_COUNTS(X)                                                                             \
	X(SUM, uint64_t, lookups, SAME, TOTAL, "Questions looked up in L1.")                     \
	X(SUM, uint64_t, hits, SAME, TOTAL, "Lookups that found an answer in L1.")               \
	X(SUM, uint64_t, hits_stale, SAME, TOTAL,                                                \
		"Lookups that found an answer in L1 past its soft expiry.")                      \
	X(SUM, uint64_t, misses, SAME, TOTAL, "Lookups that found no answer in L1.")             \
	X(SUM, uint64_t, bad, SAME, TOTAL, "Values in L1 that held no valid answer.")            \
	X(SUM, uint64_t, skipped, SAME, TOTAL, "Questions not looked up in L1.")                 \
	X(SUM, uint64_t, timeouts, SAME, TOTAL, "Lookups that L1 did not answer in time.")       \
	X(SUM, uint64_t, puts, SAME, TOTAL, "Answers sent to L1.")                               \
	X(SUM, uint64_t, puts_lost, SAME, TOTAL, "Answers that did not reach L1.")               \
	X(SUM, uint64_t, too_large, NONE, NONE, "Answers not sent because they were too large.") \
	X(SUM, uint64_t, deletes, SAME, TOTAL, "Answers deleted in L1.")                         \
	X(SUM, unsigned, looking, SAME, SAME, "Lookups in flight.")                              \
	X(SUM, unsigned, looking_most, NONE, NONE, "Most lookups in flight at once.")            \
	X(SUM, uint64_t, full, NONE, NONE, "Lookups for which there was no room, skipped.")      \
	X(EARLIEST, uint64_t, looking_since_ms, NONE, NONE,                                      \
		"When the oldest lookup began; 0: no lookup is in flight.")                      \
	X(SUM, size_t, bytes, NONE, NONE, "Memory of lookups.")

struct l1_status {
	L1_COUNTS(COUNT_FIELD)
	struct redis_status redis;
	uint64_t refused_in_a_row; // writes since one was accepted; redis.state follows
};
COUNTS(l1_rows, struct l1_status, "weir_l1_", L1_COUNTS)
void l1_status(const struct l1 *l, struct l1_status *out);
void l1_tables(const struct l1 *l, struct table_registry *tables); // the Redis client's too

// A flush of L1: every key of a name, of all below it, or all keys of weir. Resolver loop's thread.
//
// SCAN with a pattern over each master, one bounded step after the other (results are not trusted:
// it touches only keys that l1_key_parse accepts and that match), then UNLINK of the key and its
// index entry; `all` drops the indexes first. It begins L1_FLUSH_SETTLE_MS late: by then writes
// that other boxes sent before they heard of the flush have arrived. SCAN finds every key that
// existed all the time; newer keys are younger than the flush, because the log of flush.h keeps
// older ones out. Deleting all 128 keys of a step takes 0.03 to 0.1 ms of the loop (0.17 ms in
// Cluster), a Redis of a million keys 2 to 5 s. A flush that does not end in L1_FLUSH_MAX_MS, or
// whose command fails, ends with L1_FLUSH_PARTLY.

enum { L1_FLUSH_SETTLE_MS = 250, L1_FLUSH_MAX_MS = 8000 };

struct l1_flush;

enum l1_flush_end { L1_FLUSH_DONE, L1_FLUSH_PARTLY, L1_FLUSH_AWAY, L1_FLUSH_OFF };

// Called once unless l1_flush_stop came before, never from within l1_flush_start.
typedef void (*l1_flush_fn)(void *arg, enum l1_flush_end end, uint64_t removed);

// NULL: not begun (Redis is off or away, no memory).
struct l1_flush *l1_flush_start(
	struct loop *loop, struct l1 *l, const struct flush *what, l1_flush_fn done, void *arg);
void l1_flush_stop(struct l1_flush *f); // not after `done`; NULL is fine; before l1_free
