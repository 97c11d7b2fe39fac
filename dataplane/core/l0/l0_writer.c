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

// Replaces the slot's record by `number` and retires the old units.
static void l0_replace(struct l0_writer *w, uint32_t slot, uint32_t number)
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

// Units for a record, or 0. Free units enough and yet no run: asks for a hold, which this and the
// next puts clear; a later one then finds its room there.
static uint32_t l0_take(struct l0_writer *w, uint32_t k)
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

// Changes of a record. Records are immutable, so a change writes a new record that differs in its
// stamp, in the mask that it is checked by, or in the time when it was made.

// Units for the record that takes the place of the key's, which is *slot's. -ENOENT, or -ENOSPC.
static int change_begin(struct l0_writer *w, const struct l0_key *key, uint32_t bytes,
	uint32_t *slot, uint32_t *number)
{
	l0_make_room(w, l0_units_of(bytes));
	*slot = l0_slot_of_key(w, key); // may have had to make room itself
	if (*slot == L0_SLOT_NONE)
		return -ENOENT;
	*number = l0_take(w, l0_units_of(bytes));
	if (*number)
		return 0;
	w->stats.refused_nospace++;
	return -ENOSPC;
}

static void change_end(struct l0_writer *w, uint32_t slot, uint32_t number)
{
	struct l0_record *p = l0_record_at(w, number);
	p->check = l0_check_of(p);
	FAULT_POINT(l0_restamp_written);
	l0_unmark(w, number, UINT8_MAX);
	l0_replace(w, slot, number);
	w->stats.replaced++;
}

// Adjusts the sum, which covers head and mask, by the change of both.
static void sum_follow(struct l0_record *p, uint64_t old_head, uint64_t less, uint64_t more)
{
	uint64_t change = csum_wide_add(old_head, ~p->head_word);
	change = csum_wide_add(change, csum_wide_add(less, ~more));
	p->sum = htobe16(csum_fold(csum_wide_add((uint64_t)p->sum, change)));
}

// `flag`: L0_RECORD_STAMPED, which says what `then_ms` is, or 0.
static int then_set(struct l0_writer *w, const struct l0_key *key, uint8_t flag, uint32_t then_ms)
{
	uint32_t number, slot = l0_slot_of_key(w, key);
	if (slot == L0_SLOT_NONE)
		return -ENOENT;
	uint32_t bytes = l0_record_bytes(l0_record_at(w, l0_record_in(w, slot)));
	int rc = change_begin(w, key, bytes, &slot, &number);
	if (rc < 0)
		return rc;
	struct l0_record *p = l0_record_at(w, number);
	memcpy(p, l0_record_at(w, l0_record_in(w, slot)), bytes);
	uint64_t was = p->head_word;
	p->flags = (uint8_t)((p->flags & ~L0_RECORD_STAMPED) | flag);
	p->then_ms = then_ms;
	sum_follow(p, was, 0, 0);
	change_end(w, slot, number);
	return 0;
}

int l0_writer_restamp(struct l0_writer *w, const struct l0_key *key, uint32_t stale_until_ms)
{
	return then_set(w, key, L0_RECORD_STAMPED, stale_until_ms);
}

int l0_writer_tell_from(struct l0_writer *w, const struct l0_key *key, uint32_t refresh_ms)
{
	return then_set(w, key, 0, refresh_ms);
}

static struct rule_set mask_of(const struct l0_record *p)
{
	struct rule_set none = {0};
	uint32_t end = l0_record_bytes(p);
	return p->flags & L0_RECORD_MASKED ? l0_mask_at(p, end - (uint32_t)sizeof(none)) : none;
}

int l0_writer_set_mask(struct l0_writer *w, const struct l0_key *key, const struct rule_set *mask)
{
	uint32_t number, slot = l0_slot_of_key(w, key);
	if (slot == L0_SLOT_NONE)
		return -ENOENT;
	const struct l0_record *old = l0_record_at(w, l0_record_in(w, slot));
	struct rule_set was = mask_of(old), is = {0};
	if (!l0_mask_is_empty(mask))
		is = *mask;
	if (memcmp(&was, &is, sizeof(is)) == 0)
		return 0;
	uint32_t bytes = l0_record_bytes(old);
	uint32_t kept = bytes - (old->flags & L0_RECORD_MASKED ? sizeof(was) : 0);
	bytes = kept + (l0_mask_is_empty(&is) ? 0 : sizeof(is));
	int rc = change_begin(w, key, bytes, &slot, &number);
	if (rc == -ENOSPC)
		(void)l0_writer_delete(w, key);
	if (rc < 0)
		return rc;
	struct l0_record *p = l0_record_at(w, number);
	memcpy(p, l0_record_at(w, l0_record_in(w, slot)), kept);
	uint64_t head = p->head_word;
	p->flags &= (uint8_t)~L0_RECORD_MASKED;
	if (!l0_mask_is_empty(&is)) {
		p->flags |= L0_RECORD_MASKED;
		memcpy((uint8_t *)p + kept, &is, sizeof(is));
	}
	sum_follow(p, head, l0_mask_sum(&was), l0_mask_sum(&is));
	change_end(w, slot, number);
	return 0;
}

int l0_writer_age(struct l0_writer *w, const struct l0_key *key, uint32_t by_ms)
{
	uint32_t number, slot = l0_slot_of_key(w, key);
	if (slot == L0_SLOT_NONE)
		return -ENOENT;
	uint32_t bytes = l0_record_bytes(l0_record_at(w, l0_record_in(w, slot)));
	int rc = change_begin(w, key, bytes, &slot, &number);
	if (rc == -ENOSPC)
		(void)l0_writer_delete(w, key);
	if (rc < 0)
		return rc;
	struct l0_record *p = l0_record_at(w, number);
	memcpy(p, l0_record_at(w, l0_record_in(w, slot)), bytes);
	uint64_t head = p->head_word;
	p->created_ms = p->created_ms > by_ms ? p->created_ms - by_ms : 0;
	sum_follow(p, head, 0, 0);
	change_end(w, slot, number);
	return 0;
}

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
