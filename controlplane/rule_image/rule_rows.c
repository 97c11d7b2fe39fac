// SPDX-License-Identifier: BSD-3-Clause
#include "rule_rows.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

struct rule_sets *rule_sets_new(void)
{
	return heap_calloc(1, sizeof(struct rule_sets)); // pages that stay untouched cost nothing
}

static bool within_chunk(const struct rule_set *set)
{
	unsigned chunks = 0;
	for (unsigned i = 0; i < RULE_LISTS_MAX / 8; i++)
		chunks += (set->lists[i / 8] >> i % 8 * 8 & 0xff) != 0;
	return chunks <= 1;
}

// The place of `set` in the index: its own, or the free one where it belongs.
static uint32_t *find_place(struct rule_sets *s, const struct rule_set *set)
{
	uint64_t i = contenthash(set, sizeof(*set)) % RULE_SETS_INDEX;
	while (s->index[i] && memcmp(&s->set[s->index[i] - 1], set, sizeof(*set)) != 0)
		i = (i + 1) % RULE_SETS_INDEX;
	return &s->index[i];
}

// Takes the numbers of unused sets back.
static void recycle(struct rule_sets *s)
{
	bool free_number[RULE_SETS_MAX] = {false};
	for (uint32_t i = 0; i < s->spares; i++)
		free_number[s->spare[i]] = true;
	memset(s->index, 0, sizeof(s->index));
	s->wide = s->idle = 0;
	for (uint32_t id = 0; id < s->numbered; id++) {
		if (free_number[id])
			continue;
		if (s->uses[id] == 0) {
			s->spare[s->spares++] = (uint16_t)id;
			continue;
		}
		*find_place(s, &s->set[id]) = id + 1;
		s->wide += !within_chunk(&s->set[id]);
	}
}

// Moves one use to `set`, of which no use is counted yet. False: no number for it.
static bool intern(struct rule_sets *s, const struct rule_set *set, uint16_t *id)
{
	uint32_t *place = find_place(s, set);
	if (!*place) {
		bool wide = !within_chunk(set);
		bool full = wide && s->wide == RULE_SETS_WIDE;
		// Recycling costs a pass over all sets, so it must bring some back.
		if (full && s->idle > RULE_SETS_WIDE / 16) {
			recycle(s);
			place = find_place(s, set);
			full = s->wide == RULE_SETS_WIDE;
		}
		if (full)
			return false;
		// Wide sets leave room for every other one that there can be.
		assert(s->spares || s->numbered < RULE_SETS_MAX);
		uint32_t fresh = s->spares ? s->spare[--s->spares] : s->numbered++;
		s->set[fresh] = *set;
		s->uses[fresh] = 0;
		s->wide += wide;
		s->idle++;
		*place = fresh + 1;
	}
	*id = (uint16_t)(*place - 1);
	s->idle -= s->uses[*id]++ == 0;
	return true;
}

// The set that holds `list` alone; counts `uses` uses of it, at least one.
static uint16_t rule_sets_single(struct rule_sets *s, unsigned list, size_t uses)
{
	struct rule_set set = {{0}};
	uint16_t id = 0;
	set.lists[list / 64] = UINT64_C(1) << list % 64;
	bool held = intern(s, &set, &id);
	assert(held && uses > 0);
	(void)held;
	s->uses[id] += (uint32_t)uses - 1;
	return id;
}

// Moves one use from set *id to the set with `list` added. False: no number is left for that set.
static bool rule_sets_add(struct rule_sets *s, uint16_t *id, unsigned list)
{
	struct rule_set set = s->set[*id];
	uint16_t from = *id;
	set.lists[list / 64] |= UINT64_C(1) << list % 64;
	if (!intern(s, &set, id))
		return false;
	s->idle += --s->uses[from] == 0;
	return true;
}

void rule_rows_free(struct rule_rows *r)
{
	FREE_AND_NULL(r->hash);
	FREE_AND_NULL(r->set);
	*r = (struct rule_rows){0};
}

