// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How often a client may ask: token buckets for each address (IPv6: each /64) and each network (/24
// and /56), right in sum over all workers, in tables of fixed size.
// docs/explanation/client-lookups.md explains the buckets, their errors and their cost.
//
// A worker counts in cells of its own; every 10 ms the main lcore adds up the counts of all workers
// and sets how far each may count until the next pass. No worker waits for or writes to a line of
// another. 640 KiB a worker, as much beside it and 320 KiB more a worker for the main lcore.

#include "attr.h"
#include "keyhash.h"
#include "policy.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum {
	LIMIT_LINE = 8, // cells of a cache line
	LIMIT_HALF = LIMIT_LINE / 2,
	LIMIT_ADDRESS_LINES = 1 << 13,
	LIMIT_NETWORK_LINES = 1 << 11,
	LIMIT_NETWORKS_FROM = LIMIT_LINE * LIMIT_ADDRESS_LINES, // cells
	LIMIT_CELLS = LIMIT_NETWORKS_FROM + LIMIT_LINE * LIMIT_NETWORK_LINES,
	LIMIT_BYTES = 8,  // bytes of the IP header that limit_word_of reads
	LIMIT_BLOCK = 64, // cells that one pass takes together
	LIMIT_BLOCKS = LIMIT_CELLS / LIMIT_BLOCK,
};

struct limit_cell {
	_Atomic uint32_t count; // let through; the worker
	_Atomic uint32_t until; // the main lcore says how far it may count
};
static_assert(LIMIT_LINE * sizeof(struct limit_cell) == CACHE_LINE);

// One worker's.
struct limit_table {
	alignas(CACHE_LINE) struct limit_cell cell[LIMIT_CELLS];
	_Atomic uint8_t
		dirty[LIMIT_BLOCKS]; // counted in; set by the worker, cleared by the main lcore
	alignas(CACHE_LINE) struct keyhash_secret secret; // constant
	uint32_t over; // queries over the limit, for every how many-th; the worker
};

// The cells of a bucket, in one line: bytes from the first cell of all.
struct limit_bucket {
	uint32_t first, second;
};

struct limit_places {
	struct limit_bucket address, network;
};
static_assert(sizeof(struct limit_places) == 16);

struct limiter;

// Tables for `workers`; nobody is limited until the first limiter_look. -ENOMEM, or the error of
// getrandom(2). Allocates; the tables live as long as the limiter.
ATTR_MUST_CHECK int limiter_new(unsigned workers, struct limiter **out);
void limiter_free(struct limiter *l); // NULL is fine; no worker may run any more
struct limit_table *limiter_table(struct limiter *l, unsigned worker);

// The main lcore's look, each 10 ms. `limit`: what applies now; a change fills all buckets.
void limiter_look(struct limiter *l, const struct policy_limit *limit, uint64_t now_ms);
// Cells whose buckets were empty at the last look, of addresses and of networks.
unsigned limiter_empty(const struct limiter *l);
// Cells whose buckets were not full then, and bytes of all tables.
unsigned limiter_taken(const struct limiter *l);
uint64_t limiter_bytes(const struct limiter *l);

ATTR_INLINE struct limit_cell *limit_cell_at(struct limit_table *t, uint64_t offset)
{
	return (struct limit_cell *)(void *)((uint8_t *)t->cell + offset);
}

ATTR_INLINE void limit_cell_set(struct limit_cell *c, uint32_t count)
{
	atomic_store_explicit(&c->count, count, memory_order_relaxed);
}

// The key of a limit: its bytes as they are in memory, the last ones highest; the very last is not
// part of the network. `eight`: bytes 8 to 15 of the IP header, where an IPv4 client's address ends
// and an IPv6 one's /64 is. An IPv4 address maps into the multicast range of IPv6, from which no
// query comes (address.h).
ATTR_INLINE uint64_t limit_word_of(unsigned version, uint64_t eight)
{
	const uint64_t v4 = (eight & UINT64_C(0xffffffff00000000)) | 0xff;
	return version == 4 ? v4 : eight;
}

// `ip`: 4 or 16 bytes as in the packet.
ATTR_INLINE uint64_t limit_word(unsigned version, const uint8_t *ip)
{
	uint64_t eight = 0;
	if (version == 4)
		memcpy((uint8_t *)&eight + 4, ip, 4);
	else
		memcpy(&eight, ip, sizeof(eight));
	return limit_word_of(version, eight);
}

