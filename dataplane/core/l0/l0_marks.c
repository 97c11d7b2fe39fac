// SPDX-License-Identifier: BSD-3-Clause

#include "l0_state.h"

#include <errno.h>
#include <weir/heap_site.h>
#include <weir/shm_abi.h>

// Workers own the bytes of their marks. A store here that races with a worker's loses one mark, or
// one hit, or counts the hits that were taken here again. It is rare, and heat is an estimate.

enum { WORD = sizeof(uint64_t), STARTS = 64 }; // STARTS: units in a word of the allocator's

int l0_gathered_init(struct l0_gathered *g, uint32_t units)
{
	const size_t bytes = units / 2 + 1;
	*g = (struct l0_gathered){.byte = heap_calloc(bytes, 1), .memory = bytes};
	return g->byte ? 0 : -ENOMEM;
}

void l0_gathered_destroy(struct l0_gathered *g)
{
	FREE_AND_NULL(g->byte);
	*g = (struct l0_gathered){0};
}

// No two records begin at the two units of a byte.
static_assert(sizeof(struct l0_record) > L0_UNIT);

static uint8_t *gathered_at(const struct l0_writer *w, uint32_t unit)
{
	return &w->gathered.byte[unit / 2];
}

static uint8_t *gathered_of(const struct l0_writer *w, uint32_t number)
{
	return gathered_at(w, l0_unit_of(w, number));
}

bool l0_marked(const struct l0_writer *w, uint32_t number, uint8_t mark)
{
	if (*gathered_of(w, number) & mark)
		return true;
	for (unsigned n = 0; n < w->places; n++) {
		if (w->marks[n]
			&& atomic_load_explicit(&w->marks[n][number], memory_order_relaxed) & mark)
			return true;
	}
	return false;
}

static void clear(_Atomic uint8_t *mark, uint8_t bits)
{
	uint8_t has = atomic_load_explicit(mark, memory_order_relaxed);
	if (has & bits)
		atomic_store_explicit(mark, (uint8_t)(has & ~bits), memory_order_relaxed);
}

void l0_unmark(struct l0_writer *w, uint32_t number, uint8_t mark)
{
	*gathered_of(w, number) &= (uint8_t)~mark;
	for (unsigned n = 0; n < w->places; n++)
		if (w->marks[n])
			clear(&w->marks[n][number], mark);
}

void l0_marks_prefetch(const struct l0_writer *w, uint32_t number)
{
	__builtin_prefetch(gathered_of(w, number));
	for (unsigned n = 0; n < w->places; n++)
		if (w->marks[n])
			__builtin_prefetch(&w->marks[n][number]);
}

void l0_gathered_prefetch(const struct l0_writer *w, uint32_t number)
{
	__builtin_prefetch(gathered_of(w, number));
}

uint32_t l0_hits_take(const struct l0_writer *w, uint32_t number)
{
	uint8_t *own = gathered_of(w, number);
	uint32_t hits = *own / MARK_HIT;
	*own &= (uint8_t)~MARK_HITS;
	for (unsigned n = 0; n < w->places; n++) {
		if (!w->marks[n])
			continue;
		_Atomic uint8_t *mark = &w->marks[n][number];
		uint8_t has = atomic_load_explicit(mark, memory_order_relaxed);
		if (!(has & MARK_HITS))
			continue;
		hits += has / MARK_HIT;
		atomic_store_explicit(mark, (uint8_t)(has & ~MARK_HITS), memory_order_relaxed);
	}
	return hits;
}

uint32_t l0_hits_peek(const struct l0_writer *w, uint32_t number)
{
	uint32_t hits = *gathered_of(w, number) / MARK_HIT;
	for (unsigned n = 0; n < w->places; n++)
		if (w->marks[n])
			hits += atomic_load_explicit(&w->marks[n][number], memory_order_relaxed)
				/ MARK_HIT;
	return hits;
}

uint32_t l0_gathered_take(struct l0_writer *w, uint32_t number, bool *requested)
{
	uint8_t *own = gathered_of(w, number);
	*requested = *own & MARK_REFRESH;
	*own &= (uint8_t)~MARK_REFRESH;
	if ((*own & MARK_HITS) == MARK_HITS)
		return l0_hits_take(w, number); // it was full: workers may hold the rest
	uint32_t hits = *own / MARK_HIT;
	*own &= (uint8_t)~MARK_HITS;
	return hits;
}

// Adds what a worker's mark says of the record that begins at the unit. Returns the hits that fit,
// as in a mark; 0 where no record begins: a worker marked one that is gone.
static uint8_t add(struct l0_writer *w, uint32_t unit, uint8_t has)
{
	if (!l0_bit(w->alloc.starts, unit))
		return 0;
	uint8_t *own = gathered_at(w, unit);
	const uint8_t room = (uint8_t)(MARK_HITS - (*own & MARK_HITS));
	const uint8_t hits = has & MARK_HITS, taken = hits < room ? hits : room;
	*own = (uint8_t)((*own | (has & ~MARK_HITS)) + taken);
	return taken;
}

// What to do with a mark that has one of the bits looked for.
typedef void mark_fn(struct l0_writer *w, _Atomic uint8_t *mark, uint32_t unit);