static void sort_few(uint64_t *a, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint64_t v = a[i];
		size_t j = i;
		for (; j > 0 && a[j - 1] > v; j--)
			a[j] = a[j - 1];
		a[j] = v;
	}
}

// American flag sort, 8 bits a level from the top: in place, and fast on fingerprints, which are
// evenly spread. At most eight levels deep.
static void sort_radix(uint64_t *a, size_t n, unsigned shift, struct pace *p)
{
	size_t begin[257] = {0}, next[256];
	if (n < 48) {
		sort_few(a, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		begin[(a[i] >> shift & 255) + 1]++;
	for (unsigned b = 0; b < 256; b++) {
		begin[b + 1] += begin[b];
		next[b] = begin[b];
	}
	for (unsigned b = 0; b < 256; b++) {
		while (next[b] < begin[b + 1]) {
			uint64_t v = a[next[b]];
			unsigned home = v >> shift & 255;
			a[next[b]] = a[next[home]];
			a[next[home]++] = v;
		}
	}
	for (unsigned b = 0; shift > 0 && b < 256; b++) {
		pace(p);
		sort_radix(a + begin[b], begin[b + 1] - begin[b], shift - 8, NULL);
	}
}

size_t rule_hashes_sort(uint64_t *hash, size_t count, struct pace *pace)
{
	size_t kept = 0;
	sort_radix(hash, count, 56, pace);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || hash[kept - 1] != hash[i])
			hash[kept++] = hash[i];
	return kept;
}

// Lets existing rows take the list where they can; the fingerprints that need a new row, moved to
// the front.
static size_t absorb(
	struct rule_rows *r, struct rule_sets *sets, unsigned list, uint64_t *hash, size_t count)
{
	size_t row = 0, left = 0;
	for (size_t i = 0; i < count; i++) {
		bool known = false, taken = false;
		while (row < r->count && r->hash[row] < hash[i])
			row++;
		for (; row < r->count && r->hash[row] == hash[i]; row++) {
			known = true;
			taken = taken || rule_sets_add(sets, &r->set[row], list);
		}
		r->names += !known;
		if (!taken)
			hash[left++] = hash[i];
	}
	return left;
}

// A little more, so that the rows of a large list need not move for the small sources behind it.
static size_t room_for(size_t rows)
{
	size_t room = rows + rows / 64 + 256;
	return room < RULE_ROWS_MAX ? room : RULE_ROWS_MAX;
}

static int make_room(struct rule_rows *r, size_t rows)
{
	if (rows > RULE_ROWS_MAX)
		return -E2BIG;
	if (rows <= r->room)
		return 0;
	size_t room = room_for(rows);
	uint64_t *hash = heap_realloc(r->hash, room * sizeof(*hash));
	if (!hash)
		return -ENOMEM;
	r->hash = hash;
	uint16_t *set = heap_realloc(r->set, room * sizeof(*set));
	if (!set)
		return -ENOMEM;
	r->set = set;
	r->room = room;
	return 0;
}

int rule_rows_first(
	struct rule_rows *r, struct rule_sets *sets, unsigned list, uint64_t **hash, size_t count)
{
	assert(r->count == 0 && count > 0);
	if (count > RULE_ROWS_MAX)
		return -E2BIG;
	size_t room = room_for(count);
	uint16_t *set = heap_malloc(room * sizeof(*set));
	uint64_t *own = set ? heap_realloc(*hash, room * sizeof(*own)) : NULL;
	if (!own) {
		heap_free(set);
		return -ENOMEM;
	}
	*hash = NULL;
	*r = (struct rule_rows){
		.hash = own, .set = set, .count = count, .room = room, .names = count};
	uint16_t id = rule_sets_single(sets, list, count);
	for (size_t i = 0; i < count; i++)
		set[i] = id;
	return 0;
}

int rule_rows_merge(
	struct rule_rows *r, struct rule_sets *sets, unsigned list, uint64_t *hash, size_t count)
{
	size_t fresh = absorb(r, sets, list, hash, count);
	int err = make_room(r, r->count + fresh);
	if (err || fresh == 0)
		return err;
	uint16_t id = rule_sets_single(sets, list, fresh);
	// From the back, so that no row is overwritten before it has moved.
	size_t to = r->count + fresh, from = r->count;
	r->count = to;
	while (fresh > 0) {
		if (from > 0 && r->hash[from - 1] > hash[fresh - 1]) {
			from--;
			to--;
			r->hash[to] = r->hash[from];
			r->set[to] = r->set[from];
		} else {
			to--;
			r->hash[to] = hash[--fresh];
			r->set[to] = id;
		}
	}
	return 0;
}

uint64_t rule_rows_pack(struct rule_rows *r, struct rule_sets *sets)
{
	uint32_t packed = 0;
	for (uint32_t id = 0; id < sets->numbered; id++) {
		bool used = sets->uses[id] > 0;
		sets->index[id] = packed; // the index is not needed any more
		if (used)
			sets->set[packed++] = sets->set[id];
	}
	for (size_t i = 0; i < r->count; i++)
		r->set[i] = (uint16_t)sets->index[r->set[i]];
	return packed;
}

enum {
	BLOOM_BITS_PER_NAME = 23, // 21 give 0.1 % false positives, 23 give 0.06 %
	TABLE_LOAD_PERCENT = 75,
	TABLE_TRIES_MAX = 32,
};

// Puts the rows into the table in their order: each into its home bucket, or where that is full
// into the next one with room. With `table` NULL it only tries. False: a walk gets too long.
static bool fill_table(const struct rule_rows *rows, uint64_t homes, struct rule_bucket *table)
{
	uint64_t at = 0;
	unsigned slot = 0;
	for (size_t i = 0; i < rows->count; i++) {
		uint64_t hash = rows->hash[i];
		uint64_t home = rule_slot_of(hash, homes);
		if (slot == RULE_BUCKET_SLOTS || home > at) {
			at = home > at ? home : at + 1;
			slot = 0;
		}
		if (at - home > RULE_WALK_MAX)
			return false;
		if (table) {
			table[at].fingerprint[slot] = hash;
			table[at].set[slot] = rows->set[i];
			if (i + 1 < rows->count && rows->hash[i + 1] == hash)
				table[at].more |= (uint16_t)(1U << slot);
			table[home].walk = (uint16_t)(at - home);
		}
		slot++;
	}
	return true;
}

// Evenly spread fingerprints walk five buckets at most; with many split names it may be more, and
// a larger table helps.
uint64_t rule_table_homes(const struct rule_rows *rows)
{
	uint64_t per_bucket = RULE_BUCKET_SLOTS * TABLE_LOAD_PERCENT;
	uint64_t homes = (rows->count * 100 + per_bucket - 1) / per_bucket;
	for (unsigned tries = 0; tries < TABLE_TRIES_MAX; tries++) {
		if (homes > 0 && fill_table(rows, homes, NULL))
			return homes;
		homes += homes / 8 + 1;
	}
	return 0;
}

void rule_table_fill(const struct rule_rows *rows, uint64_t homes, struct rule_bucket *table)
{
	(void)fill_table(rows, homes, table);
}

uint64_t rule_bloom_blocks(const struct rule_rows *rows)
{
	return rows->names * BLOOM_BITS_PER_NAME / 128 + 1;
}

void rule_bloom_fill(const struct rule_rows *rows, uint64_t blocks, struct rule_bloom_block *bloom)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct rule_bloom_block *block = &bloom[rule_slot_of(rows->hash[i], blocks)];
		for (unsigned w = 0; w < 2; w++)
			block->word[w] |= rule_bloom_bits(rows->hash[i], w);
	}
}
