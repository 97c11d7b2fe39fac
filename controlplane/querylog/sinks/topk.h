// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Heavy hitters of a stream in fixed memory: Space-Saving (Metwally, Agrawal, El Abbadi, 2005) with
// weights. `cap` texts are counted; a new text takes the place, and the count, of the text with the
// smallest count.
//
// Guarantee for a stream of weight N: the table has every text with more than N / cap, its count is
// its true weight or more, by `error` at most, and error <= N / cap. So with cap 2048 a text with a
// twentieth of the weight is counted to 1 % whatever else comes.
//
// One owner, no lock. topk_open allocates all memory. An update costs one hash table lookup and
// O(log cap) moves in a heap.

#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { TOPK_CAP_MAX = 65535 };

struct topk;

// `text_max`: bytes kept of a text, its NUL included; a longer one is identified by its hash and
// shown truncated. -EINVAL, -ENOMEM.
ATTR_MUST_CHECK int topk_open(struct topk **out, unsigned cap, unsigned text_max);
void topk_free(struct topk *s); // NULL is fine
void topk_clear(struct topk *s);

// `hash`: hash of the text under a secret key (topk_hash).
void topk_add(struct topk *s, uint64_t hash, const char *text, size_t len, uint64_t weight);
uint64_t topk_hash(const uint64_t key[2], const char *text, size_t len);

struct topk_item {
	const char *text; // until the next change of the table
	uint64_t hash;
	uint64_t count; // true weight or more
	uint64_t error; // greatest possible overcount
};
// The `max` largest of both tables together, largest first, as if they were one; `before` may be
// NULL. Returns how many. `room` has place for the caps of both tables.
unsigned topk_best(const struct topk *now, const struct topk *before, struct topk_item *room,
	struct topk_item *out, unsigned max);
uint64_t topk_evicted(const struct topk *s); // texts that gave way to others, ever
unsigned topk_used(const struct topk *s);
size_t topk_bytes(const struct topk *s); // bytes reserved