// Where the buckets of a client are, by its limit_word; without the last byte that is its network.
// A hash is the product of both halves, each with a secret added (NH, Black, Halevi, Krawczyk,
// Krovetz and Rogaway 1999), folded: of a line, and of one cell of each of its halves, the second
// as far behind the first one's counterpart as two more bits say, so it depends on neither.
enum {
	LIMIT_IN_HALF = (LIMIT_HALF - 1) * sizeof(struct limit_cell),
	LIMIT_SECOND = LIMIT_HALF * sizeof(struct limit_cell),
	LIMIT_SECOND_SHIFT = 20,
	LIMIT_ADDRESS_BITS = (LIMIT_ADDRESS_LINES - 1) * CACHE_LINE | LIMIT_IN_HALF,
	LIMIT_NETWORK_BITS = (LIMIT_NETWORK_LINES - 1) * CACHE_LINE | LIMIT_IN_HALF,
	LIMIT_NETWORK = LIMIT_NETWORKS_FROM * sizeof(struct limit_cell),
};

ATTR_INLINE struct limit_bucket limit_bucket_at(
	uint64_t key, uint64_t word, uint32_t from, uint32_t bits)
{
	const uint32_t low = (uint32_t)word + (uint32_t)key,
		       high = (uint32_t)(word >> 32) + (uint32_t)(key >> 32);
	const uint64_t product = (uint64_t)low * high;
	const uint32_t hash = (uint32_t)product ^ (uint32_t)(product >> 32), first = hash & bits;
	return (struct limit_bucket){from + first,
		from + LIMIT_SECOND + (first ^ (hash >> LIMIT_SECOND_SHIFT & LIMIT_IN_HALF))};
}

ATTR_INLINE struct limit_places limit_places_scalar(const struct limit_table *t, uint64_t word)
{
	return (struct limit_places){
		limit_bucket_at(keyhash_key(&t->secret, 0), word, 0, LIMIT_ADDRESS_BITS),
		limit_bucket_at(
			keyhash_key(&t->secret, 1), word << 8, LIMIT_NETWORK, LIMIT_NETWORK_BITS)};
}

#ifdef __SSE2__
// Both at once, in a third of the instructions.
ATTR_INLINE struct limit_places limit_places(const struct limit_table *t, uint64_t word)
{
	const __m128i bits = _mm_setr_epi32(LIMIT_ADDRESS_BITS, LIMIT_ADDRESS_BITS,
			      LIMIT_NETWORK_BITS, LIMIT_NETWORK_BITS),
		      turns = _mm_setr_epi32(0, LIMIT_IN_HALF, 0, LIMIT_IN_HALF),
		      from = _mm_setr_epi32(
			      0, LIMIT_SECOND, LIMIT_NETWORK, LIMIT_NETWORK + LIMIT_SECOND);
	const __m128i one = _mm_cvtsi64_si128((int64_t)word);
	__m128i key, hash;
	memcpy(&key, t->secret.bytes, sizeof(key));
	const __m128i keyed = _mm_add_epi32(_mm_unpacklo_epi64(one, _mm_slli_epi64(one, 8)), key);
	hash = _mm_mul_epu32(keyed, _mm_srli_epi64(keyed, 32));
	hash = _mm_xor_si128(hash, _mm_shuffle_epi32(hash, _MM_SHUFFLE(2, 3, 0, 1)));
	const __m128i turn = _mm_and_si128(_mm_srli_epi32(hash, LIMIT_SECOND_SHIFT), turns);
	hash = _mm_xor_si128(_mm_and_si128(hash, bits), turn);
	hash = _mm_add_epi32(hash, from);
	struct limit_places at;
	memcpy(&at, &hash, sizeof(at));
	return at;
}
#else
ATTR_INLINE struct limit_places limit_places(const struct limit_table *t, uint64_t word)
{
	return limit_places_scalar(t, word);
}
#endif

// Prefetches for the calls below, some packets ahead.
ATTR_INLINE void limit_prefetch(struct limit_table *t, struct limit_places at)
{
	__builtin_prefetch(limit_cell_at(t, at.address.first), 1);
	__builtin_prefetch(limit_cell_at(t, at.network.first), 1);
}

// Marks the block of the cell at `offset` for the next pass.
ATTR_INLINE void limit_dirty(struct limit_table *t, uint64_t offset)
{
	const uint64_t block = offset / (LIMIT_BLOCK * sizeof(struct limit_cell));
	atomic_store_explicit(&t->dirty[block], 1, memory_order_release);
}

// A cell's count with one more in it, and whether that is as far as it may count: not negative.
struct limit_next {
	uint32_t count;
	int32_t left;
};

