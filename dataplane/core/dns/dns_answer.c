// SPDX-License-Identifier: BSD-3-Clause
// Turns an upstream's reply into the form that the cache keeps: dns_records.c finds the records,
// dns_select.c selects those that answer, dns_rdata.c and dns_compress.c write them. This file sets
// the order and the TTLs.

#include "dns_compress.h"
#include "dns_records.h"

#include <errno.h>
#include <weir/ascii.h>
#include <weir/config_filter.h>
#include <weir/dns_answer.h>

// The end of the question, if header and question are those of a reply to q; else 0.
static size_t question_check(const uint8_t *reply, size_t len, const struct dns_query *q)
{
	if (len < DNS_HEADER_LEN || len > DNS_MESSAGE_MAX)
		return 0;
	uint16_t flags = get_u16(reply + 2);
	if ((flags & (DNS_FLAG_QR | DNS_FLAG_OPCODE)) != DNS_FLAG_QR || get_u16(reply + 4) != 1)
		return 0;
	struct dns_name name;
	struct rd r = rd_init(reply, len);
	rd_skip(&r, DNS_HEADER_LEN);
	if (dns_name_read(&r, &name) || !dns_name_equal(&name, &q->name))
		return 0;
	uint16_t type = rd_u16(&r), class = rd_u16(&r);
	return rd_ok(&r) && type == q->qtype && class == q->qclass ? r.pos : 0;
}

static void answer_clear(struct dns_answer *out, enum dns_answer_kind kind, unsigned rcode)
{
	out->kind = kind;
	out->rcode = (uint16_t)rcode;
	out->truncated = false;
	out->authenticated = out->insecure = false;
	out->len = 0;
	out->ttl_count = 0;
	out->ancount = 0;
	out->nscount = 0;
	out->arcount = 0;
	out->sum = 0;
	out->ttl_s = 0;
	out->auth_ttl_s = 0;
	out->cname_count = 0;
	out->reply_cnames = 0;
	out->is_open = false;
	out->is_stripped = false;
}

// CNAMEs that no server sent: local ones, and those made of DNAMEs of two messages.
enum { ALIASES_MAX = 3 * DNS_ANSWER_CNAME_MAX };
static_assert(DNS_ANSWER_RECORDS_MAX + ALIASES_MAX <= DNS_ANSWER_TTLS_MAX);

// The reading of one reply.
struct job {
	struct dns_records records;
	struct dns_compress compress;
	struct dns_selection selection;
	const struct dns_answer_rules *rules;
	const struct dns_chain *chain; // placed before the records of the reply; NULL: nothing is
	unsigned hops;
	uint16_t owner_off;     // where the record before has its owner
	uint16_t owner_pointer; // how that owner was written; 0: not by a pointer alone
	struct dns_answer *out;
};

static uint32_t ttl_within_limits(const struct job *j, uint32_t ttl_s)
{
	bool positive = j->selection.kind == DNS_ANSWER_POSITIVE;
	uint32_t max_s = positive ? j->rules->max_s : j->rules->negative_s;
	if (positive && ttl_s < j->rules->min_s)
		ttl_s = j->rules->min_s;
	return ttl_s < max_s ? ttl_s : max_s;
}

enum { TTL_CELLS = 256 };

static unsigned ttl_cell(const struct dns_records *t, unsigned i)
{
	const struct dns_record *rec = &t->rec[i];
	uint32_t h = rec->owner_hash ^ rec->type * 0x9e3779b1u ^ (i < t->answers);
	if (rec->type == DNS_TYPE_RRSIG)
		h ^= dns_record_type_covered(t, rec) * 0x85ebca6bu;
	return (h ^ h >> 16 ^ h >> 8) % TTL_CELLS;
}

// The records of a set have one TTL, the least of theirs (RFC 2181 5.2). Sets that share a cell
// share the TTL too: keeping a record for less time than allowed is correct.
static void sets_level(struct dns_records *t)
{
	uint32_t least[TTL_CELLS];
	memset(least, 0xff, sizeof(least));
	for (unsigned i = 0; i < t->count; i++)
		if (t->rec[i].keep && t->rec[i].ttl_s < least[ttl_cell(t, i)])
			least[ttl_cell(t, i)] = t->rec[i].ttl_s;
	for (unsigned i = 0; i < t->count; i++)
		if (t->rec[i].keep)
			t->rec[i].ttl_s = least[ttl_cell(t, i)];
}

