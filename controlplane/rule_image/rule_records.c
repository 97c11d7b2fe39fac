// SPDX-License-Identifier: BSD-3-Clause
#include "rule_records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/csum.h>
#include <weir/heap_site.h>

struct rule_record {
	uint64_t hash;
	uint32_t rdata; // offset in the text
	uint32_t ttl_s;
	uint16_t type, rdata_len;
	uint16_t chain_len; // bytes in front of the RDATA: TTL, length and target of each CNAME
	uint8_t list;
	uint8_t rcode;
};
static_assert(sizeof(struct rule_record) == 24);
static_assert(RULE_LISTS_MAX <= 1 << 8);

enum {
	RECORD_FIXED = 12,          // owner c00c, type, class, TTL, length
	CHAIN_FIXED = 5,            // TTL and length of a target
	FOLLOW_BYTES_MAX = 1 << 26, // answers behind CNAMEs: the CNAMEs of more are not followed
};

static_assert((int)CONFIG_ALIASES_MAX <= (int)RULE_DATA_CHAIN_MAX);
static_assert(RULE_DATA_CHAIN_MAX * (RECORD_FIXED + 2 * DNS_NAME_MAX) < RULE_DATA_LEN_MAX / 2);

// Records of one name, list and, as the walk goes on, type.
struct run {
	const struct rule_record *from, *to;
};

void rule_records_free(struct rule_records *r)
{
	FREE_AND_NULL(r->one);
	FREE_AND_NULL(r->text);
	r->count = r->room = r->text_len = r->text_room = 0;
}

size_t rule_records_bytes(const struct rule_records *r)
{
	return r->room * sizeof(*r->one) + r->text_room;
}

static int make_room(struct rule_records *r, size_t text)
{
	if (r->text_len + text > UINT32_MAX)
		return -E2BIG;
	if (r->count == r->room) {
		size_t room = r->room + r->room / 2 + 64;
		struct rule_record *one = heap_realloc(r->one, room * sizeof(*one));
		if (!one)
			return -ENOMEM;
		r->one = one;
		r->room = room;
	}
	if (r->text_len + text > r->text_room) {
		size_t room = r->text_len + text + r->text_room / 2 + 4096;
		uint8_t *grown = heap_realloc(r->text, room);
		if (!grown)
			return -ENOMEM;
		r->text = grown;
		r->text_room = room;
	}
	return 0;
}

static uint32_t keep(struct rule_records *r, const void *bytes, size_t len)
{
	uint32_t at = (uint32_t)r->text_len;
	if (len > 0)
		memcpy(r->text + at, bytes, len);
	r->text_len += len;
	return at;
}

static size_t chain_size(const struct list_chain *c)
{
	size_t size = 0;
	for (unsigned i = 0; c && i < c->count; i++)
		size += CHAIN_FIXED + (size_t)c->alias[i].len;
	return size;
}

static void chain_keep(struct rule_records *r, const struct list_chain *c)
{
	for (unsigned i = 0; c && i < c->count; i++) {
		uint8_t fixed[CHAIN_FIXED];
		put_u32(fixed, c->alias[i].ttl_s);
		fixed[4] = c->alias[i].len;
		keep(r, fixed, sizeof(fixed));
		keep(r, c->alias[i].target, c->alias[i].len);
	}
}

// Have the records behind CNAMEs become too many with this one?
static bool is_too_much(struct rule_records *r, const struct list_rule *rule, size_t chain)
{
	if (!rule->chain)
		return false;
	r->followed += chain + RECORD_FIXED + DNS_NAME_MAX + rule->rdata_len;
	return r->followed > FOLLOW_BYTES_MAX;
}

int rule_records_add(
	struct rule_records *r, uint64_t hash, unsigned list, const struct list_rule *rule)
{
	const size_t chain = chain_size(rule->chain);
	if (rule->rdata_len > RULE_DATA_LEN_MAX - RECORD_FIXED)
		return -EINVAL;
	if (is_too_much(r, rule, chain)) {
		r->dropped++;
		return 0;
	}
	int err = make_room(r, chain + rule->rdata_len);
	if (err)
		return err;
	chain_keep(r, rule->chain);
	r->one[r->count++] = (struct rule_record){
		.hash = hash,
		.rdata = keep(r, rule->rdata, rule->rdata_len),
		.ttl_s = rule->ttl_s,
		.type = rule->rtype,
		.rdata_len = rule->rdata_len,
		.chain_len = (uint16_t)chain,
		.list = (uint8_t)list,
		.rcode = rule->chain_is_dead ? DNS_RCODE_NXDOMAIN : DNS_RCODE_NOERROR,
	};
	return 0;
}

static int by_place(const struct rule_record *a, const struct rule_record *b)
{
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->list != b->list)
		return a->list < b->list ? -1 : 1;
	return a->type < b->type ? -1 : a->type > b->type;
}

