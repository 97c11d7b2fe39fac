// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <weir/heap_site.h>
#include <weir/limit.h>

enum {
	MILLI = 1000,
	LOOK_MOST_MS = 1000, // a main lcore that was away gives no more than this at once
	LOOK_BLOCKS_MOST = 4 * LIMIT_BLOCKS, // times workers; of one look
	UNLIMITED = INT32_MAX / 2            // further than a worker counts between two looks
};

struct limiter {
	unsigned workers;
	struct limit_table *table;
	uint32_t *seen;             // counts at the last look, [worker][cell]
	int64_t level[LIMIT_CELLS]; // thousandths of a query that are left
	bool active[LIMIT_BLOCKS];  // some bucket is not full
	uint64_t looked_ms[LIMIT_BLOCKS];
	uint8_t empty_in[LIMIT_BLOCKS], taken_in[LIMIT_BLOCKS];
	struct policy_limit limit;
	bool looked;
	unsigned first;        // block of the next look
	unsigned empty, taken; // buckets without a query left; not full
};

int limiter_new(unsigned workers, struct limiter **out)
{
	struct keyhash_secret secret;
	int rc = keyhash_secret_make(&secret);
	if (rc < 0)
		return rc;
	struct limiter *l = heap_calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->workers = workers;
	l->seen = heap_calloc((size_t)workers * LIMIT_CELLS, sizeof(*l->seen));
	l->table = heap_aligned_alloc(CACHE_LINE, workers * sizeof(*l->table));
	if (!l->seen || !l->table) {
		limiter_free(l);
		return -ENOMEM;
	}
	memset(l->table, 0, workers * sizeof(*l->table));
	for (unsigned w = 0; w < workers; w++) {
		l->table[w].secret = secret;
		for (unsigned i = 0; i < LIMIT_CELLS; i++)
			l->table[w].cell[i].until = UNLIMITED;
	}
	*out = l;
	return 0;
}

void limiter_free(struct limiter *l)
{
	if (!l)
		return;
	FREE_AND_NULL(l->seen);
	FREE_AND_NULL(l->table);
	heap_free(l);
}

struct limit_table *limiter_table(struct limiter *l, unsigned worker)
{
	return &l->table[worker];
}

static uint32_t rate_of(const struct limiter *l, unsigned cell)
{
	return cell < LIMIT_NETWORKS_FROM ? l->limit.rate : l->limit.network_rate;
}

static int64_t full_of(const struct limiter *l, uint32_t rate)
{
	return (int64_t)rate * l->limit.burst_s * MILLI;
}

// The counts of the workers since the last pass.
static uint64_t spent(struct limiter *l, unsigned cell)
{
	uint64_t sum = 0;
	for (unsigned w = 0; w < l->workers; w++) {
		uint32_t *seen = &l->seen[(size_t)w * LIMIT_CELLS + cell];
		uint32_t count =
			atomic_load_explicit(&l->table[w].cell[cell].count, memory_order_relaxed);
		sum += count - *seen;
		*seen = count;
	}
	return sum;
}

static void grant(struct limiter *l, unsigned cell, int64_t queries)
{
	for (unsigned w = 0; w < l->workers; w++) {
		_Atomic uint32_t *until = &l->table[w].cell[cell].until;
		uint32_t far = l->seen[(size_t)w * LIMIT_CELLS + cell] + (uint32_t)queries;
		if (atomic_load_explicit(until, memory_order_relaxed) != far)
			atomic_store_explicit(until, far, memory_order_relaxed);
	}
}

// True: the bucket is not full, so the next look is due whoever asks.
static bool cell_look(struct limiter *l, unsigned cell, uint64_t passed_ms, unsigned *empty)
{
	uint32_t rate = rate_of(l, cell);
	uint64_t taken = spent(l, cell);
	if (rate == 0) {
		grant(l, cell, UNLIMITED);
		return false;
	}
	int64_t full = full_of(l, rate);
	int64_t owed_most = full * (l->workers > 1 ? l->workers - 1 : 1);
	int64_t level = l->level[cell] - (int64_t)taken * MILLI + (int64_t)(rate * passed_ms);
	level = level < full ? level : full;
	// What several workers let through at once is owed, and no more than that: a cell that a
	// flood shares by its other bucket would otherwise never come back.
	l->level[cell] = level > -owed_most ? level : -owed_most;
	*empty += level < MILLI;
	int64_t left = level / MILLI;
	grant(l, cell, left < 0 ? 0 : left < UNLIMITED ? left : UNLIMITED);
	return level < full;
}

static bool was_counted(struct limiter *l, unsigned block)
{
	bool any = false;
	for (unsigned w = 0; w < l->workers; w++) {
		_Atomic uint8_t *dirty = &l->table[w].dirty[block];
		if (!atomic_load_explicit(dirty, memory_order_acquire))
			continue;
		atomic_store_explicit(dirty, 0, memory_order_seq_cst);
		any = true;
	}
	return any;
}

static bool limit_same(const struct policy_limit *a, const struct policy_limit *b)
{
	return a->rate == b->rate && a->network_rate == b->network_rate && a->burst_s == b->burst_s;
}

static void block_look(struct limiter *l, unsigned block, uint64_t now_ms)
{
	uint64_t passed_ms = now_ms - l->looked_ms[block];
	unsigned empty = 0, taken = 0;
	passed_ms = passed_ms < LOOK_MOST_MS ? passed_ms : LOOK_MOST_MS;
	for (unsigned i = 0; i < LIMIT_BLOCK; i++)
		taken += cell_look(l, block * LIMIT_BLOCK + i, passed_ms, &empty);
	l->active[block] = taken > 0;
	l->empty += empty - l->empty_in[block];
	l->empty_in[block] = (uint8_t)empty;
	l->taken += taken - l->taken_in[block];
	l->taken_in[block] = (uint8_t)taken;
}

static void refill(struct limiter *l, uint64_t now_ms)
{
	for (unsigned i = 0; i < LIMIT_CELLS; i++) {
		(void)spent(l, i);
		l->level[i] = full_of(l, rate_of(l, i));
	}
	for (unsigned block = 0; block < LIMIT_BLOCKS; block++) {
		l->looked_ms[block] = now_ms;
		block_look(l, block, now_ms);
		l->active[block] = false;
	}
}

void limiter_look(struct limiter *l, const struct policy_limit *limit, uint64_t now_ms)
{
	bool changed = !l->looked || !limit_same(&l->limit, limit);
	l->limit = *limit;
	l->looked = true;
	if (changed) {
		refill(l, now_ms);
		return;
	}
	unsigned left = LOOK_BLOCKS_MOST / l->workers;
	left = left ? left : 1;
	for (unsigned n = 0; n < LIMIT_BLOCKS && left; n++) {
		unsigned block = l->first;
		l->first = (block + 1) % LIMIT_BLOCKS;
		if (was_counted(l, block) || l->active[block]) {
			block_look(l, block, now_ms);
			left--;
		}
		l->looked_ms[block] = now_ms;
	}
}

unsigned limiter_empty(const struct limiter *l)
{
	return l->empty;
}

unsigned limiter_taken(const struct limiter *l)
{
	return l->taken;
}

uint64_t limiter_bytes(const struct limiter *l)
{
	return sizeof(*l)
	       + l->workers * (sizeof(*l->table) + (uint64_t)LIMIT_CELLS * sizeof(*l->seen));
}