static int owner_emit(struct job *j, struct rd *r, const struct dns_record *rec)
{
	struct dns_compress *c = &j->compress;
	if (rec->owner_off == j->owner_off && j->owner_pointer) {
		wr_u16(&c->w, j->owner_pointer);
		return 0;
	}
	struct dns_name owner;
	struct dns_spelling spelling;
	size_t at = c->w.pos;
	r->pos = rec->owner_off;
	int rc = dns_name_read_bounded(r, &owner, &spelling, &c->may_follow);
	if (rc)
		return rc;
	dns_compress_name(c, &owner, &spelling);
	j->owner_off = rec->owner_off;
	j->owner_pointer = c->w.pos - at == 2 ? get_u16(c->w.base + at) : 0;
	return 0;
}

static int record_emit(
	struct job *j, const struct dns_records *t, const struct dns_record *rec, uint32_t ttl_s)
{
	struct dns_compress *c = &j->compress;
	struct dns_answer *out = j->out;
	struct rd r = rd_init(t->msg, t->len);
	int rc = owner_emit(j, &r, rec);
	if (rc)
		return rc;
	if (ttl_s < out->auth_ttl_s)
		out->auth_ttl_s = ttl_s;

	wr_u16(&c->w, rec->type);
	wr_u16(&c->w, rec->class);
	out->ttl_off[out->ttl_count++] = (uint16_t)c->w.pos;
	wr_u32(&c->w, ttl_within_limits(j, ttl_s));
	r.pos = rec->rdata_off;
	if (dns_rdata_copy(&r, rec->type, rec->class, rec->rdata_len, j->rules->svc_strip, c))
		return -EBADMSG;
	return wr_ok(&c->w) ? 0 : -E2BIG;
}

// A CNAME that no server sent.
struct own_cname {
	const struct dns_name *owner, *target;
	const uint8_t *owner_spelling, *target_spelling;
	uint32_t ttl_s;
};

static void cname_emit(struct job *j, uint16_t qclass, const struct own_cname *cname)
{
	struct dns_compress *c = &j->compress;
	struct dns_answer *out = j->out;

	dns_compress_spelled(c, cname->owner, cname->owner_spelling);
	wr_u16(&c->w, DNS_TYPE_CNAME);
	wr_u16(&c->w, qclass);
	out->ttl_off[out->ttl_count++] = (uint16_t)c->w.pos;
	wr_u32(&c->w, ttl_within_limits(j, cname->ttl_s));
	size_t len_off = c->w.pos;
	wr_u16(&c->w, 0);
	dns_compress_spelled(c, cname->target, cname->target_spelling);
	if (wr_ok(&c->w))
		put_u16(c->w.base + len_off, (uint16_t)(c->w.pos - len_off - 2));
	if (cname->ttl_s < out->auth_ttl_s)
		out->auth_ttl_s = cname->ttl_s;
	out->ancount++;
}

// The first CNAME's owner is `from`; each following CNAME is owned by the target of its
// predecessor.
static void aliases_emit(struct job *j, uint16_t qclass, const struct dns_name *from)
{
	const struct dns_chain *chain = j->chain;
	for (unsigned i = 0; i < chain->count; i++) {
		const struct dns_alias *a = &chain->alias[i];
		const struct own_cname cname = {
			.owner = i ? &a[-1].target : from,
			.owner_spelling = i ? a[-1].spelling : from->wire,
			.target = &a->target,
			.target_spelling = a->spelling,
			.ttl_s = a->ttl_s,
		};
		cname_emit(j, qclass, &cname);
	}
}

// Behind the DNAME that they are made of.
static void made_emit(struct job *j, const struct dns_selection *s, uint16_t qclass, unsigned step)
{
	for (unsigned i = 0; i < s->made_count; i++) {
		const struct dns_made *m = &s->made[i];
		const struct own_cname cname = {
			.owner = &m->owner,
			.owner_spelling = m->owner.wire,
			.target = &m->target,
			.target_spelling = m->target.wire,
			.ttl_s = m->ttl_s,
		};
		if (m->step == step)
			cname_emit(j, qclass, &cname);
	}
}

