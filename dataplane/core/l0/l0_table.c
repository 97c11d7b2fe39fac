// SPDX-License-Identifier: BSD-3-Clause

#include "l0_read.h"

#include <errno.h>
#include <string.h>
#include <weir/l0_table.h>
#include <weir/shm_abi.h>

enum {
	L0_BUCKETS_AT = 2 * SHM_PAGE,
	L0_BYTES_MIN = 1 << 20,
	L0_MEAN_UNITS_MAX = 256,
};
#define L0_BUCKETS_MAX (UINT64_C(1) << 28) // slot numbers fit 32 bits
#define L0_BUCKETS_MIN (2 * L0_PARTS)      // a key's two lie in one part
#define L0_UNITS_MAX   UINT32_MAX

// Records per bucket at the load that the plan aims at, and the most that it accepts so that a
// power of two need not waste half an index: 0.75 and 0.85 of the slots. Above, puts that find both
// buckets full become common (docs/reference/l0-table.md).
#define L0_LOAD_AIM  7.5
#define L0_LOAD_MOST 8.5

int l0_plan(uint64_t bytes, unsigned mean_units, unsigned resolvers,
	uint64_t geometry[SHM_GEOMETRY_WORDS], size_t *data_size)
{
	if (bytes < L0_BYTES_MIN || mean_units == 0 || mean_units > L0_MEAN_UNITS_MAX
		|| resolvers == 0 || resolvers > SHM_RESOLVERS_MAX)
		return -EINVAL;
	uint64_t room = (bytes - L0_BUCKETS_AT) / CACHE_LINE * CACHE_LINE;
	double record = (double)mean_units * L0_UNIT;
	double want = (double)room / (CACHE_LINE + L0_LOAD_AIM * record);
	uint64_t buckets = L0_BUCKETS_MIN;
	while (buckets < want)
		buckets *= 2;
	// The power of two below serves as well where its load stays acceptable.
	uint64_t less = buckets / 2;
	if (less >= L0_BUCKETS_MIN
		&& (double)(room - less * CACHE_LINE) <= L0_LOAD_MOST * (double)less * record)
		buckets = less;
	if (buckets > L0_BUCKETS_MAX)
		return -EINVAL;
	uint64_t units = (room - buckets * CACHE_LINE) / L0_UNIT;
	if (units > L0_UNITS_MAX)
		return -EINVAL;
	memset(geometry, 0, SHM_GEOMETRY_WORDS * sizeof(geometry[0]));
	geometry[0] = buckets;
	geometry[1] = units;
	geometry[2] = L0_BUCKETS_AT;
	geometry[3] = L0_BUCKETS_AT + buckets * CACHE_LINE;
	geometry[4] = resolvers;
	*data_size = geometry[3] + units * L0_UNIT - SHM_PAGE;
	return 0;
}

int l0_reader_init(struct l0_reader *r, const uint8_t *base, size_t size)
{
	if (size < L0_BUCKETS_AT)
		return -EPROTO;
	const struct region_header *head = (const struct region_header *)(const void *)base;
	uint64_t buckets = L0_ONCE(head->geometry[0]), units = L0_ONCE(head->geometry[1]);
	uint64_t buckets_at = L0_ONCE(head->geometry[2]), units_at = L0_ONCE(head->geometry[3]);
	uint64_t resolvers = L0_ONCE(head->geometry[4]);
	// Bounded factors first, so that no product below can wrap.
	if (buckets < L0_BUCKETS_MIN || buckets > L0_BUCKETS_MAX || (buckets & (buckets - 1)) != 0)
		return -EPROTO;
	if (resolvers == 0 || resolvers > SHM_RESOLVERS_MAX)
		return -EPROTO;
	if (units < 2 || units > L0_UNITS_MAX || buckets_at % CACHE_LINE || units_at % L0_UNIT)
		return -EPROTO;
	if (buckets_at < L0_BUCKETS_AT || buckets_at > size || units_at > size)
		return -EPROTO;
	if (buckets_at + buckets * CACHE_LINE > units_at || units * L0_UNIT > size - units_at)
		return -EPROTO;
	const struct l0_head *l0 = (const struct l0_head *)(const void *)(base + SHM_PAGE);
	r->buckets = (const struct l0_bucket *)(const void *)(base + buckets_at);
	r->units = base + units_at;
	r->bucket_mask = buckets - 1;
	static_assert(sizeof(struct l0_record) <= 2 * L0_UNIT);
	r->unit_count = (uint32_t)units - 1;
	r->part_shift = (uint8_t)(__builtin_ctzll(buckets) - L0_PART_BITS);
	r->resolvers = (uint8_t)resolvers;
	r->secret = l0->secret;
	return 0;
}

