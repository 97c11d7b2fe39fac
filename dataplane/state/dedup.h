// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Recently asked keys of one worker: keeps the duplicates of a hot miss off the miss ring.
//
// Fixed, 4-way sets of (hash, window start, count); the oldest way is replaced. At most
// DEDUP_WAITERS clients of a key wait at a time; a query beyond them is dropped as miss_duplicate
// (its retry finds the answer cached). Each answer ends one wait, so a name whose answers are not
// cached is resolved as often as answers come. A wait without an answer ends with its window of 2
// s, also after the control plane's death, so no name stays silent. One cache line per lookup.
// Worker-private.

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	DEDUP_SETS = 4096,
	DEDUP_WAYS = 4,
	DEDUP_WAITERS = 256,
	DEDUP_WINDOW_MS = 2000,
};

struct recent_way {
	uint64_t hash;
	uint32_t since_ms; // low half of the window's start
	uint32_t count;    // clients that wait since then; 0: free
};

struct dedup {
	struct recent_way (*way)[DEDUP_WAYS]; // DEDUP_SETS of them; memory given at init
	uint64_t replaced;
};

// `memory`: sizeof(struct recent_way) * DEDUP_WAYS * DEDUP_SETS bytes, zeroed, cache-line
// aligned.
void dedup_init(struct dedup *r, void *memory);

// A ticket identifies a wait: a way, and bits of its hash. The control plane keeps it with the
// return path. Any value names some way of the table.
enum { DEDUP_WAY_BITS = 14, DEDUP_TAG_BITS = 9 };
static_assert(DEDUP_SETS * DEDUP_WAYS == 1 << DEDUP_WAY_BITS);
static_assert(DEDUP_WAY_BITS + DEDUP_TAG_BITS <= 23); // frame.h

struct recent_wait {
	uint32_t before; // clients that waited already
	uint32_t ticket;
};

// A client asks for `hash`. It waits, and is counted, unless `before` is DEDUP_WAITERS.
struct recent_wait dedup_ask(struct dedup *r, uint64_t hash, uint64_t now_ms);

// Ends a wait: its answer came, or its question could not be sent. A ticket of a way that another
// key has taken since has no effect, except one in 2^DEDUP_TAG_BITS.
void dedup_end(struct dedup *r, uint32_t ticket);
