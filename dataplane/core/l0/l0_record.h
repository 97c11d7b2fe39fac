// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One record's parts, checked against the reader's private geometry before anything is touched.
//
// The table may hold anything: a control plane gone wild must not make a worker read out of bounds.
// So each length is loaded exactly once (L0_ONCE keeps the compiler from loading it again), checked
// as a value, and only that value is used from then on.

#include "l0_index.h"

#include <string.h>

#define L0_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)

// A resource record takes 11 bytes at least, so an answer has no more TTLs than this.
enum { L0_TTLS_MAX = L0_ANSWER_MAX / 11 };

// Where the parts of a record lie, in bytes from its start. `table`: how many TTL offsets it has.
struct l0_layout {
	uint32_t ttl_off, answer, mask, end;
};

ATTR_INLINE struct l0_layout l0_layout_of(
	uint32_t name_len, uint32_t table, uint32_t answer_len, uint32_t flags)
{
	static_assert(sizeof(struct rule_set) == 4 * L0_RECORD_MASKED);
	struct l0_layout l = {.ttl_off = sizeof(struct l0_record) + name_len};
	if (table)
		l.ttl_off += l.ttl_off & 1;
	l.answer = l.ttl_off + 2 * table;
	l.mask = l.answer + answer_len;
	l.end = l.mask + 4 * (flags & L0_RECORD_MASKED);
	return l;
}

enum {
	L0_RECORD_UNITS_MAX = (sizeof(struct l0_record) + 257 + 2 * L0_TTLS_MAX + L0_ANSWER_MAX
				      + sizeof(struct rule_set) + L0_UNIT - 1)
			      / L0_UNIT,
};
static_assert(L0_RECORD_UNITS_MAX <= UINT16_MAX);

// The words of a record that say what it consists of, loaded once each, and what follows from them.
struct l0_bounds {
	const struct l0_record *record;
	uint64_t head, key, count; // head_word, key_word, count_word
	uint64_t left;             // bytes from the record to the end of the table
	struct l0_layout at;
	uint32_t ttl_count, ttl_step;
	uint64_t ttl_last; // offset of the last TTL; 0 without a step
};

// The fields of these words, as struct l0_record has them; by shifts, because compilers store
// words to read bit-fields, and then wait for the store.
ATTR_INLINE uint64_t l0_created_of(uint64_t head)
{
	return head & ((UINT64_C(1) << 39) - 1);
}
ATTR_INLINE bool l0_insecure_of(uint64_t head)
{
	return head >> 39 & 1;
}
// Neither that nor authenticated.
ATTR_INLINE bool l0_is_not_validated(uint64_t head)
{
	return !(head & (UINT64_C(1) << 39 | (uint64_t)L0_RECORD_AUTHENTICATED << 44));
}
ATTR_INLINE uint32_t l0_rcode_of(uint64_t head)
{
	return head >> 40 & 0xf;
}
ATTR_INLINE uint32_t l0_flags_of(uint64_t head)
{
	return head >> 44 & 0xf;
}
ATTR_INLINE uint32_t l0_answer_len_of(uint64_t head)
{
	return (uint32_t)(head >> 48);
}
ATTR_INLINE uint32_t l0_ttls_of(uint64_t key)
{
	return key >> 16 & 0xffff;
}
ATTR_INLINE uint32_t l0_name_len_of(uint64_t key)
{
	return (uint32_t)(key >> 56);
}
ATTR_INLINE uint32_t l0_ancount_of(uint64_t count)
{
	return count & 0xfff;
}
ATTR_INLINE uint32_t l0_nscount_of(uint64_t count)
{
	return count >> 12 & 0xfff;
}
ATTR_INLINE uint32_t l0_auth_ttl_of(uint64_t count)
{
	return count >> 24 & 0xffffff;
}

ATTR_INLINE struct rule_set l0_mask_at(const struct l0_record *p, uint32_t at)
{
	struct rule_set mask;
	memcpy(&mask, (const uint8_t *)p + at, sizeof(mask));
	return mask;
}

// NULL is none.
ATTR_INLINE bool l0_mask_is_empty(const struct rule_set *m)
{
	return !m || !(m->lists[0] | m->lists[1] | m->lists[2] | m->lists[3]);
}

ATTR_INLINE uint64_t l0_mask_sum(const struct rule_set *m)
{
	return csum_wide_add(
		csum_wide_add(m->lists[0], m->lists[1]), csum_wide_add(m->lists[2], m->lists[3]));
}

