// SPDX-License-Identifier: BSD-3-Clause

#include "l0_alloc.h"

#include <errno.h>
#include <weir/fault.h>
#include <weir/heap_site.h>

enum {
	SCAN_STEPS_MAX = 4096,    // gaps looked at by one search
	SKIP_MAX = 64 * 64 * 64,  // units passed at once when all are used
	DRAIN_WORDS_MAX = 16384,  // words freed by one reclaim
	HOLD_SHARE = 64,          // a hold is at least this share of the table
	HOLD_CANDIDATES = 8,      // windows compared before one is chosen
	HOLD_SCAN_WORDS_MAX = 64, // words without a record after which a candidate is dropped
};

// The bits of word `w` that belong to [start, end).
static uint64_t mask_of(uint32_t w, uint64_t start, uint64_t end)
{
	uint64_t base = (uint64_t)w * 64;
	uint64_t mask = UINT64_MAX;
	if (start > base)
		mask &= UINT64_MAX << (start - base);
	if (end < base + 64)
		mask &= UINT64_MAX >> (base + 64 - end);
	return mask;
}

static void bits_set(uint64_t *bits, uint32_t start, uint32_t k)
{
	uint64_t end = (uint64_t)start + k;
	for (uint32_t w = start / 64; w <= (end - 1) / 64; w++)
		bits[w] |= mask_of(w, start, end);
}

static uint32_t bits_count(const uint64_t *bits, uint32_t start, uint32_t k)
{
	uint64_t end = (uint64_t)start + k;
	uint32_t n = 0;
	for (uint32_t w = start / 64; w <= (end - 1) / 64; w++)
		n += (uint32_t)__builtin_popcountll(bits[w] & mask_of(w, start, end));
	return n;
}

