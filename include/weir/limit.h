// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How often a client may ask: token buckets for each address (IPv6: each /64) and each network (/24
// and /56), right in sum over all workers, in tables of fixed size.
//
// A worker counts what it lets through in cells of its own; every 10 ms the main lcore adds up what
// all workers counted since, takes it from the bucket, fills the bucket by the time that passed,
// and tells each worker how far it may count until the next look. So no worker waits for or writes
// to a line of another; a client that comes through several workers at once may get at most a burst
// more from each, which its bucket then owes. A bucket is two cells, at places that a keyed hash
// chooses (a count-min sketch of two rows: Cormode, Muthukrishnan 2005): a client is over its limit
// only if both are, so whoever shares one cell with a flood is let through. Nothing is stored of
// who a client is, nothing is evicted, and a flood from any number of addresses changes no size.
//
// A long reply takes from the same buckets as if more had been asked (policy_limit.reply_octets),
// so both are bounded by one count: queries by the rate, octets by the rate times those of one
// query.
//
// 640 KiB a worker, as much beside it and 320 KiB more a worker for the main lcore. A query of a
// limited client touches four lines; the look costs the main lcore nothing while no limited client
// asks, and 80,000 cells a worker when all of them do, but never more than those of four workers:
// with 32 of them, and a flood that reaches all cells, each cell's turn comes every 80 ms, and what
// passed since then counts.

#include "attr.h"
#include "bytes.h"
#include "keyhash.h"
#include "policy.h"

#include <stdatomic.h>

enum {
	LIMIT_ROWS = 2,
	LIMIT_ADDRESS_CELLS = 1 << 15, // of each row
	LIMIT_NETWORK_CELLS = 1 << 13,
	LIMIT_CELLS = LIMIT_ROWS * (LIMIT_ADDRESS_CELLS + LIMIT_NETWORK_CELLS),
	LIMIT_NETWORKS_FROM = LIMIT_ROWS * LIMIT_ADDRESS_CELLS,
	LIMIT_BLOCK = 64, // cells that are looked at together
	LIMIT_BLOCKS = LIMIT_CELLS / LIMIT_BLOCK,
};

struct limit_cell {
	_Atomic uint32_t count; // let through; the worker
	_Atomic uint32_t until; // as far as it may count; the main lcore
};

// Of one worker.
struct limit_table {
	alignas(CACHE_LINE) struct limit_cell cell[LIMIT_CELLS];
	_Atomic uint8_t
		dirty[LIMIT_BLOCKS]; // counted in; set by the worker, cleared by the main lcore
	alignas(CACHE_LINE) struct keyhash_secret secret; // constant
	uint32_t over; // queries over the limit, for every how many-th; the worker
};

struct limiter;

// Tables for `workers`; nobody is limited until the first limiter_look. -ENOMEM, or what
// getrandom(2) said. Allocates; the tables live as long as the limiter.
ATTR_MUST_CHECK int limiter_new(unsigned workers, struct limiter **out);
void limiter_free(struct limiter *l); // NULL is fine; no worker may run any more
struct limit_table *limiter_table(struct limiter *l, unsigned worker);

// The main lcore's look, each 10 ms. `limit`: what applies now; a change fills all buckets.
void limiter_look(struct limiter *l, const struct policy_limit *limit, uint64_t now_ms);
// Cells whose buckets were empty at the last look, of addresses and of networks.
unsigned limiter_empty(const struct limiter *l);

ATTR_INLINE bool limit_cell_left(const struct limit_cell *c)
{
	uint32_t count = atomic_load_explicit(&c->count, memory_order_relaxed);
	uint32_t until = atomic_load_explicit(&c->until, memory_order_relaxed);
	return (int32_t)(until - count) > 0;
}

ATTR_INLINE void limit_cell_add(struct limit_table *t, uint32_t at, uint32_t n)
{
	struct limit_cell *c = &t->cell[at];
	_Atomic uint8_t *dirty = &t->dirty[at / LIMIT_BLOCK];
	atomic_store_explicit(&c->count, atomic_load_explicit(&c->count, memory_order_relaxed) + n,
		memory_order_relaxed);
	if (!atomic_load_explicit(dirty, memory_order_relaxed))
		atomic_store_explicit(dirty, 1, memory_order_release);
}

ATTR_INLINE void limit_cell_count(struct limit_table *t, uint32_t at)
{
	limit_cell_add(t, at, 1);
}

// Where the two buckets of a client are: two cells of its address, two of its network.
ATTR_INLINE void limit_places(
	const struct limit_table *t, unsigned version, const uint8_t *ip, uint32_t at[4])
{
	uint64_t address, network;
	if (version == 4) {
		address = get_u32(ip);
		network = address >> 8 | UINT64_C(1) << 62;
	} else {
		memcpy(&address, ip, sizeof address);
		address = be64toh(address);
		network = address >> 8 | UINT64_C(1) << 63;
	}
	uint64_t a = keyhash_fold(
		address ^ keyhash_key(&t->secret, 0), keyhash_key(&t->secret, 1) ^ version);
	uint64_t n = keyhash_fold(
		network ^ keyhash_key(&t->secret, 2), keyhash_key(&t->secret, 3) ^ version);
	at[0] = (uint32_t)a % LIMIT_ADDRESS_CELLS;
	at[1] = LIMIT_ADDRESS_CELLS + (uint32_t)(a >> 32) % LIMIT_ADDRESS_CELLS;
	at[2] = LIMIT_NETWORKS_FROM + (uint32_t)n % LIMIT_NETWORK_CELLS;
	at[3] = LIMIT_NETWORKS_FROM + LIMIT_NETWORK_CELLS
		+ (uint32_t)(n >> 32) % LIMIT_NETWORK_CELLS;
}

// For limit_take_at, some packets later.
ATTR_INLINE void limit_prefetch(const struct limit_table *t, const uint32_t at[4])
{
	for (unsigned i = 0; i < 4; i++)
		__builtin_prefetch(&t->cell[at[i]], 1);
}

// May this client, whose buckets are there, ask once more? Then it is counted. The table's worker
// alone.
ATTR_INLINE bool limit_take_at(struct limit_table *t, const uint32_t at[4])
{
	bool left = (limit_cell_left(&t->cell[at[0]]) || limit_cell_left(&t->cell[at[1]]))
		    && (limit_cell_left(&t->cell[at[2]]) || limit_cell_left(&t->cell[at[3]]));
	for (unsigned i = 0; left && i < 4; i++)
		limit_cell_count(t, at[i]);
	return left;
}

// `ip`: 4 or 16 octets as in the packet.
ATTR_INLINE bool limit_take(struct limit_table *t, unsigned version, const uint8_t *ip)
{
	uint32_t at[4];
	limit_places(t, version, ip, at);
	return limit_take_at(t, at);
}

// What a reply of `len` octets takes beside the query's own, with so many octets a query (not 0).
ATTR_INLINE uint32_t limit_reply_more(uint32_t len, uint32_t octets)
{
	return len ? (len - 1) / octets : 0;
}

// A reply went to this client that takes so many queries more; its buckets may owe them then. The
// table's worker alone.
ATTR_INLINE void limit_take_more(
	struct limit_table *t, unsigned version, const uint8_t *ip, uint32_t more)
{
	uint32_t at[4];
	limit_places(t, version, ip, at);
	for (unsigned i = 0; i < 4; i++)
		limit_cell_add(t, at[i], more);
}

// Of a query over the limit: is it one that is told so?
ATTR_INLINE bool limit_slips(struct limit_table *t, uint32_t slip)
{
	return slip > 0 && ++t->over % slip == 0;
}
