// SPDX-License-Identifier: BSD-3-Clause

#include "l0_state.h"

#include <errno.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/l0_writer.h>
#include <weir/shm_abi.h>

int l0_region_init(uint8_t *base, size_t size)
{
	struct l0_reader r;
	int rc = l0_reader_init(&r, base, size);
	if (rc < 0)
		return rc;
	return keyhash_secret_make(&((struct l0_head *)(void *)(base + SHM_PAGE))->secret);
}

static int writer_init(struct l0_writer *w, uint8_t *base, size_t size, unsigned index)
{
	int rc = l0_reader_init(&w->reader, base, size);
	if (rc < 0)
		return rc;
	if (index >= w->reader.resolvers)
		return -EPROTO;
	l0_share_of(&w->reader, index, &w->share);
	if (w->share.units < L0_UNITS_MIN)
		return -EPROTO;
	// The reader's pointers with the right to write, which the caller's mapping gives us.
	size_t buckets_at = (size_t)((const uint8_t *)w->reader.buckets - base);
	w->buckets = (struct l0_bucket *)(void *)(base + buckets_at) + w->share.bucket_first;
	w->units = base + (w->reader.units - base);
	w->reserve_units = w->share.units / L0_RESERVE_SHARE;
	if (w->reserve_units < 2 * L0_RECORD_UNITS_MAX)
		w->reserve_units = 2 * L0_RECORD_UNITS_MAX;
	uint32_t slots = (uint32_t)(w->share.buckets * L0_BUCKET_SLOTS);
	rc = l0_alloc_init(&w->alloc, w->share.units);
	if (rc == 0)
		rc = l0_sieve_init(&w->sieve, slots);
	if (rc == 0)
		rc = l0_heat_init(&w->heat, slots);
	return rc < 0 ? rc : l0_gathered_init(&w->gathered, w->share.units);
}

int l0_writer_open(struct l0_writer **out, uint8_t *base, size_t size, unsigned index, bool fresh,
	struct epoch_writer *epoch, uint64_t now_ms)
{
	struct l0_writer *w = heap_calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->epoch = epoch;
	int rc = writer_init(w, base, size, index);
	if (rc == 0 && !fresh)
		rc = l0_recover(w, now_ms);
	if (rc < 0) {
		l0_writer_close(w);
		return rc;
	}
	*out = w;
	return 0;
}

void l0_writer_close(struct l0_writer *w)
{
	if (!w)
		return;
	l0_alloc_destroy(&w->alloc);
	l0_sieve_destroy(&w->sieve);
	l0_heat_destroy(&w->heat);
	l0_gathered_destroy(&w->gathered);
	heap_free(w);
}

const struct l0_reader *l0_writer_reader(const struct l0_writer *w)
{
	return &w->reader;
}

const struct l0_share *l0_writer_share(const struct l0_writer *w)
{
	return &w->share;
}

bool l0_writer_owns(const struct l0_writer *w, uint64_t hash)
{
	return l0_bucket_of_hash(w, hash) < w->share.buckets;
}

void l0_key_of_record(const struct l0_writer *w, const struct l0_record *p, struct l0_key *key)
{
	*key = (struct l0_key){
		.name = l0_name_of(p),
		.word = l0_key_word(p->key_word),
	};
	l0_key_hash(&w->reader, key);
}

uint64_t l0_first_bucket(const struct l0_writer *w, const struct l0_record *p)
{
	struct l0_key key;
	l0_key_of_record(w, p, &key);
	return l0_bucket_of_hash(w, key.hash);
}

uint32_t l0_slot_of_key(const struct l0_writer *w, const struct l0_key *key)
{
	uint16_t tag = l0_tag(key->hash);
	uint64_t at = l0_bucket_of_hash(w, key->hash);
	if (at >= w->share.buckets)
		return L0_SLOT_NONE;
	for (int i = 0; i < 2; i++) {
		unsigned bits = l0_match(&w->buckets[at], tag);
		for (; bits; bits &= bits - 1) {
			uint32_t slot =
				(uint32_t)(at * L0_BUCKET_SLOTS) + (uint32_t)__builtin_ctz(bits);
			struct l0_bounds b;
			if (l0_bounds_read(&w->reader, l0_record_in(w, slot), &b)
				&& l0_bounds_match(&b, key))
				return slot;
		}
		if (likely_(!l0_overflows(&w->buckets[at])))
			break; // nothing of this bucket lives in another
		at = l0_other_bucket(at, tag, w->reader.bucket_mask);
	}
	return L0_SLOT_NONE;
}

// The step between TTLs at regular offsets; 0: they need a table.
static uint16_t put_step(const struct l0_put *put)
{
	const struct dns_answer_view *a = &put->answer;
	if (a->ttl_count == 0 || a->ttl_count != a->ancount + a->nscount)
		return 0;
	if (dns_answer_ttl_at(a, 0) != DNS_TTL_FIRST)
		return 0;
	if (a->ttl_count == 1)
		return a->len;
	unsigned step = dns_answer_ttl_at(a, 1) - DNS_TTL_FIRST;
	for (unsigned i = 2; i < a->ttl_count; i++) {
		if (dns_answer_ttl_at(a, i) != DNS_TTL_FIRST + i * step)
			return 0;
	}
	return (uint16_t)step;
}