// Keeps the order in which records came, so that the same input makes the same image.
static int compare_records(const void *a, const void *b)
{
	const struct rule_record *x = a, *y = b;
	int place = by_place(x, y);
	return place ? place : x->rdata < y->rdata ? -1 : x->rdata > y->rdata;
}

static bool same_record(
	const struct rule_records *r, const struct rule_record *a, const struct rule_record *b)
{
	return by_place(a, b) == 0 && a->rdata_len == b->rdata_len
	       && memcmp(r->text + a->rdata, r->text + b->rdata, a->rdata_len) == 0;
}

// Records of a set have one TTL, the least (RFC 2181 5.2).
static void ttls_settle(struct rule_records *r)
{
	for (size_t from = 0, to; from < r->count; from = to) {
		uint32_t least = r->one[from].ttl_s;
		for (to = from + 1; to < r->count && by_place(&r->one[from], &r->one[to]) == 0;
			to++)
			least = r->one[to].ttl_s < least ? r->one[to].ttl_s : least;
		for (size_t i = from; i < to; i++)
			r->one[i].ttl_s = least;
	}
}

// What there is no room for in an answer is dropped before anything is made of it.
void rule_records_sort(struct rule_records *r)
{
	size_t kept = 0, first = 0; // at one place
	unsigned types = 0;         // at one name and list
	if (r->count > 0)
		qsort(r->one, r->count, sizeof(*r->one), compare_records);
	for (size_t i = 0; i < r->count; i++) {
		const struct rule_record *one = &r->one[i], *last = kept ? &r->one[kept - 1] : NULL;
		bool same_name = last && last->hash == one->hash && last->list == one->list;
		bool repeated = false;
		types = same_name ? types : 0;
		if (!last || by_place(last, one) != 0) {
			first = kept;
			types++;
		}
		for (size_t k = first; k < kept; k++)
			repeated = repeated || same_record(r, &r->one[k], one);
		if (repeated)
			continue;
		if (kept - first == RULE_DATA_RECORDS_MAX || types > RULE_DATA_TYPES_MAX)
			r->dropped++;
		else
			r->one[kept++] = *one;
	}
	r->count = kept;
	ttls_settle(r);
}

static struct run run_at(const struct rule_records *r, size_t i, bool one_type)
{
	struct run run = {.from = &r->one[i], .to = &r->one[i]};
	const struct rule_record *end = r->one + r->count;
	while (run.to < end && run.to->hash == run.from->hash && run.to->list == run.from->list
		&& (!one_type || run.to->type == run.from->type))
		run.to++;
	return run;
}

int rule_records_take_off(
	struct rule_records *r, size_t from, const struct rule_off *off, struct rule_off *bare)
{
	size_t kept = from;
	int err = 0;
	if (r->count > from)
		qsort(r->one + from, r->count - from, sizeof(*r->one), compare_records);
	for (size_t i = from; i < r->count && !err;) {
		const struct run run = run_at(r, i, false);
		const struct rule_record first = *run.from;
		const size_t before = kept;
		for (const struct rule_record *one = run.from; one < run.to; one++, i++)
			if (!rule_off_has(off, rule_off_key(one->list, one->hash, one->type,
						       r->text + one->rdata, one->rdata_len)))
				r->one[kept++] = *one;
		if (kept == before)
			err = rule_off_add(bare, rule_off_key(first.list, first.hash, 0, NULL, 0));
	}
	r->count = kept;
	return err;
}

static void put(struct rule_data_parts *w, const void *bytes, size_t len)
{
	if (w->bytes && len > 0)
		memcpy(w->bytes + w->byte_count, bytes, len);
	w->byte_count += len;
}

// An answer on its way. Its next record has the name `owner`: at first the question's.
struct answer {
	uint64_t start;
	const uint8_t *owner;
	size_t owner_len;
	unsigned count;
	uint16_t ttl[RULE_DATA_CHAIN_MAX + RULE_DATA_RECORDS_MAX];
};

struct record {
	uint16_t type, rdata_len;
	uint32_t ttl_s;
	const uint8_t *rdata;
};

static void put_record(struct rule_data_parts *w, struct answer *a, const struct record *record)
{
	uint8_t fixed[10];
	size_t at = w->byte_count - a->start;
	if (at + a->owner_len + RECORD_FIXED + record->rdata_len > RULE_DATA_LEN_MAX) {
		w->dropped++;
		return;
	}
	a->ttl[a->count++] = (uint16_t)(at + a->owner_len + 4);
	put_u16(fixed, record->type);
	put_u16(fixed + 2, DNS_CLASS_IN);
	put_u32(fixed + 4, record->ttl_s);
	put_u16(fixed + 8, record->rdata_len);
	put(w, a->owner, a->owner_len);
	put(w, fixed, sizeof(fixed));
	put(w, record->rdata, record->rdata_len);
}

