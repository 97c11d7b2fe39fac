// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The steps of a lookup in line, for the packet path; elsewhere l0_table.h's functions, which are
// these. A worker does nothing else for most packets, and the scalars that it does not ask for are
// then never loaded.

#include "l0_record.h"

// The name is hashed with the secret; type, class, flags, view and length, 8 bytes, are folded in
// by one wide multiplication with secret words on both sides, which saves copying the name behind
// them. Without the secret neither factor is known.
ATTR_INLINE uint64_t l0_read_hash_behind(
	const struct l0_reader *r, uint64_t name_hash, uint64_t key_word)
{
	uint64_t whole = keyhash_fold(
		name_hash ^ keyhash_key(&r->secret, 4), key_word ^ keyhash_key(&r->secret, 5));
	// The name's hash once more: a zero factor must not throw all names together.
	return whole + name_hash;
}

ATTR_INLINE uint64_t l0_read_hash(const struct l0_reader *r, const struct l0_key *key)
{
	uint64_t name = keyhash(&r->secret, key->name, key->name_len);
	return l0_read_hash_behind(r, name, key->word);
}

// From the two words that the fields stand in: class and type as they are, flags bit by bit.
ATTR_INLINE uint64_t l0_read_key_word(const struct dns_query *q, uint16_t view)
{
	enum { CD_BIT = 20, DO_BIT = 40 };
	static_assert(offsetof(struct dns_query, flags) == 2 && DNS_FLAG_CD == 1 << (CD_BIT - 16)
		      && offsetof(struct dns_query, qtype) == 4
		      && offsetof(struct dns_query, qclass) == 6
		      && offsetof(struct dns_query, dnssec_ok) == DO_BIT / 8 + 8
		      && offsetof(struct dns_query, name.len) == 14);
	static_assert(L0_KEY_DO == 1 && L0_KEY_CD == 2);
	uint64_t first, second;
	memcpy(&first, (const uint8_t *)q, sizeof(first));
	memcpy(&second, (const uint8_t *)q + sizeof(first), sizeof(second));
	return first >> 32 | (uint64_t)view << 32 | (second >> DO_BIT & 1) << 48
	       | (first >> CD_BIT & 1) << 49 | second >> 48 << 56;
}

ATTR_INLINE void l0_read_key(
	const struct l0_reader *r, const struct dns_query *q, uint16_t view, struct l0_key *key)
{
	key->name = q->name.wire;
	key->word = l0_read_key_word(q, view);
	key->hash = l0_read_hash(r, key);
}

// Not a record's number: the key's home bucket does not have it, and the other one may.
#define L0_ELSEWHERE (UINT32_MAX - 1)

// The first of `bits` slots, its record's lines asked for.
ATTR_INLINE uint32_t l0_read_slot(
	const struct l0_reader *r, const struct l0_bucket *b, unsigned bits)
{
	uint32_t number = l0_slot_record(b, (size_t)__builtin_ctzll(bits));
	if (unlikely_(number == L0_NONE || number >= r->unit_count))
		return UINT32_MAX; // never a record: l0_find counts it and looks on
	const uint8_t *p = r->units + (size_t)number * L0_UNIT;
	// Two lines hold most records whole; the second is needed last. A third would cost all of
	// them a quarter more memory traffic, and is fetched by l0_find for those that have one.
	__builtin_prefetch(p);
	prefetch_far(p + CACHE_LINE);
	return number;
}

// The first record that may be the key's, with its lines prefetched, if the home bucket decides; or
// L0_ELSEWHERE, with the other bucket's line prefetched.
ATTR_INLINE uint32_t l0_read_home(const struct l0_reader *r, uint64_t hash)
{
	const struct l0_bucket *b = &r->buckets[hash & r->bucket_mask];
	unsigned bits = l0_match(b, l0_tag(hash));
	if (likely_(bits))
		return l0_read_slot(r, b, bits);
	if (likely_(!l0_overflows(b)))
		return L0_NONE;
	__builtin_prefetch(
		&r->buckets[l0_other_bucket(hash & r->bucket_mask, l0_tag(hash), r->bucket_mask)]);
	return L0_ELSEWHERE;
}

// Looks into the other bucket for L0_ELSEWHERE, once that line has arrived.
ATTR_INLINE uint32_t l0_read_other(const struct l0_reader *r, uint64_t hash)
{
	const struct l0_bucket *b =
		&r->buckets[l0_other_bucket(hash & r->bucket_mask, l0_tag(hash), r->bucket_mask)];
	unsigned bits = l0_match(b, l0_tag(hash));
	return bits ? l0_read_slot(r, b, bits) : L0_NONE;
}

ATTR_INLINE uint32_t l0_read_candidate(const struct l0_reader *r, uint64_t hash)
{
	uint32_t number = l0_read_home(r, hash);
	return number == L0_ELSEWHERE ? l0_read_other(r, hash) : number;
}

// The fields that a lookup has checked of the record that it found. The reply, a pass later, must
// not load them again; the rest of struct l0_bounds follows from them.
struct l0_found {
	const struct l0_record *record;
	uint64_t head, key, count, left, ttl_last;
};

ATTR_INLINE struct l0_found l0_found_of(const struct l0_bounds *b)
{
	return (struct l0_found){b->record, b->head, b->key, b->count, b->left, b->ttl_last};
}