static unsigned put_flags(const struct l0_put *put)
{
	return (put_step(put) ? L0_RECORD_EVEN : 0)
	       | (put->answer.authenticated ? L0_RECORD_AUTHENTICATED : 0)
	       | (put->stale_until_ms ? L0_RECORD_STAMPED : 0)
	       | (l0_mask_is_empty(put->mask) ? 0 : L0_RECORD_MASKED);
}

// Bytes that the record takes; -E2BIG; -EINVAL for an answer that no parser makes.
static int put_check(const struct l0_put *put)
{
	const struct dns_answer_view *a = &put->answer;
	enum { COUNT_MAX = (1 << 12) - 1, RCODE_MAX = 15 };
	if (a->len > L0_ANSWER_MAX || a->ttl_count > L0_TTLS_MAX || a->ancount > COUNT_MAX
		|| a->nscount > COUNT_MAX)
		return -E2BIG;
	if (put->key.name_len == 0 || put->key.qclass != DNS_CLASS_IN || a->arcount
		|| put->created_ms >> 39 || a->rcode > RCODE_MAX)
		return -EINVAL;
	uint32_t end = 0; // where the TTL before ends
	for (unsigned i = 0; i < a->ttl_count; i++) {
		uint32_t at = dns_answer_ttl_at(a, i);
		if (at + 4 > a->len || at < end)
			return -EINVAL;
		end = at + 4;
	}
	unsigned table = put_step(put) ? 0 : a->ttl_count;
	return (int)l0_layout_of(put->key.name_len, table, a->len, put_flags(put)).end;
}

// Everything behind `check`, and what is before it folded in.
uint32_t l0_check_of(const struct l0_record *p)
{
	enum { AT = offsetof(struct l0_record, check), AFTER = AT + sizeof(p->check) };
	const uint8_t *bytes = (const uint8_t *)p;
	uint64_t h = contenthash(bytes + AFTER, l0_record_bytes(p) - AFTER);
	h += contenthash(bytes, AT) * 3;
	return (uint32_t)(h ^ h >> 32);
}

static void copy(uint8_t *to, const void *from, size_t n)
{
	if (n)
		memcpy(to, from, n);
}

static struct l0_record record_of(const struct l0_put *put, uint16_t step)
{
	enum { AUTH_TTL_MAX = (1 << 24) - 1 };
	const struct dns_answer_view *a = &put->answer;
	return (struct l0_record){
		.created_ms = put->created_ms,
		.insecure = a->insecure,
		.rcode = a->rcode,
		.flags = put_flags(put),
		.answer_len = a->len,
		.soft_ms = put->soft_ms,
		.hard_ms = put->hard_ms,
		.then_ms = put->stale_until_ms ? put->stale_until_ms : put->refresh_ms,
		.qtype = put->key.qtype,
		.ttls = step ? step : a->ttl_count,
		.view = put->key.view,
		.key_flags = put->key.flags,
		.name_len = put->key.name_len,
		.ancount = a->ancount,
		.nscount = a->nscount,
		.auth_ttl_s = put->auth_ttl_s < AUTH_TTL_MAX ? put->auth_ttl_s : AUTH_TTL_MAX,
	};
}

static void record_write(struct l0_writer *w, uint32_t number, const struct l0_put *put)
{
	const struct dns_answer_view *a = &put->answer;
	uint16_t step = put_step(put);
	unsigned table = step ? 0 : a->ttl_count;
	struct l0_layout at = l0_layout_of(put->key.name_len, table, a->len, put_flags(put));
	struct l0_record *p = l0_record_at(w, number);
	struct l0_record head = record_of(put, step);
	uint64_t rest = 0; // the rest of the sum
	uint16_t *ttl_off = (uint16_t *)(void *)((uint8_t *)p + at.ttl_off);
	for (unsigned i = 0; i < table; i++)
		rest += ttl_off[i] = (uint16_t)dns_answer_ttl_at(a, i);
	if (head.flags & L0_RECORD_MASKED)
		rest = csum_wide_add(rest, l0_mask_sum(put->mask));
	head.sum = l0_sum_for(&head, rest, csum_widen(a->sum));
	*p = head;
	uint8_t *bytes = (uint8_t *)p;
	if (table)
		bytes[at.ttl_off - 1] = 0; // the check covers the gap as well
	copy(bytes + sizeof(*p), put->key.name, put->key.name_len);
	copy(bytes + at.answer, a->bytes, a->len);
	if (head.flags & L0_RECORD_MASKED)
		copy(bytes + at.mask, put->mask, sizeof(*put->mask));
	p->check = l0_check_of(p);
	FAULT_POINT(l0_record_written);
}

