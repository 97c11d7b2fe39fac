// SPDX-License-Identifier: BSD-3-Clause

#include "l0_state.h"

#include <weir/shm_abi.h>

// Flush and sweep go through the whole index of the share, some buckets at a time. Every record is
// a line that is in no CPU cache, so those of the bucket after next are prefetched.
static void prefetch_records(const struct l0_writer *w, uint64_t bucket, bool gathered)
{
	if (bucket >= w->share.buckets)
		return;
	for (uint32_t i = 0; i < L0_BUCKET_SLOTS; i++) {
		uint32_t number = l0_record_in(w, (uint32_t)(bucket * L0_BUCKET_SLOTS) + i);
		if (!number)
			continue;
		__builtin_prefetch(l0_record_at(w, number));
		if (gathered)
			l0_gathered_prefetch(w, number);
	}
}

// Drops the records that `doomed` selects in buckets [from, to) of the share; returns
// their number.
struct walk {
	bool (*doomed)(const struct l0_record *p, const void *arg);
	const void *arg;
};

static uint64_t walk(struct l0_writer *w, const struct walk *what, uint64_t from, uint64_t to)
{
	uint64_t dropped = 0;
	for (uint64_t bucket = from; bucket < to; bucket++) {
		prefetch_records(w, bucket + 2, false);
		for (uint32_t i = 0; i < L0_BUCKET_SLOTS; i++) {
			uint32_t slot = (uint32_t)(bucket * L0_BUCKET_SLOTS) + i;
			uint32_t number = l0_record_in(w, slot);
			if (number && what->doomed(l0_record_at(w, number), what->arg)) {
				l0_drop(w, slot);
				dropped++;
			}
		}
	}
	return dropped;
}

// End of a step of at most `count` buckets.
static uint64_t step_end(const struct l0_writer *w, uint64_t from, uint64_t count)
{
	uint64_t all = w->share.buckets;
	return count < all - from ? from + count : all;
}

struct flush {
	const struct dns_name *name;
	bool subtree;
};

// Names in records are lower-case wire form, checked when they came in. The label of a subnet is
// no part of the name.
static bool flush_doomed(const struct l0_record *p, const void *arg)
{
	const struct flush *f = arg;
	const unsigned label = l0_subnet_len(p->key_flags, l0_name_of(p), p->name_len);
	const uint8_t *wire = l0_name_of(p) + label;
	unsigned len = p->name_len - label;
	if (len < f->name->len || (!f->subtree && len != f->name->len))
		return false;
	// The tail counts only where a label begins.
	unsigned skip = len - f->name->len, at = 0;
	while (at < skip)
		at += 1u + wire[at];
	return at == skip && memcmp(wire + skip, f->name->wire, f->name->len) == 0;
}

uint64_t l0_writer_flush(struct l0_writer *w, const struct dns_name *name, bool subtree,
	uint64_t *cursor, uint64_t buckets)
{
	uint64_t from = *cursor < w->share.buckets ? *cursor : 0;
	uint64_t to = step_end(w, from, buckets);
	struct flush f = {.name = name, .subtree = subtree};
	uint64_t dropped = walk(w, &(struct walk){flush_doomed, &f}, from, to);
	w->stats.deleted += dropped;
	*cursor = to < w->share.buckets ? to : 0;
	return dropped;
}

static void slot_sweep(struct l0_writer *w, const struct l0_sweep *s, uint32_t slot)
{
	uint32_t number = l0_record_in(w, slot);
	if (number == L0_NONE)
		return;
	const struct l0_record *p = l0_record_at(w, number);
	if (l0_past_hard(p, s->now_ms)) {
		l0_drop(w, slot);
		w->stats.expired_swept++;
		return;
	}
	if (!w->sweep_oldest_ms || p->created_ms < w->sweep_oldest_ms)
		w->sweep_oldest_ms = p->created_ms;
	bool requested;
	struct l0_swept met = {.record = number, .hits = l0_gathered_take(w, number, &requested)};
	l0_heat_used(w, slot, met.hits);
	met.heat = l0_heat_fold(&w->heat, slot, &met.hits, s->weigh_256);
	if (requested && s->now_ms > p->created_ms && s->now_ms - p->created_ms >= p->soft_ms)
		l0_unmark(w, number, MARK_REFRESH);
	if (met.heat && met.heat >= s->heat_min && s->met)
		s->met(s->arg, &met);
}

bool l0_writer_sweep(struct l0_writer *w, const struct l0_sweep *s, uint64_t buckets)
{
	if (w->gathered.at < w->share.units) {
		l0_gather(w);
		return false;
	}
	uint64_t to = step_end(w, w->sweep_at, buckets);
	w->heat.keep_256 = s->keep_256;
	for (uint64_t bucket = w->sweep_at; bucket < to; bucket++) {
		prefetch_records(w, bucket + 2, true);
		for (uint32_t i = 0; i < L0_BUCKET_SLOTS; i++)
			slot_sweep(w, s, (uint32_t)(bucket * L0_BUCKET_SLOTS) + i);
	}
	bool done = to == w->share.buckets;
	w->sweep_at = done ? 0 : to;
	if (done) {
		l0_gather_again(w);
		w->stats.oldest_ms = w->sweep_oldest_ms;
		w->sweep_oldest_ms = 0;
	}
	return done;
}