// Is it the key's record? Then *found is set. One that does not fit the table is counted.
ATTR_INLINE bool l0_read_is(const struct l0_reader *r, uint32_t number, const struct l0_key *key,
	struct l0_found *found, uint64_t *anomalies)
{
	struct l0_bounds b;
	if (unlikely_(!l0_bounds_read(r, number, &b))) {
		++*anomalies;
		return false;
	}
	if (!l0_bounds_match(&b, key))
		return false;
	// For whoever writes the reply, a pass later: the second line nearer, and the one behind.
	__builtin_prefetch((const uint8_t *)b.record + CACHE_LINE);
	if (b.at.end + (uintptr_t)b.record % CACHE_LINE > 2 * CACHE_LINE)
		__builtin_prefetch((const uint8_t *)b.record + 2 * CACHE_LINE);
	*found = l0_found_of(&b);
	return true;
}

// The other records that the tags of both buckets lead to.
uint32_t l0_read_find_other(const struct l0_reader *r, const struct l0_key *key, uint32_t candidate,
	struct l0_found *found, uint64_t *anomalies);

// *found is set unless it returns L0_NONE.
ATTR_INLINE uint32_t l0_read_find(const struct l0_reader *r, const struct l0_key *key,
	uint32_t candidate, struct l0_found *found, uint64_t *anomalies)
{
	if (candidate == L0_NONE)
		return L0_NONE;
	if (likely_(l0_read_is(r, candidate, key, found, anomalies)))
		return candidate;
	const struct l0_key in_memory = *key; // the caller's need not be
	return l0_read_find_other(r, &in_memory, candidate, found, anomalies);
}

// Every offset of a table is checked here, so that a damaged record is a miss and not a damaged
// reply. Only a broken writer can change the table meanwhile; so the reply writer checks each
// offset again where it uses it (dns_reply.c), and safety rests on that check. *offs is the wide
// sum of the offsets as they are in memory.
ATTR_INLINE bool l0_ttls_fit(
	const uint16_t *off, unsigned count, unsigned answer_len, uint64_t *offs)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned at = L0_ONCE(off[i]);
		if (at + 4 > answer_len)
			return false;
		*offs += at;
	}
	return true;
}

// The record, as l0_record_read. Of an answer longer than `most` the offsets, of which there may be
// thousands, are neither checked nor summed: `out` has none, and it is for a reply that says TC.
ATTR_INLINE bool l0_read_record_most(
	const struct l0_reader *r, uint32_t record, uint32_t most, struct l0_view *out)
{
	struct l0_bounds b;
	if (unlikely_(!l0_bounds_read(r, record, &b)))
		return false;
	const struct l0_record *p = b.record;
	const uint8_t *bytes = (const uint8_t *)p;
	const uint16_t *ttl_off = NULL;
	uint64_t rest = 0; // the rest of the sum
	if (unlikely_(!b.ttl_step) && l0_answer_len_of(b.head) > most) {
		b.ttl_count = 0;
	} else if (unlikely_(!b.ttl_step)) {
		ttl_off = (const uint16_t *)(const void *)(bytes + b.at.ttl_off);
		if (!l0_ttls_fit(ttl_off, b.ttl_count, l0_answer_len_of(b.head), &rest))
			return false;
	}
	out->masked = l0_flags_of(b.head) & L0_RECORD_MASKED;
	if (unlikely_(out->masked)) {
		out->mask = l0_mask_at(p, b.at.mask);
		rest = csum_wide_add(rest, l0_mask_sum(&out->mask));
	}
	const struct l0_key key = {.word = l0_key_word(b.key)};
	bool stamped = l0_flags_of(b.head) & L0_RECORD_STAMPED;
	uint32_t then_ms = L0_ONCE(p->then_ms);
	out->created_ms = l0_created_of(b.head);
	out->soft_ms = L0_ONCE(p->soft_ms);
	out->hard_ms = L0_ONCE(p->hard_ms);
	out->refresh_ms = stamped ? UINT32_MAX : then_ms;
	out->stale_until_ms = stamped ? then_ms : 0;
	out->auth_ttl_s = l0_auth_ttl_of(b.count);
	out->name = bytes + sizeof(*p);
	out->name_len = key.name_len;
	out->key_flags = key.flags;
	out->qtype = key.qtype;
	out->qclass = key.qclass;
	out->view = key.view;
	out->units = (uint16_t)l0_units_of(b.at.end);
	out->answer = (struct dns_answer_view){
		.bytes = bytes + b.at.answer,
		.ttl_off = ttl_off,
		.len = l0_answer_len_of(b.head),
		.ttl_count = b.ttl_count,
		.ttl_step = b.ttl_step,
		.ancount = l0_ancount_of(b.count),
		.nscount = l0_nscount_of(b.count),
		.rcode = l0_rcode_of(b.head),
		.authenticated = l0_flags_of(b.head) & L0_RECORD_AUTHENTICATED,
		.insecure = l0_insecure_of(b.head),
		.sum = csum_fold(l0_sum_of(b.head, b.key, b.count, rest)),
	};
	return true;
}

ATTR_INLINE bool l0_read_record(const struct l0_reader *r, uint32_t record, struct l0_view *out)
{
	return l0_read_record_most(r, record, UINT32_MAX, out);
}
