// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Heavy hitters of a stream in fixed memory: Space-Saving (Metwally, Agrawal, El Abbadi, 2005) with
// weights. `cap` texts are counted; one that is not among them takes the place, and the count, of
// the one with the least.
//
// Guarantee for a stream of weight N: the table has every text with more than N / cap, its count is
// its true weight or more, by `error` at most, and error <= N / cap. So with cap 2048 a text with a
// twentieth of the weight is counted to 1 % whatever else comes.
//
// One owner, no lock. All memory is taken at sketch_open. An update costs one hash table lookup and
// O(log cap) moves in a heap.

#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { SKETCH_CAP_MAX = 65535 };

struct sketch;

// `text_max`: bytes kept of a text, its NUL included; a longer one is identified by its hash and
// shown truncated. -EINVAL, -ENOMEM.
ATTR_MUST_CHECK int sketch_open(struct sketch **out, unsigned cap, unsigned text_max);
void sketch_free(struct sketch *s); // NULL is fine
void sketch_clear(struct sketch *s);

// `hash`: of the text, by a secret key (sketch_hash).
void sketch_add(struct sketch *s, uint64_t hash, const char *text, size_t len, uint64_t weight);
uint64_t sketch_hash(const uint64_t key[2], const char *text, size_t len);

struct sketch_item {
	const char *text; // until the next change of the sketch
	uint64_t hash;
	uint64_t count; // true weight or more
	uint64_t error; // greatest possible overcount
};
// The `max` largest of both sketches together, largest first, as if they were one; `before` may be
// NULL. Returns how many. `room` holds the caps of both.
unsigned sketch_top(const struct sketch *now, const struct sketch *before, struct sketch_item *room,
	struct sketch_item *out, unsigned max);
uint64_t sketch_evicted(const struct sketch *s); // texts that gave way to others, ever
unsigned sketch_used(const struct sketch *s);
size_t sketch_bytes(const struct sketch *s); // bytes reserved
