// SPDX-License-Identifier: BSD-3-Clause
#include "tests/oracle/ldns_twin.h"

#include "tests/fuzz/fuzz.h"

#include <ldns/ldns.h>

#include <string.h>

static const struct dns_answer_rules wide = {.min_s = 0, .max_s = DNS_TTL_MAX, .negative_s = 3600};

static ldns_pkt *parse(const uint8_t *msg, size_t len)
{
	ldns_pkt *pkt = NULL;
	return ldns_wire2pkt(&pkt, msg, len) == LDNS_STATUS_OK ? pkt : NULL;
}

// The same name, whatever the letter case.
static bool is_name(const ldns_rdf *theirs, const struct dns_name *ours)
{
	struct dns_name name;
	struct rd r = rd_init(ldns_rdf_data(theirs), ldns_rdf_size(theirs));
	return dns_name_read(&r, &name) == 0 && rd_left(&r) == 0 && dns_name_equal(&name, ours);
}

static bool opt_is_first(const uint8_t *msg, const struct dns_query *q)
{
	const uint8_t *at = msg + DNS_HEADER_LEN + q->question_len;
	return get_u16(msg + 10) == 1 && at[0] == 0 && get_u16(at + 1) == DNS_TYPE_OPT;
}

bool ldns_twin_query(const uint8_t *msg, size_t len)
{
	struct dns_query q;
	if (dns_query_parse(msg, len, &q) != DNS_QUERY_OK)
		return false;
	ldns_pkt *pkt = parse(msg, len);
	if (!pkt)
		return false;
	const ldns_rr *asked = ldns_rr_list_rr(ldns_pkt_question(pkt), 0);
	FUZZ_CHECK(ldns_pkt_qdcount(pkt) == 1 && ldns_pkt_ancount(pkt) == 0);
	FUZZ_CHECK(ldns_pkt_id(pkt) == q.id && !ldns_pkt_qr(pkt));
	FUZZ_CHECK(ldns_pkt_get_opcode(pkt) == LDNS_PACKET_QUERY);
	FUZZ_CHECK(ldns_pkt_rd(pkt) == !!(q.flags & DNS_FLAG_RD));
	FUZZ_CHECK(ldns_pkt_ad(pkt) == !!(q.flags & DNS_FLAG_AD));
	FUZZ_CHECK(ldns_pkt_cd(pkt) == dns_query_cd(&q));
	FUZZ_CHECK((uint16_t)ldns_rr_get_type(asked) == q.qtype);
	FUZZ_CHECK((uint16_t)ldns_rr_get_class(asked) == q.qclass);
	FUZZ_CHECK(is_name(ldns_rr_owner(asked), &q.name));
	// ldns takes an OPT wherever it stands, and under any name.
	if (get_u16(msg + 10) == 0)
		FUZZ_CHECK(!q.has_opt && !ldns_pkt_edns(pkt));
	if (opt_is_first(msg, &q)) {
		unsigned size = ldns_pkt_edns_udp_size(pkt);
		FUZZ_CHECK(q.has_opt && ldns_pkt_edns(pkt));
		FUZZ_CHECK(ldns_pkt_edns_version(pkt) == 0);
		FUZZ_CHECK(ldns_pkt_edns_do(pkt) == q.dnssec_ok);
		FUZZ_CHECK(q.udp_size == (size > DNS_UDP_PLAIN_MAX ? size : DNS_UDP_PLAIN_MAX));
	}
	ldns_pkt_free(pkt);
	return true;
}

// Lower case in owners and in the RDATA of the types where names compare without case.
static void canonicalise(ldns_rr_list *list)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
		ldns_rr2canonical(ldns_rr_list_rr(list, i));
}

// ldns_rr_compare leaves the TTL out.
static bool contains(const ldns_rr_list *list, const ldns_rr *rr)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
		if (ldns_rr_compare(ldns_rr_list_rr(list, i), rr) == 0)
			return true;
	return false;
}

