// SPDX-License-Identifier: BSD-3-Clause

#include "dns_records.h"

#include <errno.h>

enum { SOA_RDATA_MIN = 22, META_TYPE_FIRST = 128, META_TYPE_LAST = 255 };

// The name that the chain has reached.
struct place {
	struct dns_name name;
	uint32_t hash;
	uint8_t step;
};

// Question and meta types (RFC 6895 3.1) are never data, OPT neither.
static bool is_data(const struct dns_record *rec, const struct dns_query *q)
{
	if (rec->type == DNS_TYPE_OPT
		|| (rec->type >= META_TYPE_FIRST && rec->type <= META_TYPE_LAST))
		return false;
	return rec->class == q->qclass || q->qclass == DNS_CLASS_ANY;
}

static void keep_signatures(struct dns_records *t, const struct dns_query *q,
	const struct dns_name *owner, uint16_t covered, uint8_t step)
{
	if (!q->dnssec_ok)
		return;
	struct dns_owner by = {.name = owner, .hash = dns_name_hash(owner)};
	for (unsigned i = 0; i < t->answers; i++) {
		struct dns_record *rec = &t->rec[i];
		if (rec->type == DNS_TYPE_RRSIG && !rec->keep && is_data(rec, q)
			&& dns_record_type_covered(t, rec) == covered
			&& dns_record_is_owned_by(t, rec, &by))
			rec->keep = step;
	}
}

static bool keep_asked(struct dns_records *t, const struct dns_query *q, const struct place *at)
{
	struct dns_owner by = {.name = &at->name, .hash = at->hash};
	bool found = false;
	for (unsigned i = 0; i < t->answers; i++) {
		struct dns_record *rec = &t->rec[i];
		if ((rec->type == q->qtype || q->qtype == DNS_TYPE_ANY) && is_data(rec, q)
			&& dns_record_is_owned_by(t, rec, &by)) {
			rec->keep = at->step;
			found = true;
		}
	}
	if (found)
		keep_signatures(t, q, &at->name, q->qtype, at->step);
	return found;
}

static struct dns_record *find_cname(
	struct dns_records *t, const struct dns_query *q, const struct place *at)
{
	struct dns_owner by = {.name = &at->name, .hash = at->hash};
	for (unsigned i = 0; i < t->answers; i++) {
		struct dns_record *rec = &t->rec[i];
		if (rec->type == DNS_TYPE_CNAME && is_data(rec, q)
			&& dns_record_is_owned_by(t, rec, &by))
			return rec; // a second one would be an error of the zone (RFC 2181 10.1)
	}
	return NULL;
}

// Is `to` what a DNAME at `owner` makes of `from` (RFC 6672 2.2)? NULL: more than a name can be.
static bool dname_maps(const struct dns_name *owner, const struct dns_name *dname_target,
	const struct dns_name *from, const struct dns_name *to)
{
	if (from->labels <= owner->labels || !dns_name_is_under(from, owner))
		return false;
	size_t prefix = from->len - owner->len;
	if (!to)
		return prefix + dname_target->len > DNS_NAME_MAX;
	return to->len == prefix + dname_target->len && memcmp(to->wire, from->wire, prefix) == 0
	       && memcmp(to->wire + prefix, dname_target->wire, dname_target->len) == 0;
}

// The DNAME from which a CNAME was synthesised, if the reply has it: a validator needs it. A chain
// has no more of them than hops, so this reads no more, however many an upstream sends. A DNAME
// that makes a name too long may have made an earlier CNAME of the chain. 1: kept.
static int keep_dname(struct dns_records *t, const struct dns_query *q, const struct place *at,
	const struct dns_name *to)
{
	unsigned looked_at = 0;
	for (unsigned i = 0; i < t->answers && looked_at < DNS_ANSWER_CNAME_MAX; i++) {
		struct dns_record *rec = &t->rec[i];
		if (rec->type != DNS_TYPE_DNAME || (rec->keep && to) || !is_data(rec, q))
			continue;
		struct dns_name owner, target;
		looked_at += !rec->keep;
		dns_record_owner(t, rec, &owner);
		if (dns_record_target(t, rec, &target))
			return -EBADMSG;
		if (!dname_maps(&owner, &target, &at->name, to))
			continue;
		if (rec->keep)
			return 1;
		rec->keep = at->step;
		keep_signatures(t, q, &owner, DNS_TYPE_DNAME, at->step);
		return 1;
	}
	return 0;
}

// Also with a CNAME that the client asked for (RFC 6672 3.1).
static int keep_dname_of_asked(
	struct dns_records *t, const struct dns_query *q, const struct place *at)
{
	if (q->qtype != DNS_TYPE_CNAME && q->qtype != DNS_TYPE_ANY)
		return 0;
	struct dns_record *cname = find_cname(t, q, at);
	struct dns_name target;
	if (!cname)
		return 0;
	if (dns_record_target(t, cname, &target))
		return -EBADMSG;
	return keep_dname(t, q, at, &target);
}

