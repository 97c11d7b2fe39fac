// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// L0 as the resolver uses it: records stored, found and walked. Resolver loop's thread.

#include "resolver_internal.h"

// Stores an answer in place of the record of its key; the caller answers clients after that. So no
// client gets an answer before workers can find it, and none gets an older answer later: not even
// if this process dies in between, and workers serve stale records without it. An answer that may
// not be kept (TTL 0, no mask, too long) deletes the older record. An answer for which L0 has no
// room deletes it if clients wait. If no client waits the older record stays: otherwise a stopped
// worker would cause the most popular names to be deleted, because they are renewed most often. The
// cost: while there is no room, an expired name that clients ask for has no stale record if its
// servers fail.
void store_answer(struct resolver *r, const struct question *q, const struct dns_answer *a,
	const struct answer_match *finding, uint64_t created_ms, uint64_t now_ms);
// Finds the record of a key, whatever its age.
bool store_find(struct resolver *r, const struct l0_key *key, struct l0_view *out);
// Finds the record for a client of `subnet` (subnet_key.h; version 0: no subnet), whatever its age:
// the fresh record for the longest part of the subnet, or the fresh one for everyone, or a stale
// one in that order. *found: the record's key, good as long as `key`.
bool store_find_for(struct resolver *r, const struct l0_key *key, const struct ip_address *subnet,
	struct subnet_key *found, struct l0_view *out);
// May the record be served, fresh or stale?
bool store_usable(const struct l0_view *v, uint64_t now_ms);
// Prefetches the records of a bucket, for walks: their cache lines are in no CPU cache.
void store_look_ahead(const struct l0_reader *l0, uint64_t bucket);
// One slice of a walk through all records; the loop works between slices; `fn` may write the record
// again or delete it. *cursor starts at 0. Entries do not move, so none is missed. True: the walk
// has ended.
typedef void (*store_walk_fn)(struct resolver *r, const struct l0_view *v, void *arg);
bool store_walk(struct resolver *r, uint64_t *cursor, store_walk_fn fn, void *arg);
void store_restamp(struct resolver *r, const struct l0_key *key);
void store_refreshed(struct resolver *r, const struct l0_key *key); // clears the refresh mark

// Makes cached records older when the wall clock steps ahead.
ATTR_MUST_CHECK int resolver_step_open(struct resolver *r);
void resolver_step_close(struct resolver *r);
void resolver_step_beat(struct resolver *r); // every 100 ms
