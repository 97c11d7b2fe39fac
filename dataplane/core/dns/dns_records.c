// SPDX-License-Identifier: BSD-3-Clause
#include "dns_records.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <weir/keyhash.h>

static_assert(DNS_MESSAGE_MAX <= UINT16_MAX); // offsets in struct dns_record

enum { RECORD_MIN = 11 }; // the root as owner, no RDATA

// The reading of the owners, one after the other.
struct owners {
	struct rd r;
	struct dns_name name; // the last one
	uint16_t off;         // where it stands, 0: there was none
	size_t left;          // the bound of dns_name_read_bounded
};

// True when the name in `o` is another one than before.
static int owner_read(struct owners *o, bool *is_new)
{
	const uint8_t *p = o->r.base + o->r.pos, *before = o->r.base + o->off;
	*is_new = !(o->off && rd_left(&o->r) >= 2 && *p >= 0xc0 && get_u16(p) == get_u16(before));
	if (!*is_new) {
		rd_skip(&o->r, 2);
		return 0;
	}
	o->off = (uint16_t)o->r.pos;
	return dns_name_read_bounded(&o->r, &o->name, NULL, &o->left);
}

// One record, but for its owner's hash.
static int record_read(struct owners *o, struct dns_record *rec, bool *new_owner)
{
	struct rd *r = &o->r;
	int rc = owner_read(o, new_owner);
	if (rc)
		return rc;
	rec->owner_off = o->off;
	rec->type = rd_u16(r);
	rec->class = rd_u16(r);
	uint32_t ttl = rd_u32(r);
	rec->ttl_s = ttl < DNS_TTL_MAX ? ttl : DNS_TTL_MAX;
	rec->rdata_len = rd_u16(r);
	rec->rdata_off = (uint16_t)r->pos;
	rec->keep = 0;
	rd_skip(r, rec->rdata_len);
	return rd_ok(r) ? 0 : -EBADMSG;
}

static int opt_find(struct owners *o, unsigned count, struct dns_records *out)
{
	bool seen = false, new_owner;
	for (; count; count--) {
		struct dns_record rec;
		int rc = record_read(o, &rec, &new_owner);
		if (rc)
			return rc;
		if (rec.type != DNS_TYPE_OPT)
			continue;
		if (seen || o->name.len != 1)
			return -EBADMSG;
		seen = true;
		out->rcode_high = out->msg[rec.rdata_off - 6]; // first byte of the TTL field
	}
	return 0;
}

int dns_records_read(const uint8_t *msg, size_t len, size_t pos, struct dns_records *out)
{
	if (len > DNS_MESSAGE_MAX || len < DNS_HEADER_LEN)
		return -EBADMSG;
	unsigned answers = get_u16(msg + 6), total = answers + get_u16(msg + 8);
	if (total * RECORD_MIN > len)
		return -EBADMSG;
	if (total > DNS_ANSWER_RECORDS_MAX)
		return -E2BIG;
	out->msg = msg;
	out->len = len;
	out->answers = (uint16_t)answers;
	out->count = (uint16_t)total;
	out->rcode_high = 0;
	out->strangers = 0;

	struct owners o = {.r = rd_init(msg, len), .left = dns_names_may_follow(len)};
	uint32_t hash = 0;
	rd_skip(&o.r, pos);
	for (unsigned i = 0; i < total; i++) {
		bool new_owner;
		int rc = record_read(&o, &out->rec[i], &new_owner);
		if (rc)
			return rc;
		if (new_owner)
			hash = dns_name_hash(&o.name);
		out->rec[i].owner_hash = hash;
	}
	return opt_find(&o, get_u16(msg + 10), out);
}

uint32_t dns_name_hash(const struct dns_name *name)
{
	static const struct keyhash_secret not_secret = {
		"a name's hash within one message: not keyed"};
	return (uint32_t)keyhash(&not_secret, name->wire, name->len);
}