// Answer records in the order of the chain, whatever order the upstream chose: some clients only
// look forwards. Within a step its order stays.
static int chain_emit(
	struct job *j, const struct dns_records *t, const struct dns_selection *s, uint16_t qclass)
{
	int rc = 0;
	j->owner_off = 0;
	for (unsigned step = 1; step <= s->steps; step++) {
		for (unsigned i = 0; i < t->answers && rc == 0; i++)
			if (t->rec[i].keep == step) {
				rc = record_emit(j, t, &t->rec[i], t->rec[i].ttl_s);
				j->out->ancount++;
			}
		made_emit(j, s, qclass, step);
	}
	return rc;
}

static int authority_emit(struct job *j)
{
	const struct dns_records *t = &j->records;
	const struct dns_selection *s = &j->selection;
	int rc = 0;
	j->owner_off = 0;
	for (unsigned i = t->answers; i < t->count && rc == 0; i++)
		if (t->rec[i].keep) {
			rc = record_emit(j, t, &t->rec[i],
				(int)i == s->soa ? s->soa_ttl_s : t->rec[i].ttl_s);
			j->out->nscount++;
		}
	return rc;
}

// Is the record among those of the authority section? One proof may be one of two hops.
static bool has_proof(
	const struct dns_records *t, const struct dns_records *of, const struct dns_record *rec)
{
	for (unsigned i = t->answers; i < t->count; i++) {
		const struct dns_record *own = &t->rec[i];
		if (own->keep && own->owner_hash == rec->owner_hash && own->type == rec->type
			&& own->rdata_len == rec->rdata_len
			&& memcmp(t->msg + own->rdata_off, of->msg + rec->rdata_off, rec->rdata_len)
				   == 0)
			return true;
	}
	return false;
}

// Proofs that came with the CNAMEs of an earlier answer.
static int proofs_emit(struct job *j, const struct dns_records *before)
{
	int rc = 0;
	j->owner_off = 0;
	for (unsigned i = before->answers; i < before->count && rc == 0; i++) {
		const struct dns_record *rec = &before->rec[i];
		if (!rec->keep || has_proof(&j->records, before, rec))
			continue;
		rc = record_emit(j, before, rec, rec->ttl_s);
		j->out->nscount++;
	}
	return rc;
}

static int own_emit(struct job *j, const struct dns_query *q, const struct dns_name *from)
{
	if (j->chain)
		aliases_emit(j, q->qclass, from);
	const int rc = chain_emit(j, &j->records, &j->selection, q->qclass);
	return rc ? rc : authority_emit(j);
}

// Between the CNAMEs of an earlier answer to the question and their proofs.
static __attribute__((noinline)) int joined_emit(struct job *j, const struct dns_query *q)
{
	const struct dns_chain *chain = j->chain;
	struct dns_records t;
	struct dns_selection s;
	size_t pos = question_check(chain->before, chain->before_len, q);
	int rc = pos ? dns_records_read(chain->before, chain->before_len, pos, &t) : -EBADMSG;
	if (rc == 0)
		rc = dns_select(&t, q, DNS_RCODE_NOERROR, DNS_ANSWER_CNAME_MAX, &s);
	if (rc || j->records.count + t.count + ALIASES_MAX > DNS_ANSWER_TTLS_MAX)
		return -EPROTO;
	j->compress.may_follow += dns_names_may_follow(t.len);
	j->out->cname_count = (uint8_t)(j->out->cname_count + s.cname_count);
	rc = chain_emit(j, &t, &s, q->qclass);
	if (rc == 0)
		rc = own_emit(j, q, &s.end);
	return rc ? rc : proofs_emit(j, &t);
}

