// SPDX-License-Identifier: BSD-3-Clause
#include "rule_records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/csum.h>

struct rule_record {
	uint64_t hash;
	uint32_t rdata; // offset in the text
	uint32_t ttl_s;
	uint16_t list, type, rdata_len;
};

enum {
	RECORD_FIXED = 12,          // owner c00c, type, class, TTL, length
	FOLLOW_BYTES_MAX = 1 << 26, // of answers: beyond it no CNAME is followed any more
};

// Records of one name, list and, as the walk goes on, type.
struct run {
	const struct rule_record *from, *to;
};

// CNAMEs that lead to a run: the first has the question's name, each further one the target before.
struct chain {
	const struct rule_record *alias[RULE_DATA_CHAIN_MAX];
	unsigned count;
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
		struct rule_record *one = realloc(r->one, room * sizeof(*one));
		if (!one)
			return -ENOMEM;
		r->one = one;
		r->room = room;
	}
	if (r->text_len + text > r->text_room) {
		size_t room = r->text_len + text + r->text_room / 2 + 4096;
		uint8_t *grown = realloc(r->text, room);
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

int rule_records_add(
	struct rule_records *r, uint64_t hash, unsigned list, const struct list_rule *rule)
{
	if (rule->rdata_len > RULE_DATA_LEN_MAX - RECORD_FIXED)
		return -EINVAL;
	int err = make_room(r, rule->rdata_len);
	if (err)
		return err;
	r->one[r->count++] = (struct rule_record){
		.hash = hash,
		.rdata = keep(r, rule->rdata, rule->rdata_len),
		.ttl_s = rule->ttl_s,
		.list = (uint16_t)list,
		.type = rule->rtype,
		.rdata_len = rule->rdata_len,
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

// In the order in which they were handed, so that the same input makes the same image.
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
	size_t kept = 0, first = 0; // of those of its place
	unsigned types = 0;         // of its name and list
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

// The first record of a name; r->count or that of another name: it has none.
static size_t first_of(const struct rule_records *r, uint64_t hash)
{
	size_t low = 0, high = r->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (r->one[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// Records of that very name in the list itself, else in another one of its source.
static bool find_at(const struct rule_records *r, uint64_t hash, unsigned covers, unsigned list,
	struct run *out)
{
	bool found = false;
	for (size_t i = first_of(r, hash); i < r->count && r->one[i].hash == hash;) {
		struct run run = run_at(r, i, false);
		const struct rule_list_info *l = &r->list[run.from->list];
		if (l->source == r->list[list].source && l->kind.reply == RULE_REPLY_DATA
			&& (l->kind.covers & covers) && (!found || run.from->list == list)) {
			*out = run;
			found = true;
		}
		i += (size_t)(run.to - run.from);
	}
	return found;
}

// The source's record for a CNAME's target: at its name, else at the nearest one above.
static bool find_target(
	const struct rule_records *r, const struct rule_record *alias, struct run *out)
{
	struct dns_name name;
	struct rd rd = rd_init(r->text + alias->rdata, alias->rdata_len);
	if (dns_name_read(&rd, &name) != 0)
		return false;
	for (unsigned labels = name.labels; labels > 0; labels--) {
		struct dns_name suffix = rule_suffix(&name, labels);
		bool self = labels == name.labels;
		if (labels <= RULE_LABELS_MAX
			&& find_at(r, rule_name_hash(r->secret, &suffix),
				self ? RULE_COVERS_SELF : RULE_COVERS_BELOW, alias->list, out))
			return true;
	}
	return false;
}

static const struct rule_record *alias_in(struct run run)
{
	for (const struct rule_record *i = run.from; i < run.to; i++)
		if (i->type == DNS_TYPE_CNAME)
			return i;
	return NULL;
}

// Follows CNAMEs as far as the source has them. False: nowhere.
static bool follow(
	const struct rule_records *r, struct run from, struct chain *chain, struct run *end)
{
	chain->count = 0;
	*end = from;
	for (const struct rule_record *alias; (alias = alias_in(*end));) {
		if (chain->count == RULE_DATA_CHAIN_MAX)
			return false;
		chain->alias[chain->count++] = alias;
		if (!find_target(r, alias, end))
			return false;
	}
	return chain->count > 0;
}

static void put(struct rule_data_parts *w, const void *bytes, size_t len)
{
	if (w->bytes && len > 0)
		memcpy(w->bytes + w->byte_count, bytes, len);
	w->byte_count += len;
}

// `owner` NULL: the question's name.
static void put_record(struct rule_data_parts *w, const struct rule_records *r,
	const struct rule_record *record, const struct rule_record *owner)
{
	uint8_t fixed[10];
	if (owner)
		put(w, r->text + owner->rdata, owner->rdata_len);
	else
		put(w, (const uint8_t[]){0xc0, DNS_HEADER_LEN}, 2);
	put_u16(fixed, record->type);
	put_u16(fixed + 2, DNS_CLASS_IN);
	put_u32(fixed + 4, record->ttl_s);
	put_u16(fixed + 8, record->rdata_len);
	put(w, fixed, sizeof(fixed));
	put(w, r->text + record->rdata, record->rdata_len);
}

struct answer_places {
	uint64_t start;
	unsigned count;
	uint16_t ttl[RULE_DATA_CHAIN_MAX + RULE_DATA_RECORDS_MAX];
};

static bool put_next(struct rule_data_parts *w, const struct rule_records *r,
	struct answer_places *p, const struct rule_record *record, const struct rule_record *owner)
{
	size_t at = w->byte_count - p->start, owner_len = owner ? owner->rdata_len : 2;
	if (at + owner_len + RECORD_FIXED + record->rdata_len > RULE_DATA_LEN_MAX)
		return false;
	p->ttl[p->count++] = (uint16_t)(at + owner_len + 4);
	put_record(w, r, record, owner);
	return true;
}

// The distance of the TTLs where it is even all through; 0: it is not.
static uint32_t even_step(const struct answer_places *p, uint32_t len)
{
	uint32_t step = p->count > 1 ? (uint32_t)p->ttl[1] - p->ttl[0] : len;
	bool even = p->ttl[0] == DNS_TTL_FIRST;
	for (unsigned i = 1; i < p->count; i++)
		even = even && p->ttl[i] - p->ttl[i - 1] == (int)step;
	return even ? step : 0;
}

static void put_answer(struct rule_data_parts *w, const struct rule_records *r,
	const struct chain *chain, struct run run)
{
	struct answer_places p = {.start = w->byte_count};
	bool whole = true;
	for (unsigned i = 0; i < chain->count && whole; i++)
		whole = put_next(w, r, &p, chain->alias[i], i ? chain->alias[i - 1] : NULL);
	const struct rule_record *owner = chain->count ? chain->alias[chain->count - 1] : NULL;
	unsigned records = 0;
	for (const struct rule_record *i = run.from; i < run.to; i++) {
		bool fits =
			whole && records < RULE_DATA_RECORDS_MAX && put_next(w, r, &p, i, owner);
		records += fits;
		w->dropped += !fits;
	}
	if (p.count == 0)
		return;
	uint32_t len = (uint32_t)(w->byte_count - p.start), step = even_step(&p, len);
	if (w->byte_count % 2)
		put(w, "", 1);
	uint64_t ttls = w->byte_count;
	if (!step)
		put(w, p.ttl, p.count * sizeof(*p.ttl));
	if (w->answer)
		w->answer[w->answers] = (struct rule_data_answer){
			.type = run.from->type,
			.records = (uint16_t)p.count,
			.len = len,
			.off = (uint32_t)p.start,
			.ttl_step = step,
			.ttl_off = (uint32_t)ttls,
			.sum = csum_partial(w->bytes + p.start, len),
		};
	w->answers++;
}

// All types of a run, each an answer, less those that `own` has.
static void put_types(struct rule_data_parts *w, const struct rule_records *r,
	const struct chain *chain, struct run run, const struct run *own, uint64_t most)
{
	struct run of;
	for (const struct rule_record *i = run.from; i < run.to; i = of.to) {
		of = run_at(r, (size_t)(i - r->one), true);
		bool known = false;
		for (const struct rule_record *k = own ? own->from : NULL; own && k < own->to; k++)
			known = known || k->type == i->type;
		if (!known && w->answers < most)
			put_answer(w, r, chain, of);
		else if (!known)
			w->dropped += (uint64_t)(of.to - of.from);
	}
}

static void put_entry(struct rule_data_parts *w, const struct rule_records *r, struct run run)
{
	static const struct chain none = {.count = 0};
	struct chain chain;
	struct run end;
	uint64_t first = w->answers, most = first + RULE_DATA_TYPES_MAX;
	put_types(w, r, &none, run, NULL, most);
	if (w->byte_count < FOLLOW_BYTES_MAX && follow(r, run, &chain, &end))
		put_types(w, r, &chain, end, &run, most);
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
