// SPDX-License-Identifier: BSD-3-Clause
#include "rule_rows.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>

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