// The record number by release, so that whoever reads it finds the record complete: a reader may
// come to it by an older tag of this slot.
static void slot_store(struct l0_writer *w, uint32_t slot, uint32_t number)
{
	atomic_store_explicit(&l0_bucket_of(w, slot)->record[slot % L0_BUCKET_SLOTS], number,
		memory_order_release);
}

void l0_replace(struct l0_writer *w, uint32_t slot, uint32_t number)
{
	uint32_t old = l0_record_in(w, slot);
	if (l0_marked(w, old, MARK_VISITED))
		l0_sieve_carry(&w->sieve, slot);
	slot_store(w, slot, number);
	FAULT_POINT(l0_number_replaced);
	l0_heat_carry(w, slot, old);
	l0_alloc_retire(&w->alloc, l0_unit_of(w, old), l0_record_units(l0_record_at(w, old)));
}

static uint32_t insert(
	struct l0_writer *w, const struct l0_key *key, uint32_t number, uint64_t now_ms)
{
	uint32_t slot = l0_make_slot(w, key, now_ms);
	uint64_t first = l0_bucket_of_hash(w, key->hash);
	// Counted before it can be found, or a reader might stop short of it.
	if (slot / L0_BUCKET_SLOTS != first) {
		l0_overflow_add(w, first, 1);
		FAULT_POINT(l0_overflow_raised);
	}
	slot_store(w, slot, number);
	FAULT_POINT(l0_number_stored);
	atomic_store_explicit(&l0_bucket_of(w, slot)->tag[slot % L0_BUCKET_SLOTS],
		l0_tag(key->hash), memory_order_release);
	FAULT_POINT(l0_tag_stored);
	l0_sieve_insert(&w->sieve, slot);
	w->stats.entries++;
	return slot;
}

uint32_t l0_take(struct l0_writer *w, uint32_t k)
{
	uint32_t unit = l0_alloc_take(&w->alloc, k);
	if (unit)
		return w->share.unit_first + unit;
	uint32_t had = w->alloc.free_units;
	l0_alloc_reclaim(&w->alloc, w->epoch);
	if (w->alloc.free_units > had)
		unit = l0_alloc_take(&w->alloc, k);
	if (!unit && w->alloc.free_units >= k) {
		l0_alloc_want(&w->alloc, k);
		(void)l0_clear_hold(w, L0_EVICTIONS_MAX);
	}
	return unit ? w->share.unit_first + unit : L0_NONE;
}

int l0_writer_put(struct l0_writer *w, const struct l0_put *put)
{
	int bytes = put_check(put);
	if (bytes < 0) {
		w->stats.refused_large += bytes == -E2BIG;
		return bytes;
	}
	if (!l0_writer_owns(w, put->key.hash)) {
		w->stats.refused_foreign++;
		return -EXDEV;
	}
	uint32_t k = l0_units_of((uint32_t)bytes);
	l0_make_room(w, k);
	uint32_t number = l0_take(w, k);
	if (!number) {
		w->stats.refused_nospace++;
		return -ENOSPC;
	}
	record_write(w, number, put);
	// Marks of an earlier record here would count for this one, as a refresh that no worker
	// requested.
	l0_unmark(w, number, UINT8_MAX);
	FAULT_POINT(l0_marks_cleared);
	uint32_t slot = l0_slot_of_key(w, &put->key);
	if (slot != L0_SLOT_NONE) {
		l0_replace(w, slot, number);
		w->stats.replaced++;
		l0_heat_set_renewed(&w->heat, slot, put->renews);
		w->stats.renewed += put->renews;
	} else {
		slot = insert(w, &put->key, number, put->created_ms);
	}
	l0_heat_add(&w->heat, slot, put->hits);
	w->stats.puts++;
	return 0;
}

void l0_writer_look_ahead(const struct l0_writer *w, uint64_t hash)
{
	const uint64_t first = l0_bucket_of_hash(w, hash);
	if (first >= w->share.buckets)
		return;
	l0_slots_prefetch(w, first);
	__builtin_prefetch(
		&w->buckets[l0_other_bucket(first, l0_tag(hash), w->reader.bucket_mask)]);
	l0_victim_prefetch(w);
}

bool l0_writer_delete(struct l0_writer *w, const struct l0_key *key)
{
	uint32_t slot = l0_slot_of_key(w, key);
	if (slot == L0_SLOT_NONE)
		return false;
	l0_drop(w, slot);
	w->stats.deleted++;
	return true;
}

void l0_writer_reclaim(struct l0_writer *w)
{
	l0_alloc_reclaim(&w->alloc, w->epoch);
}

void l0_writer_stats(const struct l0_writer *w, struct l0_writer_stats *out)
{
	*out = w->stats;
	out->units_total = w->share.units - 1;
	out->units_retired = l0_alloc_retired(&w->alloc);
	out->units_used = out->units_total - w->alloc.free_units - out->units_retired;
	out->index_slots = w->sieve.slots;
}

size_t l0_writer_memory(const struct l0_writer *w)
{
	return sizeof(*w) + w->alloc.memory + w->sieve.memory + w->heat.memory + w->gathered.memory;
}