ATTR_INLINE struct limit_next limit_cell_next(const struct limit_cell *c)
{
	uint32_t count = atomic_load_explicit(&c->count, memory_order_relaxed) + 1;
	uint32_t until = atomic_load_explicit(&c->until, memory_order_relaxed);
	return (struct limit_next){count, (int32_t)(until - count)};
}

// May this client, whose buckets are `at`, ask once more? If so, counts the query. A client is over
// a limit when both cells of a bucket are empty. The table's worker alone.
ATTR_INLINE bool limit_take_at(struct limit_table *t, struct limit_places at)
{
	struct limit_cell *a = limit_cell_at(t, at.address.first),
			  *b = limit_cell_at(t, at.address.second),
			  *c = limit_cell_at(t, at.network.first),
			  *d = limit_cell_at(t, at.network.second);
	const struct limit_next na = limit_cell_next(a), nb = limit_cell_next(b),
				nc = limit_cell_next(c), nd = limit_cell_next(d);
	if (unlikely_(((na.left & nb.left) | (nc.left & nd.left)) < 0))
		return false;
	limit_cell_set(a, na.count);
	limit_cell_set(b, nb.count);
	limit_cell_set(c, nc.count);
	limit_cell_set(d, nd.count);
	limit_dirty(t, at.address.first);
	limit_dirty(t, at.network.first);
	return true;
}

ATTR_INLINE bool limit_take(struct limit_table *t, unsigned version, const uint8_t *ip)
{
	return limit_take_at(t, limit_places(t, limit_word(version, ip)));
}

ATTR_INLINE struct limit_bucket limit_proven_at(const struct limit_table *t, uint64_t word)
{
	return limit_bucket_at(keyhash_key(&t->secret, 2), word, LIMIT_NETWORK, LIMIT_NETWORK_BITS);
}

// May this client, which is over its limits and has proven its address, ask once more? Then it is
// counted in its own bucket. The table's worker alone.
ATTR_INLINE bool limit_take_proven(struct limit_table *t, unsigned version, const uint8_t *ip)
{
	const struct limit_bucket at = limit_proven_at(t, limit_word(version, ip));
	struct limit_cell *a = limit_cell_at(t, at.first), *b = limit_cell_at(t, at.second);
	const struct limit_next na = limit_cell_next(a), nb = limit_cell_next(b);
	if ((na.left & nb.left) < 0)
		return false;
	limit_cell_set(a, na.count);
	limit_cell_set(b, nb.count);
	limit_dirty(t, at.first);
	return true;
}

// How many queries more a reply of `len` bytes counts, with `bytes` bytes a query (not 0).
ATTR_INLINE uint32_t limit_reply_more(uint32_t len, uint32_t bytes)
{
	return len ? (len - 1) / bytes : 0;
}

ATTR_INLINE void limit_bucket_add(struct limit_table *t, struct limit_bucket at, uint32_t n)
{
	struct limit_cell *a = limit_cell_at(t, at.first), *b = limit_cell_at(t, at.second);
	limit_cell_set(a, atomic_load_explicit(&a->count, memory_order_relaxed) + n);
	limit_cell_set(b, atomic_load_explicit(&b->count, memory_order_relaxed) + n);
	limit_dirty(t, at.first);
}

// Charges this client for a long reply; its buckets may go into debt. `proven`: its query was
// counted by limit_take_proven. The table's worker alone.
ATTR_INLINE void limit_take_more(
	struct limit_table *t, unsigned version, const uint8_t *ip, bool proven, uint32_t more)
{
	const uint64_t word = limit_word(version, ip);
	if (proven) {
		limit_bucket_add(t, limit_proven_at(t, word), more);
		return;
	}
	const struct limit_places at = limit_places(t, word);
	limit_bucket_add(t, at.address, more);
	limit_bucket_add(t, at.network, more);
}

// Does this query over the limit get a reply with TC?
ATTR_INLINE bool limit_slips(struct limit_table *t, uint32_t slip)
{
	return slip > 0 && ++t->over % slip == 0;
}

// How many queries get SERVFAIL while there is no policy image: it has the limits for clients, and
// without them an answer to each forged query would make weir a reflector. Each worker and the
// frontend answer one query a millisecond, CLOSED_BURST at once, and drop the others.

enum { CLOSED_BURST = 100 };

struct closed_pace {
	uint64_t full_at_ms; // when the bucket is full again
};

ATTR_INLINE bool closed_pace_take(struct closed_pace *p, uint64_t now_ms)
{
	if (p->full_at_ms < now_ms)
		p->full_at_ms = now_ms;
	if (p->full_at_ms - now_ms >= CLOSED_BURST)
		return false;
	p->full_at_ms++;
	return true;
}