// First set bit in [start, end), or 0 (bit 0 is never asked for).
static uint32_t bits_next(const uint64_t *bits, uint64_t start, uint64_t end)
{
	for (uint64_t w = start / 64; w * 64 < end; w++) {
		uint64_t word = bits[w] & mask_of((uint32_t)w, start, end);
		if (word)
			return (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(word);
	}
	return 0;
}

// Whether the word of `used` has a free unit. Call it after each change of the word.
static void room_note(struct l0_alloc *a, uint32_t w)
{
	uint64_t *word = &a->room[w / 64], bit = UINT64_C(1) << w % 64;
	*word = a->used[w] == UINT64_MAX ? *word & ~bit : *word | bit;
}

static uint64_t *words_new(struct l0_alloc *a, size_t words)
{
	a->memory += words * sizeof(uint64_t);
	return heap_calloc(words, sizeof(uint64_t));
}

int l0_alloc_init(struct l0_alloc *a, uint32_t units)
{
	*a = (struct l0_alloc){.units = units, .words = units / 64 + 1, .cursor = 2};
	uint32_t touched = a->words / 64 + 1;
	a->used = words_new(a, a->words);
	a->starts = words_new(a, a->words);
	a->open.bits = words_new(a, a->words);
	a->closed.bits = words_new(a, a->words);
	a->room = words_new(a, touched);
	a->open.touched = words_new(a, touched);
	a->closed.touched = words_new(a, touched);
	if (!a->used || !a->starts || !a->room || !a->open.bits || !a->closed.bits
		|| !a->open.touched || !a->closed.touched) {
		l0_alloc_destroy(a);
		return -ENOMEM;
	}
	a->free_units = units - 1;
	// Number 0 and what the last word has beyond the table are never free.
	a->used[0] |= 1;
	a->used[a->words - 1] |= UINT64_MAX << units % 64;
	for (uint32_t w = 0; w < a->words; w++)
		room_note(a, w);
	return 0;
}

void l0_alloc_destroy(struct l0_alloc *a)
{
	FREE_AND_NULL(a->used);
	FREE_AND_NULL(a->starts);
	FREE_AND_NULL(a->room);
	FREE_AND_NULL(a->open.bits);
	FREE_AND_NULL(a->closed.bits);
	FREE_AND_NULL(a->open.touched);
	FREE_AND_NULL(a->closed.touched);
	*a = (struct l0_alloc){0};
}

// The first unit from `at`, which begins a word, of a word with a free unit; or how far it looked.
static uint64_t skip_full(const struct l0_alloc *a, uint64_t at, uint64_t to)
{
	uint64_t end = to < at + SKIP_MAX ? to : at + SKIP_MAX;
	uint32_t w = bits_next(a->room, at / 64, (end + 63) / 64);
	return w ? (uint64_t)w * 64 : end;
}

// A run of k free units in [from, to); 0 without one. *steps counts down; on 0 the search ends, and
// the cursor stays there for the next one.
static uint32_t scan(struct l0_alloc *a, uint64_t from, uint64_t to, uint32_t k, unsigned *steps)
{
	uint64_t at = from, run = 0;
	while (at < to && *steps) {
		uint64_t word = a->used[at / 64] >> at % 64;
		unsigned left = 64 - (unsigned)(at % 64);
		unsigned gap = word ? (unsigned)__builtin_ctzll(word) : left;
		run += gap;
		at += gap;
		if (run >= k && at - run + k <= to)
			return (uint32_t)(at - run);
		--*steps;
		if (gap == left)
			continue;
		word >>= gap; // skip what is used
		unsigned taken = ~word ? (unsigned)__builtin_ctzll(~word) : 64;
		at += taken < left - gap ? taken : left - gap;
		run = 0;
		if (at % 64 == 0)
			at = skip_full(a, at, to);
	}
	if (!*steps)
		a->cursor = at < a->units ? (uint32_t)at : 1;
	return 0;
}

static uint32_t scan_around_hold(
	struct l0_alloc *a, uint64_t from, uint64_t to, uint32_t k, unsigned *steps)
{
	uint64_t start = a->hold.start, end = start + a->hold.units;
	if (!a->hold.units || end <= from || start >= to)
		return scan(a, from, to, k, steps);
	uint32_t found = start > from ? scan(a, from, start, k, steps) : 0;
	if (!found && *steps && end < to)
		found = scan(a, end, to, k, steps);
	return found;
}

static uint32_t scan_all(struct l0_alloc *a, uint32_t k)
{
	unsigned steps = SCAN_STEPS_MAX;
	uint32_t cursor = a->cursor;
	uint32_t found = scan_around_hold(a, cursor, a->units, k, &steps);
	if (found || !steps)
		return found;
	// From the start, and over the cursor, so that no run is missed that it cuts in two.
	uint64_t end = (uint64_t)cursor + k - 1;
	return scan_around_hold(a, 1, end < a->units ? end : a->units, k, &steps);
}

// The front of the hold, when it is free.
static uint32_t hold_take(struct l0_alloc *a, uint32_t k)
{
	struct l0_hold *h = &a->hold;
	if (h->units < k || bits_count(a->used, h->start, k) != 0)
		return 0;
	uint32_t found = h->start;
	h->start += k;
	h->units -= k;
	return found;
}

static void make_live(struct l0_alloc *a, uint32_t start, uint32_t k)
{
	bits_set(a->used, start, k);
	for (uint32_t w = start / 64; w <= (start + k - 1) / 64; w++)
		room_note(a, w);
	bits_set(a->starts, start, 1);
	a->free_units -= k;
}

uint32_t l0_alloc_take(struct l0_alloc *a, uint32_t k)
{
	if (k > a->free_units)
		return 0;
	uint32_t start = scan_all(a, k);
	if (start) {
		uint32_t after = start + k;
		a->cursor = after < a->units ? after : 1;
	} else {
		start = hold_take(a, k);
	}
	if (start)
		make_live(a, start, k);
	return start;
}

bool l0_alloc_claim(struct l0_alloc *a, uint32_t start, uint32_t k)
{
	if (start == 0 || k == 0 || (uint64_t)start + k > a->units
		|| bits_count(a->used, start, k) != 0)
		return false;
	make_live(a, start, k);
	return true;
}

static void limbo_touch(struct l0_limbo *l, uint32_t word)
{
	l->touched[word / 64] |= UINT64_C(1) << word % 64;
}

void l0_alloc_retire(struct l0_alloc *a, uint32_t start, uint32_t k)
{
	a->starts[start / 64] &= ~(UINT64_C(1) << start % 64);
	bits_set(a->open.bits, start, k);
	for (uint32_t w = start / 64; w <= (start + k - 1) / 64; w++)
		limbo_touch(&a->open, w);
	a->open.units += k;
	FAULT_POINT(l0_retired);
}

void l0_alloc_retire_rest(struct l0_alloc *a)
{
	for (uint32_t w = 0; w < a->words; w++) {
		uint64_t rest = ~a->used[w];
		if (!rest)
			continue;
		a->open.bits[w] |= rest;
		a->used[w] |= rest;
		room_note(a, w);
		a->open.units += (uint32_t)__builtin_popcountll(rest);
		limbo_touch(&a->open, w);
	}
	a->free_units = 0;
}

// Frees what the closed batch holds from drain_at on, at most DRAIN_WORDS_MAX words of it.
static void drain(struct l0_alloc *a)
{
	struct l0_limbo *l = &a->closed;
	unsigned budget = DRAIN_WORDS_MAX;
	for (; l->units && budget; a->drain_at++) {
		while (l->touched[a->drain_at] && budget) {
			uint32_t bit = (uint32_t)__builtin_ctzll(l->touched[a->drain_at]);
			uint32_t w = a->drain_at * 64 + bit;
			uint32_t n = (uint32_t)__builtin_popcountll(l->bits[w]);
			a->used[w] &= ~l->bits[w];
			room_note(a, w);
			l->bits[w] = 0;
			l->touched[a->drain_at] &= l->touched[a->drain_at] - 1;
			l->units -= n;
			a->free_units += n;
			budget--;
		}
		if (l->touched[a->drain_at])
			break;
	}
	if (!l->units) {
		FAULT_POINT(l0_batch_freed);
		a->draining = false;
		a->drain_at = 0;
	}
}

void l0_alloc_reclaim(struct l0_alloc *a, struct epoch_writer *epoch)
{
	for (int round = 0; round < 2; round++) {
		if (a->closed.units) {
			if (!a->draining && !epoch_passed(epoch, a->closed_epoch))
				return;
			a->draining = true;
			drain(a);
		}
		if (a->closed.units || !a->open.units)
			return;
		struct l0_limbo empty = a->closed;
		a->closed = a->open;
		a->open = empty;
		a->closed_epoch = epoch_advance(epoch);
		FAULT_POINT(l0_batch_closed);
	}
}

// The next live record at or after `at`, wrapping once; 0 if there is none near.
static uint32_t next_start(const struct l0_alloc *a, uint64_t at)
{
	uint64_t end = at + HOLD_SCAN_WORDS_MAX * 64;
	uint32_t found = bits_next(a->starts, at, end < a->units ? end : a->units);
	return found ? found : bits_next(a->starts, 1, HOLD_SCAN_WORDS_MAX * 64);
}

// Tries some windows that begin with a record, so that no record reaches in from before, and takes
// the one with the fewest records to evict.
static struct l0_hold choose_hold(const struct l0_alloc *a, uint32_t k)
{
	struct l0_hold best = {0};
	uint32_t fewest = UINT32_MAX;
	uint64_t at = a->cursor;
	for (int i = 0; i < HOLD_CANDIDATES; i++) {
		uint32_t start = next_start(a, at);
		if (!start)
			break;
		if ((uint64_t)start + k > a->units) {
			at = 1;
			continue;
		}
		uint32_t records = bits_count(a->starts, start, k);
		if (records < fewest) {
			fewest = records;
			best = (struct l0_hold){.start = start, .units = k};
		}
		at = (uint64_t)start + k;
		if (at >= a->units)
			at = 1;
	}
	return best;
}

void l0_alloc_want(struct l0_alloc *a, uint32_t k)
{
	struct l0_hold *h = &a->hold;
	if (h->units >= k)
		return;
	// Holds more than this request needs: where it finds no run, the next ones find none
	// either.
	uint32_t size = a->units / HOLD_SHARE > 2 * k ? a->units / HOLD_SHARE : 2 * k;
	if (h->units && (uint64_t)h->start + size <= a->units)
		h->units = size;
	else
		*h = choose_hold(a, size);
}

uint32_t l0_alloc_in_hold(struct l0_alloc *a)
{
	struct l0_hold *h = &a->hold;
	const uint64_t end = (uint64_t)h->start + h->units;
	if (!h->units)
		return 0;
	if (h->looked < h->start)
		h->looked = h->start;
	uint32_t found = bits_next(a->starts, h->looked, end);
	h->looked = found ? found : end;
	return found;
}