// Follows the CNAMEs from the question to the records asked for, or as far as they lead.
static int chain_follow(struct dns_records *t, const struct dns_query *q, struct place *at,
	struct dns_selection *out)
{
	at->name = q->name;
	for (at->step = 1;; at->step++) {
		at->hash = dns_name_hash(&at->name);
		if (keep_asked(t, q, at)) {
			out->kind = DNS_ANSWER_POSITIVE;
			if (keep_dname_of_asked(t, q, at) < 0)
				return -EBADMSG;
			break;
		}
		struct dns_record *cname = find_cname(t, q, at);
		if (!cname)
			break;
		if (cname->keep || at->step > DNS_ANSWER_CNAME_MAX)
			return -ELOOP;
		struct dns_name target;
		if (dns_record_target(t, cname, &target))
			return -EBADMSG;
		cname->keep = at->step;
		keep_signatures(t, q, &at->name, DNS_TYPE_CNAME, at->step);
		if (keep_dname(t, q, at, &target) < 0)
			return -EBADMSG;
		at->name = target;
		out->cname_count++;
	}
	out->steps = at->step;
	return 0;
}

static int soa_keep(struct dns_records *t, unsigned i, struct dns_selection *out)
{
	struct dns_record *rec = &t->rec[i];
	if (rec->rdata_len < SOA_RDATA_MIN)
		return -EBADMSG;
	uint32_t minimum = get_u32(t->msg + rec->rdata_off + rec->rdata_len - 4);
	rec->keep = 1;
	out->soa = (int)i;
	out->soa_ttl_s = rec->ttl_s < minimum ? rec->ttl_s : minimum;
	return 0;
}

// The SOA of a negative answer must be of a zone that can speak for a name of the chain.
static int negative_soa_find(struct dns_records *t, const struct dns_query *q,
	const struct place *end, struct dns_selection *out)
{
	uint16_t off = 0;
	bool above = false;
	for (unsigned i = t->answers; i < t->count; i++) {
		struct dns_record *rec = &t->rec[i];
		if ((rec->type != DNS_TYPE_SOA && rec->type != DNS_TYPE_NS) || !is_data(rec, q))
			continue;
		if (rec->owner_off != off) {
			struct dns_name owner;
			dns_record_owner(t, rec, &owner);
			off = rec->owner_off;
			above = dns_name_is_under(&end->name, &owner)
				|| dns_name_is_under(&q->name, &owner);
		}
		if (!above)
			continue;
		if (rec->type == DNS_TYPE_SOA)
			return soa_keep(t, i, out);
		out->referral = true;
	}
	return 0;
}

static bool is_denial(uint16_t type)
{
	return type == DNS_TYPE_NSEC || type == DNS_TYPE_NSEC3;
}

// Proofs of absence, for a client that validates: they go with negative answers and with those that
// a wildcard made (RFC 4035 3.1.3).
static void keep_denials(
	struct dns_records *t, const struct dns_query *q, const struct dns_selection *s)
{
	for (unsigned i = t->answers; i < t->count; i++) {
		struct dns_record *rec = &t->rec[i];
		if (!is_data(rec, q))
			continue;
		uint16_t covered =
			rec->type == DNS_TYPE_RRSIG ? dns_record_type_covered(t, rec) : rec->type;
		bool signs_soa = covered == DNS_TYPE_SOA && rec->type == DNS_TYPE_RRSIG
				 && s->soa >= 0 && rec->owner_hash == t->rec[s->soa].owner_hash;
		if (is_denial(covered) || signs_soa)
			rec->keep = 1;
	}
}

// No CNAME can be made of the DNAME, which is all that answers.
static int too_long_select(struct dns_records *t, const struct dns_query *q,
	const struct place *end, struct dns_selection *out)
{
	int rc = out->kind == DNS_ANSWER_POSITIVE ? 0 : keep_dname(t, q, end, NULL);
	out->kind = rc > 0 ? DNS_ANSWER_POSITIVE : DNS_ANSWER_FAILURE;
	return rc < 0 ? rc : 0;
}

int dns_select(
	struct dns_records *t, const struct dns_query *q, unsigned rcode, struct dns_selection *out)
{
	struct place end;
	*out = (struct dns_selection){.kind = DNS_ANSWER_NODATA, .soa = -1};
	int rc = chain_follow(t, q, &end, out);
	if (rc)
		return rc;
	if (rcode == DNS_RCODE_NXDOMAIN)
		out->kind = DNS_ANSWER_NXDOMAIN;
	if (rcode == DNS_RCODE_YXDOMAIN)
		rc = too_long_select(t, q, &end, out);
	if (rc || out->kind == DNS_ANSWER_FAILURE)
		return rc;
	if (out->kind != DNS_ANSWER_POSITIVE)
		rc = negative_soa_find(t, q, &end, out);
	if (rc)
		return rc;
	out->referral = out->referral && out->soa < 0 && out->cname_count == 0
			&& out->kind == DNS_ANSWER_NODATA;
	if (q->dnssec_ok)
		keep_denials(t, q, out);
	return 0;
}
