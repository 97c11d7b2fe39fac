// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Recently asked keys of one worker: keeps the duplicates of a hot miss off the miss ring.
//
// Fixed, 4-way sets of (hash, window start, count); the oldest way is replaced. In each window of
// 2 s the first RECENT_WAITERS askers of a key go through as waiters, the rest are dropped as
// miss_duplicate (a client's retry finds the answer cached). After a control plane's death marks
// die with their window, so no name stays silent. One cache line per lookup. Worker-private.

#include <stdbool.h>
#include <stdint.h>

enum {
	RECENT_SETS = 4096,
	RECENT_WAYS = 4,
	RECENT_WAITERS = 256,
	RECENT_WINDOW_MS = 2000,
};

struct recent_way {
	uint64_t hash;
	uint32_t since_ms; // low half of the window's start
	uint32_t count;    // askers in the window; 0: free
};

struct recent {
	struct recent_way (*way)[RECENT_WAYS]; // RECENT_SETS of them; memory given at init
	uint64_t replaced;
};

// `memory`: sizeof(struct recent_way) * RECENT_WAYS * RECENT_SETS octets, zeroed, cache-line
// aligned.
void recent_init(struct recent *r, void *memory);

// Counts one more asker of `hash`; how many there were before it in this window.
uint32_t recent_ask(struct recent *r, uint64_t hash, uint64_t now_ms);

// Takes the last recent_ask of `hash` back: its question could not be sent after all, so it must
// not silence the next one.
void recent_take_back(struct recent *r, uint64_t hash);
