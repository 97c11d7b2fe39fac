// SPDX-License-Identifier: BSD-3-Clause

#include "dns_records.h"

#include <errno.h>

enum { SOA_RDATA_MIN = 22, RRSIG_LABELS_OFF = 3, META_TYPE_FIRST = 128, META_TYPE_LAST = 255 };

// The name that the chain has reached.
struct place {
	struct dns_name name;
	uint32_t hash;
	uint8_t step;
	bool as_sent; // no CNAME is made of a DNAME
	uint8_t hops; // the most CNAMEs; 0: as many as there are
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

// The name that a DNAME makes of `from`, which is below its owner. False: it is too long.
static bool dname_apply(const struct dns_name *owner, const struct dns_name *dname_target,
	const struct dns_name *from, struct dns_name *to)
{
	const size_t prefix = from->len - owner->len;

	if (prefix + dname_target->len > DNS_NAME_MAX)
		return false;
	memcpy(to->wire, from->wire, prefix);
	memcpy(to->wire + prefix, dname_target->wire, dname_target->len);
	to->len = (uint8_t)(prefix + dname_target->len);
	to->labels = (uint8_t)(from->labels - owner->labels + dname_target->labels);
	return true;
}

// The CNAME of a DNAME that came without it: who caches MUST make it (RFC 6672 3.4). The next name
// in *to. 1: made; 0: no DNAME that covers the name, among as many as a chain has hops, or none can
// be made of it (RFC 6672 2.2).
static int cname_make(struct dns_records *t, const struct dns_query *q, const struct place *at,
	struct dns_selection *out, struct dns_name *to)
{
	unsigned looked_at = 0;
	for (unsigned i = 0; i < t->answers && looked_at < DNS_ANSWER_CNAME_MAX; i++) {
		struct dns_record *rec = &t->rec[i];
		if (rec->type != DNS_TYPE_DNAME || !is_data(rec, q))
			continue;
		struct dns_name owner, target;
		looked_at++;
		dns_record_owner(t, rec, &owner);
		if (dns_record_target(t, rec, &target))
			return -EBADMSG;
		if (at->name.labels <= owner.labels || !dns_name_is_under(&at->name, &owner))
			continue;
		if (!dname_apply(&owner, &target, &at->name, to)) {
			out->is_too_long = true;
			return 0;
		}
		if (out->made_count == DNS_ANSWER_CNAME_MAX)
			return -ELOOP;
		out->made[out->made_count++] = (struct dns_made){
			.owner = at->name, .target = *to, .ttl_s = rec->ttl_s, .step = at->step};
		if (!rec->keep) {
			rec->keep = at->step;
			keep_signatures(t, q, &owner, DNS_TYPE_DNAME, at->step);
		}
		return 1;
	}
	return 0;
}

// Keeps the DNAME also for a client that asked for the CNAME (RFC 6672 3.1).
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

// The CNAME at the name that the chain has reached, the server's or one made of a DNAME; where it
// leads, in *to. 1; 0: the reply has none.
static int chain_step(struct dns_records *t, const struct dns_query *q, const struct place *at,
	struct dns_selection *out, struct dns_name *to)
{
	struct dns_record *cname = find_cname(t, q, at);
	if (!cname)
		return at->as_sent ? 0 : cname_make(t, q, at, out, to);
	if (cname->keep)
		return -ELOOP;
	if (dns_record_target(t, cname, to))
		return -EBADMSG;
	cname->keep = at->step;
	keep_signatures(t, q, &at->name, DNS_TYPE_CNAME, at->step);
	return keep_dname(t, q, at, to) < 0 ? -EBADMSG : 1;
}

// Follows the CNAMEs from the question to the records asked for, or as far as they lead.
static int chain_follow(struct dns_records *t, const struct dns_query *q, struct place *at,
	struct dns_selection *out)
{
	at->name = q->name;
	for (at->step = 1;; at->step++) {
		if (at->hops && out->cname_count == at->hops)
			break;
		at->hash = dns_name_hash(&at->name);
		if (keep_asked(t, q, at)) {
			out->kind = DNS_ANSWER_POSITIVE;
			if (keep_dname_of_asked(t, q, at) < 0)
				return -EBADMSG;
			break;
		}
		struct dns_name target;
		int rc = chain_step(t, q, at, out, &target);
		if (rc == 0)
			break;
		if (rc > 0 && at->step > DNS_ANSWER_CNAME_MAX)
			rc = -ELOOP;
		if (rc < 0)
			return rc;
		if (q->qtype == DNS_TYPE_CNAME || q->qtype == DNS_TYPE_ANY) { // made of a DNAME
			out->kind = DNS_ANSWER_POSITIVE;
			break;
		}
		at->name = target;
		out->cname_count++;
	}
	out->end = at->name;
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
	bool above = false, above_end = false;
	for (unsigned i = t->answers; i < t->count; i++) {
		struct dns_record *rec = &t->rec[i];
		if ((rec->type != DNS_TYPE_SOA && rec->type != DNS_TYPE_NS) || !is_data(rec, q))
			continue;
		if (rec->owner_off != off) {
			struct dns_name owner;
			dns_record_owner(t, rec, &owner);
			off = rec->owner_off;
			above_end = dns_name_is_under(&end->name, &owner);
			above = above_end || dns_name_is_under(&q->name, &owner);
		}
		if (!above)
			continue;
		if (rec->type == DNS_TYPE_SOA) {
			out->is_open = out->is_open && !above_end;
			return soa_keep(t, i, out);
		}
		out->referral = true;
	}
	return 0;
}

static bool is_denial(uint16_t type)
{
	return type == DNS_TYPE_NSEC || type == DNS_TYPE_NSEC3;
}

// Was a kept record made from a wildcard? Its signature has fewer labels than its owner (RFC 4034
// 3.1.3).
static bool is_expanded(const struct dns_records *t)
{
	for (unsigned i = 0; i < t->answers; i++) {
		const struct dns_record *rec = &t->rec[i];
		struct dns_name owner;
		if (!rec->keep || rec->type != DNS_TYPE_RRSIG
			|| rec->rdata_len < RRSIG_LABELS_OFF + 1)
			continue;
		dns_record_owner(t, rec, &owner);
		if (t->msg[rec->rdata_off + RRSIG_LABELS_OFF] < owner.labels)
			return true;
	}
	return false;
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

int dns_select(struct dns_records *t, const struct dns_query *q, unsigned rcode, unsigned hops,
	struct dns_selection *out)
{
	struct place end = {.as_sent = rcode == DNS_RCODE_YXDOMAIN, .hops = (uint8_t)hops};
	dns_selection_init(out, DNS_ANSWER_NODATA);
	int rc = chain_follow(t, q, &end, out);
	out->is_open = out->kind == DNS_ANSWER_NODATA && out->cname_count > 0 && !out->is_too_long
		       && (hops || rcode == DNS_RCODE_NOERROR);
	if (rc == 0 && hops && q->dnssec_ok && is_expanded(t))
		keep_denials(t, q, out);
	if (rc || hops)
		return rc;
	if (rcode == DNS_RCODE_NXDOMAIN)
		out->kind = DNS_ANSWER_NXDOMAIN;
	if (rcode == DNS_RCODE_YXDOMAIN || out->is_too_long)
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