static bool is_there_before(const ldns_rr_list *list, size_t i)
{
	size_t k = 0;
	while (k < i && ldns_rr_compare(ldns_rr_list_rr(list, k), ldns_rr_list_rr(list, i)) != 0)
		k++;
	return k < i;
}

// `distinct`: of these, the ones that differ (in letter case alone, and they do not).
static size_t count_asked(const ldns_rr_list *list, const ldns_rr *question, size_t *distinct)
{
	size_t n = 0;
	*distinct = 0;
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		if (ldns_rr_get_type(rr) != ldns_rr_get_type(question)
			|| ldns_rr_get_class(rr) != ldns_rr_get_class(question)
			|| ldns_dname_compare(ldns_rr_owner(rr), ldns_rr_owner(question)) != 0)
			continue;
		n++;
		*distinct += !is_there_before(list, i);
	}
	return n;
}

// Is it the CNAME that follows from a DNAME (RFC 6672 3.4)?
static bool is_made(const ldns_rr *cname, const ldns_rr *dname)
{
	if (ldns_rr_get_type(cname) != LDNS_RR_TYPE_CNAME
		|| ldns_rr_get_type(dname) != LDNS_RR_TYPE_DNAME
		|| !ldns_dname_is_subdomain(ldns_rr_owner(cname), ldns_rr_owner(dname)))
		return false;
	const ldns_rdf *from = ldns_rr_owner(cname), *to = ldns_rr_rdf(cname, 0),
		       *end = ldns_rr_rdf(dname, 0);
	const size_t kept = ldns_rdf_size(from) - ldns_rdf_size(ldns_rr_owner(dname));
	return ldns_rdf_size(to) == kept + ldns_rdf_size(end)
	       && memcmp(ldns_rdf_data(to), ldns_rdf_data(from), kept) == 0
	       && memcmp(ldns_rdf_data(to) + kept, ldns_rdf_data(end), ldns_rdf_size(end)) == 0;
}

static bool follows(const ldns_rr_list *list, const ldns_rr *cname)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++)
		if (is_made(cname, ldns_rr_list_rr(list, i)))
			return true;
	return false;
}

static void check_section(ldns_rr_list *theirs, ldns_rr_list *ours)
{
	canonicalise(theirs);
	canonicalise(ours);
	for (size_t i = 0; i < ldns_rr_list_rr_count(ours); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(ours, i);
		FUZZ_CHECK(contains(theirs, rr) || follows(theirs, rr));
	}
}

// ldns takes an RDATA that is longer than its fields and reads on in the middle of it. What it then
// sees are not the records of the message, so nothing can be compared.
static bool in_step(struct rd *r, const ldns_rr_list *list, unsigned count)
{
	if (ldns_rr_list_rr_count(list) != count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		struct dns_name owner;
		if (dns_name_read_compressed(r, &owner, NULL) || !is_name(ldns_rr_owner(rr), &owner)
			|| rd_u16(r) != (uint16_t)ldns_rr_get_type(rr)
			|| rd_u16(r) != (uint16_t)ldns_rr_get_class(rr)
			|| rd_u32(r) != ldns_rr_ttl(rr))
			return false;
		rd_skip(r, rd_u16(r));
	}
	return rd_ok(r);
}

static bool sections_in_step(const uint8_t *msg, size_t len, const ldns_pkt *pkt)
{
	struct rd r = rd_init(msg, len);
	struct dns_name qname;
	rd_skip(&r, DNS_HEADER_LEN);
	if (dns_name_read(&r, &qname))
		return false;
	rd_skip(&r, 4);
	return in_step(&r, ldns_pkt_answer(pkt), get_u16(msg + 6))
	       && in_step(&r, ldns_pkt_authority(pkt), get_u16(msg + 8));
}

