// SPDX-License-Identifier: BSD-3-Clause

#include "l0_audit.h"

#include "dataplane/core/l0/l0_state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

// Rebuilds from the index alone what the writer's books should say, and compares.
struct audit {
	const struct l0_writer *w;
	char *why;
	uint8_t *live;      // per unit of the share: 1 live, 2 first of a record
	uint32_t *overflow; // per bucket of the share
	uint64_t entries, live_units;
};

static int ATTR_PRINTF(2, 3) fail(const struct audit *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(a->why, 128, fmt, ap);
	va_end(ap);
	return -EPROTO;
}

static int audit_slot(struct audit *a, uint32_t slot)
{
	const struct l0_writer *w = a->w;
	unsigned i = slot % L0_BUCKET_SLOTS;
	uint16_t tag = atomic_load_explicit(&l0_bucket_of(w, slot)->tag[i], memory_order_relaxed);
	if (!tag)
		return 0;
	struct l0_view v;
	uint32_t number = l0_record_in(w, slot);
	if (!l0_record_read(&w->reader, number, &v))
		return fail(a, "slot %u: record %u is out of bounds", slot, number);
	const struct l0_record *p = l0_record_at(w, number);
	struct l0_key key;
	l0_key_of_record(w, p, &key);
	if (tag != l0_tag(key.hash))
		return fail(a, "slot %u: tag is not the key's", slot);
	if (l0_slot_of_key(w, &key) != slot)
		return fail(a, "slot %u: its key leads elsewhere", slot);
	uint64_t unit = (uint64_t)number - w->share.unit_first;
	if (unit == 0 || unit + v.units > w->share.units)
		return fail(a, "slot %u: record %u is of another share", slot, number);
	for (uint32_t u = 0; u < v.units; u++) {
		if (a->live[unit + u])
			return fail(a, "unit %u belongs to two records", number + u);
		a->live[unit + u] = u ? 1 : 2;
	}
	uint64_t first = l0_first_bucket(w, p);
	a->overflow[first] += first != slot / L0_BUCKET_SLOTS;
	a->entries++;
	a->live_units += v.units;
	return 0;
}

static int audit_units(const struct audit *a)
{
	const struct l0_alloc *m = &a->w->alloc;
	uint32_t free_units = 0, open = 0, closed = 0;
	for (uint32_t u = 1; u < m->units; u++) {
		bool used = l0_bit(m->used, u), start = l0_bit(m->starts, u);
		bool waits = l0_bit(m->open.bits, u), closing = l0_bit(m->closed.bits, u);
		if (used != (a->live[u] != 0 || waits || closing))
			return fail(a, "unit %u: used %d is wrong", u, used);
		if ((a->live[u] != 0) + waits + closing > 1)
			return fail(a, "unit %u is live and retired, or retired twice", u);
		if (start != (a->live[u] == 2))
			return fail(a, "unit %u: start of a record %d is wrong", u, start);
		free_units += !used;
		open += waits;
		closed += closing;
	}
	for (uint32_t w = 0; w < m->words; w++)
		if (l0_bit(m->room, w) != (m->used[w] != UINT64_MAX))
			return fail(a, "word %u: room %d is wrong", w, l0_bit(m->room, w));
	if (free_units != m->free_units || open != m->open.units || closed != m->closed.units)
		return fail(a, "counted %u free, %u and %u retired units, booked %u, %u and %u",
			free_units, open, closed, m->free_units, m->open.units, m->closed.units);
	return 0;
}

static int audit_sieve(const struct audit *a)
{
	const struct l0_sieve *s = &a->w->sieve;
	uint64_t n = 0;
	bool hand = s->hand == L0_SLOT_NONE;
	uint32_t older = L0_SLOT_NONE;
	// Each step checks the link back, so a queue of the right length has each record once.
	for (uint32_t slot = s->oldest; slot != L0_SLOT_NONE; slot = s->link[slot].newer) {
		if (slot >= s->slots || l0_record_in(a->w, slot) == L0_NONE)
			return fail(a, "queue leads to the empty slot %u", slot);
		if (s->link[slot].older != older || ++n > a->entries)
			return fail(a, "queue is broken at slot %u", slot);
		hand |= slot == s->hand;
		older = slot;
	}
	if (n != a->entries || older != s->newest || !hand)
		return fail(a, "queue has %llu of %llu records", (unsigned long long)n,
			(unsigned long long)a->entries);
	return 0;
}

static int audit_all(struct audit *a)
{
	const struct l0_writer *w = a->w;
	int rc = 0;
	for (uint32_t slot = 0; slot < w->sieve.slots && rc == 0; slot++)
		rc = audit_slot(a, slot);
	for (uint64_t i = 0; i < w->share.buckets && rc == 0; i++) {
		uint32_t has = atomic_load_explicit(&w->buckets[i].overflow, memory_order_relaxed);
		if (has != a->overflow[i])
			rc = fail(a, "bucket %llu: overflow %u, counted %u", (unsigned long long)i,
				has, a->overflow[i]);
	}
	if (rc == 0)
		rc = audit_units(a);
	if (rc == 0)
		rc = audit_sieve(a);
	if (rc == 0 && a->entries != w->stats.entries)
		rc = fail(a, "entries are wrong");
	return rc;
}

int l0_audit(const struct l0_writer *w, char why[128])
{
	struct audit a = {
		.w = w,
		.why = why,
		.live = calloc(w->share.units, 1),
		.overflow = calloc(w->share.buckets, sizeof(uint32_t)),
	};
	int rc = a.live && a.overflow ? audit_all(&a) : fail(&a, "no memory for the audit");
	free(a.live);
	free(a.overflow);
	return rc;
}
