// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// L1: answers in Redis, shared between boxes, never in a packet's way. Resolver loop's thread only.
//
// Key `weir:<name>:<type>:<class>[:do][:cd][:v<hash>]`: the name in lower-case presentation form
// without the final dot (RFC 1035 5.1 escapes; `:` is escaped too; the root is "."), the hash that
// of the view's definition, since numbers differ between boxes. Value: a HASH of `v` (1), `msg` (a
// whole response with TTLs as of created_at), `soft_expiry` and `created_at` (Unix seconds),
// `stored_ttl`, and `auth_ttl` where it differs. HSET and EXPIRE are one MULTI; the index of soft
// expiry (ZSET `weir-meta:expiry`) joins it, but in Cluster follows on one of 64 hash-tagged ones.
// EVERY key has a TTL. What comes back is hostile: versioned, bounded, parsed as an upstream's
// reply is; a bad value is a miss, counted, and deleted.
//
// Housekeeping each 15 s (l1_sweep.c): cap on keys by sampled eviction (lowest hits, then oldest),
// reconcile of the index, deletion of cold keys; each bounded per turn.

#include "l1_key.h"
#include "redis.h"

#include <weir/dns_answer.h>
#include <weir/l0_table.h>

enum { L1_MESSAGE_MAX = 17000, L1_LOCK_MS = 10000 };

struct l1;
struct l1_lookup; // one look that is under way

enum l1_found { L1_HIT, L1_MISS, L1_BAD, L1_AWAY };

// A value as read, checked; the message itself goes through dns_answer_read by the caller.
struct l1_value {
	const uint8_t *msg;
	uint16_t len;
	uint32_t age_s;      // since created_at by this box's clock, 0 if in the future
	int32_t soft_left_s; // negative: stale
	uint32_t stored_ttl_s, auth_ttl_s;
};

// Called once unless l1_get_stop came before, never from within l1_get; `v` with L1_HIT alone.
typedef void (*l1_get_fn)(void *arg, enum l1_found found, const struct l1_value *v);

ATTR_MUST_CHECK int l1_new(struct l1 **out, struct loop *loop, const struct config *config);
void l1_free(struct l1 *l);
void l1_configure(struct l1 *l, const struct config *config);
struct redis *l1_redis(struct l1 *l);

// NULL: not asked (away, full); go on without.
struct l1_lookup *l1_get(struct l1 *l, const struct l1_key *key, l1_get_fn done, void *arg);
void l1_get_stop(struct l1_lookup *look); // NULL is fine

// Stores; nobody waits for it. `msg`: a whole response with id 0 and no OPT.
void l1_put(struct l1 *l, const struct l1_key *key, const uint8_t *msg, uint16_t len,
	uint32_t stored_ttl_s, uint32_t auth_ttl_s);
void l1_delete(struct l1 *l, const struct l1_key *key);
// The caller found out that the message is no answer to the question.
void l1_bad(struct l1 *l, const struct l1_key *key);

// One refresher per key over all boxes: SET NX PX under `weir-meta:refresh:<key>`. `done`: got it,
// or Redis is away (then the local table of the caller is the only lock). False: away.
ATTR_MUST_CHECK bool l1_lock(
	struct l1 *l, const struct l1_key *key, void (*done)(void *arg, bool got), void *arg);
