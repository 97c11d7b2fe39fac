// SPDX-License-Identifier: BSD-3-Clause

#include "dns_records.h"

#include <assert.h>
#include <errno.h>

static_assert(DNS_MESSAGE_MAX <= UINT16_MAX); // offsets in struct dns_record

enum { RECORD_MIN = 11 }; // the root as owner, no RDATA

// One record; its owner's hash is only taken when wanted.
static int record_read(struct rd *r, struct dns_record *rec, struct dns_name *owner)
{
	rec->owner_off = (uint16_t)r->pos;
	if (dns_name_read_compressed(r, owner, NULL))
		return -EBADMSG;
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

static int opt_find(struct rd *r, unsigned count, struct dns_records *out)
{
	bool seen = false;
	for (; count; count--) {
		struct dns_record rec;
		struct dns_name owner;
		if (record_read(r, &rec, &owner))
			return -EBADMSG;
		if (rec.type != DNS_TYPE_OPT)
			continue;
		if (seen || owner.len != 1)
			return -EBADMSG;
		seen = true;
		out->rcode_high = r->base[rec.rdata_off - 6]; // first octet of the TTL field
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

	struct rd r = rd_init(msg, len);
	rd_skip(&r, pos);
	for (unsigned i = 0; i < total; i++) {
		struct dns_name owner;
		if (record_read(&r, &out->rec[i], &owner))
			return -EBADMSG;
		out->rec[i].owner_hash = dns_name_hash(&owner);
	}
	return opt_find(&r, get_u16(msg + 10), out);
}

uint32_t dns_name_hash(const struct dns_name *name)
{
	uint32_t h = 2166136261u; // FNV-1a
	for (unsigned i = 0; i < name->len; i++)
		h = (h ^ name->wire[i]) * 16777619u;
	return h;
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

bool dns_record_is_owned_by(const struct dns_records *t, const struct dns_record *rec,
	const struct dns_name *name, uint32_t hash)
{
	if (rec->owner_hash != hash)
		return false;
	struct dns_name owner;
	dns_record_owner(t, rec, &owner);
	return dns_name_equal(&owner, name);
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