// What was kept behind its question, as a whole message. Its length.
static size_t whole(const struct dns_answer *a, const struct dns_query *q, uint8_t *msg)
{
	struct dns_answer_view view = dns_answer_view_of(a);
	const struct dns_reply_opts o = {.ede = DNS_EDE_NONE, .limit = DNS_MESSAGE_MAX};
	struct dns_query plain = *q;
	uint16_t sum;
	plain.has_opt = false;
	memset(msg, 0, DNS_HEADER_LEN);
	memcpy(msg + DNS_HEADER_LEN, q->name.wire, q->name.len);
	put_u16(msg + 4, 1);
	put_u16(msg + DNS_HEADER_LEN + q->name.len, q->qtype);
	put_u16(msg + DNS_HEADER_LEN + q->name.len + 2, q->qclass);
	return dns_reply_answer(msg, DNS_MESSAGE_MAX, &plain, &view, &o, &sum);
}

static void compare(ldns_pkt *theirs, const struct dns_query *q, const struct dns_answer *a)
{
	static uint8_t msg[DNS_MESSAGE_MAX];
	size_t len = whole(a, q, msg);
	FUZZ_CHECK(len > 0);
	ldns_pkt *ours = parse(msg, len);
	FUZZ_CHECK(ours);
	FUZZ_CHECK(ldns_pkt_ancount(ours) == a->ancount && ldns_pkt_nscount(ours) == a->nscount);
	FUZZ_CHECK((unsigned)ldns_pkt_get_rcode(ours) == a->rcode);
	check_section(ldns_pkt_answer(theirs), ldns_pkt_answer(ours));
	check_section(ldns_pkt_authority(theirs), ldns_pkt_authority(ours));
	// No query has another class. Of a duplicate record one is kept.
	if (a->kind == DNS_ANSWER_POSITIVE && a->rcode == DNS_RCODE_NOERROR && a->cname_count == 0
		&& q->qtype != DNS_TYPE_ANY && q->qclass == DNS_CLASS_IN && !q->dnssec_ok) {
		size_t distinct, asked = count_asked(ldns_pkt_answer(theirs),
					 ldns_rr_list_rr(ldns_pkt_question(theirs), 0), &distinct);
		FUZZ_CHECK(a->ancount >= distinct);
		// A CNAME has the DNAME that it follows from with it.
		FUZZ_CHECK(a->ancount <= asked || q->qtype == DNS_TYPE_CNAME);
	}
	ldns_pkt_free(ours);
}

bool ldns_twin_reply(
	const uint8_t *reply, size_t len, const struct dns_query *q, struct dns_answer *read)
{
	ldns_pkt *theirs = parse(reply, len);
	if (!theirs)
		return false;
	bool compared = sections_in_step(reply, len, theirs)
			&& dns_answer_read(reply, len, q, &wide, read) == 0 && !read->truncated
			&& read->kind != DNS_ANSWER_FAILURE;
	if (compared)
		compare(theirs, q, read);
	ldns_pkt_free(theirs);
	return compared;
}

bool ldns_twin_name(const uint8_t *wire, size_t len)
{
	char text[DNS_NAME_TEXT_MAX];
	struct dns_name name;
	struct rd r = rd_init(wire, len);
	if (dns_name_read(&r, &name))
		return false;
	dns_name_to_text(&name, text);
	ldns_rdf *theirs = ldns_dname_new_frm_str(text);
	FUZZ_CHECK(theirs && is_name(theirs, &name));
	ldns_rdf_deep_free(theirs);
	return true;
}

bool ldns_twin_text(const char *text, size_t len)
{
	struct dns_name name;
	char *ended = strndup(text, len);
	FUZZ_CHECK(ended);
	ldns_rdf *theirs = ldns_dname_new_frm_str(ended);
	bool both = theirs && dns_name_from_text(ended, strlen(ended), &name) == 0;
	if (both)
		FUZZ_CHECK(is_name(theirs, &name));
	ldns_rdf_deep_free(theirs);
	free(ended);
	return both;
}
