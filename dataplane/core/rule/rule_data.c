// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>
#include <weir/rule_data.h>

// Loads a number exactly once, so that the value checked is the value used.
static inline uint32_t load_32(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline uint16_t load_16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline uint8_t load_8(const uint8_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline uint64_t load_64(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static const struct rule_data_entry *find_entry(
	const struct rule_reader *r, uint64_t fingerprint, unsigned list)
{
	if (r->index_slots == 0)
		return NULL;
	const uint32_t *slot = &r->index[rule_slot_of(fingerprint, r->index_slots)];
	uint32_t from = load_32(slot), to = load_32(slot + 1);
	if (to > r->data_count)
		to = r->data_count;
	if (from < to && to - from > RULE_DATA_SCAN_MAX)
		to = from + RULE_DATA_SCAN_MAX;
	for (uint32_t i = from; i < to; i++)
		if (load_64(&r->data[i].fingerprint) == fingerprint
			&& load_16(&r->data[i].list) == list)
			return &r->data[i];
	return NULL;
}

// The answer of that type; without one, that for all others, or of an alias that was too long to
// follow.
static const struct rule_data_answer *find_type(
	const struct rule_reader *r, const struct rule_data_entry *e, uint16_t qtype)
{
	const struct rule_data_answer *other = NULL, *alias = NULL;
	uint32_t first = load_32(&e->first), count = load_16(&e->types);
	if (count > RULE_DATA_TYPES_MAX || first > r->answer_count
		|| count > r->answer_count - first)
		return NULL;
	for (uint32_t i = first; i < first + count; i++) {
		uint16_t type = load_16(&r->answers[i].type);
		if (type == RULE_DATA_OTHER)
			other = &r->answers[i];
		else if (type == qtype || qtype == DNS_TYPE_ANY)
			return &r->answers[i];
		else if (type == DNS_TYPE_CNAME)
			alias = &r->answers[i];
	}
	return other ? other : alias;
}

static bool ttls_fit(const struct rule_reader *r, const struct dns_answer_view *a, uint32_t ttl_off)
{
	if (a->ttl_step)
		return a->ttl_step <= RULE_DATA_LEN_MAX
		       && DNS_TTL_FIRST + (a->ttl_count - 1) * a->ttl_step + 4 <= a->len;
	return ttl_off % 2 == 0 && ttl_off <= r->byte_count
	       && a->ttl_count <= (r->byte_count - ttl_off) / sizeof(uint16_t);
}

bool rule_data_find(const struct rule_reader *r, uint64_t fingerprint, unsigned list,
	uint16_t qtype, struct dns_answer_view *out)
{
	*out = (struct dns_answer_view){.bytes = r->bytes};
	const struct rule_data_entry *entry = find_entry(r, fingerprint, list);
	const struct rule_data_answer *answer = entry ? find_type(r, entry, qtype) : NULL;
	if (!answer)
		return false;
	uint32_t off = load_32(&answer->off), ttl_off = load_32(&answer->ttl_off);
	struct dns_answer_view a = {
		.len = load_32(&answer->len),
		.ttl_count = load_16(&answer->records),
		.ttl_step = load_32(&answer->ttl_step),
		.sum = load_16(&answer->sum),
		.nscount = load_8(&answer->authority),
		.rcode = load_8(&answer->rcode) & DNS_FLAG_RCODE,
	};
	if (off > r->byte_count || a.len > r->byte_count - off || a.len > RULE_DATA_LEN_MAX
		|| a.ttl_count == 0 || a.ttl_count > RULE_DATA_RECORDS_MAX + RULE_DATA_CHAIN_MAX
		|| a.nscount > a.ttl_count || !ttls_fit(r, &a, ttl_off))
		return false;
	a.bytes = r->bytes + off;
	if (!a.ttl_step)
		a.ttl_off = (const void *)(r->bytes + ttl_off);
	a.ancount = a.ttl_count - a.nscount;
	*out = a;
	return true;
}

bool rule_pattern_at(const struct rule_reader *r, uint32_t i, struct rule_pattern *out)
{
	if (i >= r->pattern_count)
		return false;
	const struct rule_pattern_row *row = &r->patterns[i];
	uint32_t off = load_32(&row->off), len = load_16(&row->len), list = load_8(&row->list);
	if (len == 0 || len > RULE_PATTERN_LEN_MAX || off > r->text_count
		|| len > r->text_count - off || !rule_list_info(r, list))
		return false;
	*out = (struct rule_pattern){.text = r->texts + off,
		.len = len,
		.list = list,
		.inverts = load_8(&row->inverts) != 0};
	return true;
}

bool rule_prefix_at(const struct rule_reader *r, uint32_t i, struct rule_prefix_row *out)
{
	if (i >= r->prefix_count)
		return false;
	struct rule_prefix_row row = r->prefixes[i];
	if ((row.version != 4 && row.version != 6) || row.length > (row.version == 4 ? 32 : 128)
		|| !rule_list_info(r, row.list))
		return false;
	*out = row;
	return true;
}