// An answer is valid only together with these three words, the table of offsets and the mask of
// lists. So `sum` is the answer's one's complement sum less the sum of all these; added together
// they give the answer's. If a bit of any of them has changed, the reply's UDP checksum is wrong
// and its client drops it. `rest`: the sum of table and mask as they are in memory. A wide sum
// (csum.h), as is l0_sum_for's `answer`.
ATTR_INLINE uint64_t l0_sum_of(uint64_t head, uint64_t key, uint64_t count, uint64_t rest)
{
	return csum_wide_add(csum_wide_add(head, key), csum_wide_add(count, rest));
}

// What to store as `sum` in a record in which it still is 0.
ATTR_INLINE uint16_t l0_sum_for(const struct l0_record *p, uint64_t rest, uint64_t answer)
{
	uint64_t others = l0_sum_of(p->head_word, p->key_word, p->count_word, rest);
	return htobe16(csum_fold(csum_wide_add(answer, ~others)));
}

ATTR_INLINE uint32_t l0_units_of(uint32_t bytes)
{
	return (bytes + L0_UNIT - 1) / L0_UNIT;
}

// False: TTLs that would not fit the answer.
ATTR_INLINE bool l0_bounds_ttls(struct l0_bounds *b)
{
	uint32_t ttls = l0_ttls_of(b->key);
	if (likely_(l0_flags_of(b->head) & L0_RECORD_EVEN)) {
		b->ttl_step = ttls;
		b->ttl_count = l0_ancount_of(b->count) + l0_nscount_of(b->count);
		// None at all comes to more than any length.
		b->ttl_last = DNS_TTL_FIRST + (uint64_t)(b->ttl_count - 1) * ttls;
		return ttls && b->ttl_last + 4 <= l0_answer_len_of(b->head);
	}
	b->ttl_last = 0;
	b->ttl_step = 0;
	b->ttl_count = ttls;
	return ttls <= L0_TTLS_MAX;
}

// False: there is no record here that lies within the table and whose parts lie within it.
ATTR_INLINE bool l0_bounds_read(const struct l0_reader *r, uint32_t number, struct l0_bounds *b)
{
	if (unlikely_(number == L0_NONE || number >= r->unit_count))
		return false;
	const struct l0_record *p =
		(const struct l0_record *)(const void *)(r->units + (size_t)number * L0_UNIT);
	b->record = p;
	b->head = L0_ONCE(p->head_word);
	b->key = L0_ONCE(p->key_word);
	b->count = L0_ONCE(p->count_word);
	if (unlikely_(!l0_bounds_ttls(b)))
		return false;
	uint32_t name_len = l0_name_len_of(b->key), answer_len = l0_answer_len_of(b->head);
	b->at = l0_layout_of(
		name_len, b->ttl_step ? 0 : b->ttl_count, answer_len, l0_flags_of(b->head));
	b->left = (uint64_t)(r->unit_count - number) * L0_UNIT;
	return b->at.end <= b->left && name_len != 0 && answer_len <= L0_ANSWER_MAX;
}

typedef uint64_t l0_bytes_16 __attribute__((vector_size(16)));

ATTR_INLINE l0_bytes_16 l0_bytes_differ(const uint8_t *a, const uint8_t *b)
{
	l0_bytes_16 x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x ^ y;
}

// Are two runs of n bytes the same? Nothing besides them is read.
ATTR_INLINE bool l0_bytes_same(const uint8_t *a, const uint8_t *b, unsigned n)
{
	uint64_t x, y, differ = 0;
	if (likely_(n - 16 <= 16)) {
		l0_bytes_16 any = l0_bytes_differ(a, b) | l0_bytes_differ(a + n - 16, b + n - 16);
		return (any[0] | any[1]) == 0;
	}
	if (unlikely_(n < sizeof(x)))
		return memcmp(a, b, n) == 0;
	for (unsigned i = 0; i + sizeof(x) <= n; i += sizeof(x)) {
		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		differ |= x ^ y;
	}
	memcpy(&x, a + n - sizeof(x), sizeof(x));
	memcpy(&y, b + n - sizeof(y), sizeof(y));
	return (differ | (x ^ y)) == 0;
}

// A record's key_word as the word of its key.
ATTR_INLINE uint64_t l0_key_word(uint64_t key_word)
{
	const struct l0_key ttls = {.qclass = UINT16_MAX}, in = {.qclass = DNS_CLASS_IN};
	return (key_word & ~ttls.word) | in.word;
}

ATTR_INLINE bool l0_bounds_match(const struct l0_bounds *b, const struct l0_key *key)
{
	return l0_key_word(b->key) == key->word
	       && l0_bytes_same((const uint8_t *)(b->record + 1), key->name, key->name_len);
}