void dns_record_owner(
	const struct dns_records *t, const struct dns_record *rec, struct dns_name *out)
{
	struct rd r = rd_init(t->msg, t->len);
	r.pos = rec->owner_off;
	int rc = dns_name_read_compressed(&r, out, NULL);
	assert(rc == 0); // it parsed when the table was filled, and the message has not changed
	if (rc)
		*out = (struct dns_name){.len = 1};
}

bool dns_record_is_owned_by(struct dns_records *t, struct dns_record *rec, struct dns_owner *by)
{
	if (rec->owner_hash != by->hash)
		return false;
	if (by->first && rec->owner_off == by->first)
		return true;
	if (rec->owner_off != by->off) {
		struct dns_name owner;
		if (t->strangers == DNS_STRANGERS_MAX)
			return false;
		dns_record_owner(t, rec, &owner);
		by->off = rec->owner_off;
		by->is = dns_name_equal(&owner, by->name);
		t->strangers += !by->is;
	}
	if (!by->is)
		return false;
	by->first = by->first ? by->first : rec->owner_off;
	rec->owner_off = by->first;
	return true;
}

int dns_record_target(
	const struct dns_records *t, const struct dns_record *rec, struct dns_name *out)
{
	struct dns_name name;
	struct rd r = rd_init(t->msg, (size_t)rec->rdata_off + rec->rdata_len);
	r.pos = rec->rdata_off;
	if (dns_name_read_compressed(&r, &name, NULL) || rd_left(&r))
		return -EBADMSG;
	*out = name;
	return 0;
}

enum { CELLS = 4096, PROBES = 16 };

static_assert(CELLS >= 2 * DNS_ANSWER_RECORDS_MAX);

static uint32_t hash_of(const struct dns_records *t, unsigned i)
{
	const struct dns_record *rec = &t->rec[i];
	uint32_t h = rec->owner_hash ^ rec->type * 0x9e3779b1u;

	for (unsigned k = 0; k < rec->rdata_len; k++)
		h = (h ^ t->msg[rec->rdata_off + k]) * 0x01000193u;
	return h ^ h >> 15;
}

// Records kept for one step with the same type and data have one owner. A DNAME can be kept for
// several steps: only then are names read, a bounded number of times, because two long ones for
// each record would take milliseconds.
static bool have_same_owner(
	struct dns_records *t, const struct dns_record *a, const struct dns_record *b)
{
	struct dns_name one, other;

	if (a->owner_hash != b->owner_hash)
		return false;
	if (a->keep == b->keep)
		return true;
	if (t->strangers == DNS_STRANGERS_MAX)
		return false;
	t->strangers++;
	dns_record_owner(t, a, &one);
	dns_record_owner(t, b, &other);
	return dns_name_equal(&one, &other);
}

static bool are_twins(struct dns_records *t, const struct dns_record *a, const struct dns_record *b)
{
	if (a->type != b->type || a->class != b->class || a->rdata_len != b->rdata_len
		|| memcmp(t->msg + a->rdata_off, t->msg + b->rdata_off, a->rdata_len) != 0)
		return false;
	return have_same_owner(t, a, b);
}

void dns_twins_drop(struct dns_records *t)
{
	uint16_t cell[CELLS]; // a record's number and one

	if (t->answers < 2)
		return;
	memset(cell, 0, sizeof(cell));
	for (unsigned i = 0; i < t->answers; i++) {
		if (!t->rec[i].keep)
			continue;
		uint32_t h = hash_of(t, i);
		for (unsigned probe = 0; probe < PROBES; probe++) {
			uint16_t *c = &cell[(h + probe) % CELLS];
			if (*c && !are_twins(t, &t->rec[*c - 1u], &t->rec[i]))
				continue;
			if (*c)
				t->rec[i].keep = 0;
			else
				*c = (uint16_t)(i + 1);
			break;
		}
	}
}
