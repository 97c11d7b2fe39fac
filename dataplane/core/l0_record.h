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

// A resource record takes 11 octets at least, so an answer has no more TTLs than this.
enum { L0_TTLS_MAX = L0_ANSWER_MAX / 11 };

// Where the parts of a record lie, in octets from its start.
struct l0_layout {
	uint32_t name, ttl_off, answer, end;
};

ATTR_INLINE struct l0_layout l0_layout_of(
	uint32_t name_len, uint32_t ttl_count, uint32_t answer_len)
{
	struct l0_layout l = {.name = sizeof(struct l0_record)};
	l.ttl_off = (l.name + name_len + 1) & ~1u;
	l.answer = l.ttl_off + 2 * ttl_count;
	l.end = l.answer + answer_len;
	return l;
}

enum {
	L0_RECORD_UNITS_MAX =
		(sizeof(struct l0_record) + 256 + 2 * L0_TTLS_MAX + L0_ANSWER_MAX + L0_UNIT - 1)
		/ L0_UNIT,
};
static_assert(L0_RECORD_UNITS_MAX <= UINT16_MAX);

struct l0_bounds {
	const struct l0_record *record;
	struct l0_layout at;
	uint16_t answer_len, ttl_count;
	uint8_t name_len;
};

// What is added to the sum of the answer before it is stored, and taken off again by who reads it:
// all that makes the octets a message. Where one of these no longer is what it was, the reply's UDP
// checksum comes out wrong and its client never sees it. Costs a few additions, no branch.
// `ttl_offs` is the sum of the TTL offsets.
ATTR_INLINE uint16_t l0_guard(const struct dns_answer_view *a, uint32_t ttl_offs)
{
	uint32_t sum = (uint32_t)a->len + a->ttl_count + a->ancount + a->nscount + a->arcount;
	sum += a->rcode + (a->authenticated ? 0x100 : 0);
	sum += (ttl_offs & 0xffff) + (ttl_offs >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

ATTR_INLINE uint32_t l0_units_of(uint32_t octets)
{
	return (octets + L0_UNIT - 1) / L0_UNIT;
}

// False: there is no record here that lies within the table and whose parts lie within it.
ATTR_INLINE bool l0_bounds_read(const struct l0_reader *r, uint32_t number, struct l0_bounds *b)
{
	if (unlikely_(number == L0_NONE || number >= r->unit_count))
		return false;
	const struct l0_record *p =
		(const struct l0_record *)(const void *)(r->units + (size_t)number * L0_UNIT);
	b->record = p;

	b->answer_len = L0_ONCE(p->answer_len);
	b->ttl_count = L0_ONCE(p->ttl_count);
	b->name_len = L0_ONCE(p->name_len);
	b->at = l0_layout_of(b->name_len, b->ttl_count, b->answer_len);
	return b->at.end <= (uint64_t)(r->unit_count - number) * L0_UNIT && b->name_len != 0
	       && b->answer_len <= L0_ANSWER_MAX && b->ttl_count <= L0_TTLS_MAX;
}

// Are two runs of n octets the same? Nothing besides them is read.
ATTR_INLINE bool l0_octets_same(const uint8_t *a, const uint8_t *b, unsigned n)
{
	uint64_t x, y, differ = 0;
	if (unlikely_(n < sizeof x))
		return memcmp(a, b, n) == 0;
	for (unsigned i = 0; i + sizeof x <= n; i += sizeof x) {
		memcpy(&x, a + i, sizeof x);
		memcpy(&y, b + i, sizeof y);
		differ |= x ^ y;
	}
	memcpy(&x, a + n - sizeof x, sizeof x);
	memcpy(&y, b + n - sizeof y, sizeof y);
	return (differ | (x ^ y)) == 0;
}

ATTR_INLINE bool l0_bounds_match(const struct l0_bounds *b, const struct l0_key *key)
{
	const struct l0_record *p = b->record;
	return b->name_len == key->name_len && L0_ONCE(p->key_word) == key->word
	       && l0_octets_same((const uint8_t *)p + b->at.name, key->name, b->name_len);
}