static int answer_emit(struct job *j, const struct dns_query *q)
{
	struct dns_answer *out = j->out;
	bool no_soa = j->selection.kind != DNS_ANSWER_POSITIVE && j->selection.soa < 0;
	out->auth_ttl_s = no_soa ? 0 : DNS_TTL_MAX; // RFC 2308 5: not to be cached
	out->reply_cnames = j->selection.cname_count;
	out->cname_count = (uint8_t)(j->selection.cname_count + (j->chain ? j->chain->count : 0));
	out->is_open = j->selection.is_open;
	dns_compress_init(&j->compress, q, out->bytes,
		DNS_MESSAGE_MAX - DNS_HEADER_LEN - ((size_t)q->name.len + 4));
	j->compress.may_follow = dns_names_may_follow(j->records.len);
	int rc = j->chain && j->chain->before ? joined_emit(j, q) : own_emit(j, q, &q->name);
	if (rc == 0 && !wr_ok(&j->compress.w))
		rc = -E2BIG;
	if (rc)
		return rc;
	out->len = (uint16_t)j->compress.w.pos;
	out->sum = csum_partial(out->bytes, out->len);
	out->ttl_s = ttl_within_limits(j, out->auth_ttl_s);
	return 0;
}

static bool is_service(uint16_t type)
{
	return type == DNS_TYPE_HTTPS || type == DNS_TYPE_SVCB;
}

// Is it what a question can be about, and no step to it?
static bool is_end(uint16_t type)
{
	return type != DNS_TYPE_CNAME && type != DNS_TYPE_DNAME && type != DNS_TYPE_RRSIG;
}

// Leaves out services that cannot lose their parameters, and the signatures of sets that are not as
// they were sent. True: something is not.
static __attribute__((noinline)) bool services_strip(struct job *j)
{
	struct dns_records *t = &j->records;
	bool https = false, svcb = false;
	unsigned ends = 0;
	for (unsigned i = 0; i < t->answers; i++) {
		struct dns_record *rec = &t->rec[i];
		if (rec->keep && is_service(rec->type)) {
			const enum dns_service_look look =
				dns_service_look(t, rec, j->rules->svc_strip);
			if (look == DNS_SERVICE_UNUSABLE)
				rec->keep = 0;
			*(rec->type == DNS_TYPE_HTTPS ? &https : &svcb) |= look != DNS_SERVICE_SAME;
		}
		ends += rec->keep && is_end(rec->type);
	}
	for (unsigned i = 0; i < t->answers; i++) {
		struct dns_record *rec = &t->rec[i];
		const uint16_t covered =
			rec->type == DNS_TYPE_RRSIG ? dns_record_type_covered(t, rec) : 0;
		if ((covered == DNS_TYPE_HTTPS && https) || (covered == DNS_TYPE_SVCB && svcb))
			rec->keep = 0;
	}
	if ((https || svcb) && ends == 0)
		j->selection.kind = DNS_ANSWER_NODATA;
	return https || svcb;
}

static int reply_read(const uint8_t *reply, size_t len, const struct dns_query *asked,
	const struct dns_query *q, struct job *j)
{
	struct dns_answer *out = j->out;
	size_t pos = question_check(reply, len, asked);
	if (pos == 0)
		return -EBADMSG;
	unsigned rcode = get_u16(reply + 2) & DNS_FLAG_RCODE;
	if (get_u16(reply + 2) & DNS_FLAG_TC) {
		answer_clear(out, DNS_ANSWER_FAILURE, rcode);
		out->truncated = true;
		return 0;
	}
	int rc = dns_records_read(reply, len, pos, &j->records);
	if (rc)
		return rc;
	rcode |= (unsigned)j->records.rcode_high << 4;
	if (rcode != DNS_RCODE_NOERROR && rcode != DNS_RCODE_NXDOMAIN
		&& rcode != DNS_RCODE_YXDOMAIN) {
		answer_clear(out, DNS_ANSWER_FAILURE, rcode);
		return 0;
	}
	rc = dns_select(&j->records, asked, rcode, j->hops, &j->selection);
	if (rc)
		return rc;
	if (j->selection.referral)
		rcode = DNS_RCODE_SERVFAIL;
	if (j->selection.is_too_long)
		rcode = DNS_RCODE_YXDOMAIN;
	if (j->hops)
		rcode = DNS_RCODE_NOERROR;
	if (j->selection.referral || j->selection.kind == DNS_ANSWER_FAILURE) {
		answer_clear(out, DNS_ANSWER_FAILURE, rcode);
		return 0;
	}
	const bool is_stripped = j->rules->svc_strip && services_strip(j);
	answer_clear(out, j->selection.kind, rcode);
	out->is_stripped = is_stripped;
	sets_level(&j->records);
	dns_twins_drop(&j->records);
	return answer_emit(j, q);
}