// The first part of a resolver's; of the one behind the last, the number of parts.
static unsigned first_part(const struct l0_reader *r, unsigned index)
{
	return (index * L0_PARTS + r->resolvers - 1) / r->resolvers;
}

static uint32_t units_before(const struct l0_reader *r, unsigned part)
{
	return (uint32_t)((uint64_t)r->unit_count * part / L0_PARTS);
}

void l0_share_of(const struct l0_reader *r, unsigned index, struct l0_share *out)
{
	unsigned part = first_part(r, index), end = first_part(r, index + 1);
	*out = (struct l0_share){
		.bucket_first = (uint64_t)part << r->part_shift,
		.buckets = (uint64_t)(end - part) << r->part_shift,
		.unit_first = units_before(r, part),
		.units = units_before(r, end) - units_before(r, part),
	};
}

void l0_key_hash(const struct l0_reader *r, struct l0_key *key)
{
	const unsigned label = l0_subnet_len(key->flags, key->name, key->name_len);
	key->hash = l0_read_hash(r, key);
	if (likely_(label == 0))
		return;
	struct l0_key whole = *key;
	whole.name += label;
	whole.name_len = (uint8_t)(whole.name_len - label);
	whole.flags &= (uint8_t)~L0_KEY_SUBNET;
	const uint64_t part = (uint64_t)(L0_PARTS - 1) << r->part_shift;
	key->hash = (key->hash & ~part) | (l0_read_hash(r, &whole) & part);
}

void l0_key_of_query(
	const struct l0_reader *r, const struct dns_query *q, uint16_t view, struct l0_key *key)
{
	l0_read_key(r, q, view, key);
}

void l0_key_of_view(const struct l0_reader *r, const struct l0_view *v, struct l0_key *key)
{
	*key = (struct l0_key){
		.name = v->name,
		.name_len = v->name_len,
		.flags = v->key_flags,
		.qtype = v->qtype,
		.qclass = v->qclass,
		.view = v->view,
	};
	l0_key_hash(r, key);
}

uint32_t l0_candidate(const struct l0_reader *r, uint64_t hash)
{
	return l0_read_candidate(r, hash);
}

uint32_t l0_find(const struct l0_reader *r, const struct l0_key *key, uint32_t candidate,
	uint64_t *anomalies)
{
	struct l0_found unused;
	return l0_read_find(r, key, candidate, &unused, anomalies);
}

static uint32_t l0_find_in(const struct l0_reader *r, const struct l0_bucket *b,
	const struct l0_key *key, uint32_t tried, struct l0_found *found, uint64_t *anomalies)
{
	for (unsigned bits = l0_match(b, l0_tag(key->hash)); bits; bits &= bits - 1) {
		uint32_t number = l0_slot_record(b, (unsigned)__builtin_ctz(bits));
		if (number != tried && l0_read_is(r, number, key, found, anomalies))
			return number;
	}
	return L0_NONE;
}

// Not in line: a candidate is nearly always right.
uint32_t l0_read_find_other(const struct l0_reader *r, const struct l0_key *key, uint32_t candidate,
	struct l0_found *found, uint64_t *anomalies)
{
	uint64_t at = key->hash & r->bucket_mask;
	uint32_t number = l0_find_in(r, &r->buckets[at], key, candidate, found, anomalies);
	if (number != L0_NONE || !l0_overflows(&r->buckets[at]))
		return number;
	at = l0_other_bucket(at, l0_tag(key->hash), r->bucket_mask);
	return l0_find_in(r, &r->buckets[at], key, candidate, found, anomalies);
}

bool l0_record_read(const struct l0_reader *r, uint32_t record, struct l0_view *out)
{
	return l0_read_record(r, record, out);
}