static void gather_mark(struct l0_writer *w, _Atomic uint8_t *mark, uint32_t unit)
{
	const uint8_t has = atomic_load_explicit(mark, memory_order_relaxed);
	const uint8_t taken = add(w, unit, has & (MARK_HITS | MARK_REFRESH));
	if (taken)
		atomic_store_explicit(mark, (uint8_t)(has - taken), memory_order_relaxed);
}

// A request that is older than these rounds came to an earlier control plane: nobody serves it. A
// later one is sent once more.
static void gather_first_mark(struct l0_writer *w, _Atomic uint8_t *mark, uint32_t unit)
{
	clear(mark, MARK_REFRESH);
	gather_mark(w, mark, unit);
}

// Calls `fn` for the marks of the units [from, to) of the share that have a bit of `bits`. Most
// words have none, and are read as a whole.
ATTR_INLINE void each_mark(struct l0_writer *w, _Atomic uint8_t *marks, uint32_t from, uint32_t to,
	uint8_t bits, mark_fn *fn)
{
	_Atomic uint8_t *of = marks + w->share.unit_first;
	uint32_t i = from;
	while (i < to) {
		const bool is_whole = (uintptr_t)&of[i] % WORD == 0 && to - i >= WORD;
		const uint32_t n = is_whole ? WORD : 1;
		uint64_t has = is_whole ? __atomic_load_n(
				       (const uint64_t *)(uintptr_t)&of[i], __ATOMIC_RELAXED)
					: atomic_load_explicit(&of[i], memory_order_relaxed);
		has &= UINT64_C(0x0101010101010101) * bits;
		while (unlikely_(has)) {
			const uint32_t k = (uint32_t)__builtin_ctzll(has) / 8;
			fn(w, &of[i + k], i + k);
			has &= ~(UINT64_C(0xff) << 8 * k);
		}
		i += n;
	}
}

// Calls `fn` for the marks where records begin. Marks elsewhere are of no record: they are not
// read, nor their pages.
ATTR_INLINE void each_record_mark(struct l0_writer *w, _Atomic uint8_t *marks, uint32_t from,
	uint32_t to, uint8_t bits, mark_fn *fn)
{
	for (uint32_t unit = from; unit < to; unit += STARTS) {
		const uint32_t end = to - unit < STARTS ? to : unit + STARTS;
		if (w->alloc.starts[unit / STARTS])
			each_mark(w, marks, unit, end, bits, fn);
	}
}

void l0_gather(struct l0_writer *w)
{
	const uint32_t from = w->gathered.at, left = w->share.units - from;
	const uint32_t to = from + (left < L0_GATHER_UNITS ? left : L0_GATHER_UNITS);
	for (unsigned n = 0; n < w->places && n < L0_PLACE_ENDED; n++) {
		_Atomic uint8_t *marks = w->marks[n];
		if (!marks)
			continue;
		if (w->rounds[n])
			each_record_mark(
				w, marks, from, to, MARK_HITS | MARK_REFRESH, gather_first_mark);
		else
			each_record_mark(w, marks, from, to, MARK_HITS | MARK_REFRESH, gather_mark);
	}
	w->gathered.at = to;
}

static void place_set(struct l0_writer *w, unsigned place, _Atomic uint8_t *marks)
{
	w->marks[place] = marks;
	if (place >= w->places)
		w->places = place + 1;
	while (w->places && !w->marks[w->places - 1])
		w->places--;
}

void l0_gather_again(struct l0_writer *w)
{
	w->gathered.at = 0;
	for (unsigned n = 0; n < L0_PLACE_ENDED; n++)
		w->rounds[n] -= w->rounds[n] > 0;
}

// The present round may have passed some units. The one after it reads all of them.
enum { ROUNDS = 2 };

void l0_writer_set_marks(struct l0_writer *w, unsigned worker, _Atomic uint8_t *marks)
{
	if (worker >= SHM_WORKERS_MAX)
		return;
	place_set(w, L0_PLACE_WORKERS + worker, marks);
	place_set(w, L0_PLACE_ENDED + worker, NULL);
	w->rounds[L0_PLACE_WORKERS + worker] = ROUNDS;
}

// The hand needs its visits: it would evict the most popular records until a successor has its
// marks.
void l0_writer_end_marks(struct l0_writer *w, unsigned worker)
{
	place_set(w, L0_PLACE_ENDED + worker, w->marks[L0_PLACE_WORKERS + worker]);
	place_set(w, L0_PLACE_WORKERS + worker, NULL);
}

void l0_writer_forget_marks(struct l0_writer *w, unsigned worker)
{
	place_set(w, L0_PLACE_WORKERS + worker, NULL);
	place_set(w, L0_PLACE_ENDED + worker, NULL);
}

void l0_writer_set_own_marks(struct l0_writer *w, _Atomic uint8_t *marks)
{
	place_set(w, 0, marks);
}

void l0_writer_clear_refresh(struct l0_writer *w, uint32_t record)
{
	if (l0_unit_of(w, record) < w->share.units)
		l0_unmark(w, record, MARK_REFRESH);
}