int dns_answer_read(const uint8_t *reply, size_t len, const struct dns_query *q,
	const struct dns_answer_rules *rules, struct dns_answer *out)
{
	struct job j;
	j.rules = rules;
	j.chain = NULL;
	j.hops = 0;
	j.out = out;
	return reply_read(reply, len, q, q, &j);
}

int dns_answer_read_chain(const uint8_t *reply, size_t len, const struct dns_chain *chain,
	const struct dns_query *q, unsigned hops, const struct dns_answer_rules *rules,
	struct dns_answer *out)
{
	struct dns_query asked = *q;
	struct job j;
	asked.name = *chain->asked; // nobody looks at its labels by offset
	j.rules = rules;
	j.chain = chain;
	j.hops = hops;
	j.out = out;
	if (reply)
		return reply_read(reply, len, &asked, q, &j);
	j.records.answers = j.records.count = 0;
	j.records.len = 0;
	dns_selection_init(&j.selection, DNS_ANSWER_POSITIVE);
	answer_clear(out, DNS_ANSWER_POSITIVE, DNS_RCODE_NOERROR);
	return answer_emit(&j, q);
}

// The question as it goes to an upstream and as it must come back, and the addresses of its answer.

enum { TYPE_CLASS_LEN = 4 };

static bool bytes_equal_nocase(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

bool dns_answer_matches(const uint8_t *reply, size_t len, uint16_t id, const uint8_t *question,
	uint16_t question_len, bool exact_case)
{
	if (question_len <= TYPE_CLASS_LEN || len < (size_t)DNS_HEADER_LEN + question_len)
		return false;
	uint16_t flags = get_u16(reply + 2);
	if (get_u16(reply) != id || (flags & (DNS_FLAG_QR | DNS_FLAG_OPCODE)) != DNS_FLAG_QR
		|| get_u16(reply + 4) != 1)
		return false;
	const uint8_t *echoed = reply + DNS_HEADER_LEN;
	if (exact_case)
		return memcmp(echoed, question, question_len) == 0;
	// Type and class are numbers: 65 (HTTPS) and 97 must not be taken for letters.
	size_t name_len = question_len - TYPE_CLASS_LEN;
	return bytes_equal_nocase(echoed, question, name_len)
	       && memcmp(echoed + name_len, question + name_len, TYPE_CLASS_LEN) == 0;
}

unsigned dns_answer_addresses(
	const struct dns_answer *answer, uint16_t type, struct ip_address *out, unsigned max)
{
	const unsigned size = type == DNS_TYPE_A ? 4 : 16;
	struct rd r = rd_init(answer->bytes, answer->len);
	unsigned count = 0;

	if (answer->kind != DNS_ANSWER_POSITIVE)
		return 0;
	for (unsigned i = 0; i < answer->ancount && count < max; i++) {
		dns_name_skip(&r);
		uint16_t rtype = rd_u16(&r);
		rd_skip(&r, 6); // class and TTL
		uint16_t len = rd_u16(&r);
		const uint8_t *data = rd_bytes(&r, len);
		if (!data)
			break;
		if (rtype != type || len != size)
			continue;
		out[count] = (struct ip_address){
			.version = size == 4 ? 4 : 6, .prefix_len = (uint8_t)(size * 8)};
		memcpy(out[count++].bytes, data, size);
	}
	return count;
}

uint16_t dns_query_write(uint8_t *msg, size_t cap, uint16_t id, const uint8_t *question,
	uint16_t question_len, bool checking_disabled, bool dnssec_ok)
{
	struct wr w = wr_init(msg, cap < DNS_MESSAGE_MAX ? cap : DNS_MESSAGE_MAX);
	wr_u16(&w, id);
	wr_u16(&w, DNS_FLAG_RD | (checking_disabled ? DNS_FLAG_CD : 0));
	wr_u16(&w, 1);
	wr_u32(&w, 0);
	wr_u16(&w, 1);
	wr_bytes(&w, question, question_len);
	wr_u8(&w, 0);
	wr_u16(&w, DNS_TYPE_OPT);
	wr_u16(&w, DNS_EDNS_SIZE);
	wr_u32(&w, dnssec_ok ? DNS_EDNS_FLAG_DO : 0);
	wr_u16(&w, 0);
	return wr_ok(&w) ? (uint16_t)w.pos : 0;
}