static void put_chain(struct rule_data_parts *w, struct answer *a, const uint8_t *chain, size_t len)
{
	for (const uint8_t *at = chain; at < chain + len; at += CHAIN_FIXED + at[4]) {
		const struct record alias = {.type = DNS_TYPE_CNAME,
			.rdata_len = at[4],
			.ttl_s = get_u32(at),
			.rdata = at + CHAIN_FIXED};
		put_record(w, a, &alias);
		a->owner = alias.rdata;
		a->owner_len = alias.rdata_len;
	}
}

// The SOA behind CNAMEs that lead to nothing, as of all negative answers of weir (RFC 2308 3).
static void put_soa(struct rule_data_parts *w, struct answer *a, uint32_t ttl_s)
{
	uint8_t rdata[DNS_SOA_RDATA_LEN];
	dns_soa_rdata(rdata, ttl_s);
	const struct record soa = {
		.type = DNS_TYPE_SOA, .rdata_len = sizeof(rdata), .ttl_s = ttl_s, .rdata = rdata};
	put_record(w, a, &soa);
}

// The distance of the TTLs where it is even all through; 0: it is not.
static uint32_t even_step(const struct answer *a, uint32_t len)
{
	uint32_t step = a->count > 1 ? (uint32_t)a->ttl[1] - a->ttl[0] : len;
	bool even = a->ttl[0] == DNS_TTL_FIRST;
	for (unsigned i = 1; i < a->count; i++)
		even = even && a->ttl[i] - a->ttl[i - 1] == (int)step;
	return even ? step : 0;
}

static void put_answer(struct rule_data_parts *w, const struct rule_records *r, struct run run)
{
	static const uint8_t question[] = {0xc0, DNS_HEADER_LEN};
	const struct rule_record *first = run.from;
	const bool is_other = first->type == RULE_DATA_OTHER;
	struct answer a = {
		.start = w->byte_count, .owner = question, .owner_len = sizeof(question)};
	put_chain(w, &a, r->text + first->rdata - first->chain_len, first->chain_len);
	for (const struct rule_record *i = first; i < run.to && !is_other; i++)
		put_record(w, &a,
			&(struct record){i->type, i->rdata_len, i->ttl_s, r->text + i->rdata});
	if (is_other)
		put_soa(w, &a, first->ttl_s);
	if (a.count == 0)
		return;
	uint32_t len = (uint32_t)(w->byte_count - a.start), step = even_step(&a, len);
	if (w->byte_count % 2)
		put(w, "", 1);
	uint64_t ttls = w->byte_count;
	if (!step)
		put(w, a.ttl, a.count * sizeof(*a.ttl));
	if (w->answer)
		w->answer[w->answers] = (struct rule_data_answer){
			.type = first->type,
			.records = (uint16_t)a.count,
			.len = len,
			.off = (uint32_t)a.start,
			.ttl_step = step,
			.ttl_off = (uint32_t)ttls,
			.sum = csum_partial(w->bytes + a.start, len),
			.rcode = first->rcode,
			.authority = is_other,
		};
	w->answers++;
}

static void put_entry(struct rule_data_parts *w, const struct rule_records *r, struct run run)
{
	uint64_t first = w->answers;
	struct run of;
	for (const struct rule_record *i = run.from; i < run.to; i = of.to) {
		of = run_at(r, (size_t)(i - r->one), true);
		put_answer(w, r, of);
	}
	if (w->entry)
		w->entry[w->entries] = (struct rule_data_entry){
			.fingerprint = run.from->hash,
			.first = (uint32_t)first,
			.list = run.from->list,
			.types = (uint16_t)(w->answers - first),
		};
	w->entries++;
}

static void put_index(const struct rule_data_parts *w)
{
	uint64_t slot = 0;
	for (uint64_t i = 0; i < w->entries; i++)
		for (uint64_t of = rule_slot_of(w->entry[i].fingerprint, w->entries); slot <= of;)
			w->index[slot++] = (uint32_t)i;
	while (slot <= w->entries)
		w->index[slot++] = (uint32_t)w->entries;
}

int rule_records_walk(const struct rule_records *r, struct rule_data_parts *parts)
{
	parts->entries = parts->answers = parts->byte_count = parts->dropped = 0;
	for (size_t i = 0; i < r->count;) {
		struct run run = run_at(r, i, false);
		put_entry(parts, r, run);
		i += (size_t)(run.to - run.from);
		if (parts->byte_count > UINT32_MAX || parts->answers > UINT32_MAX)
			return -E2BIG;
	}
	if (parts->index)
		put_index(parts);
	return 0;
}
