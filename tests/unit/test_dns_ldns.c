// SPDX-License-Identifier: BSD-3-Clause

// Differential test: what our reader keeps of a reply must be, to libldns, records of that reply.

#include "dns_build.h"
#include "dns_rand.h"

#include <ldns/ldns.h>

enum { ROUNDS = 40000 };

static const struct dns_ttl_limits wide = {.min_s = 0, .max_s = DNS_TTL_MAX, .negative_s = 3600};
static struct dns_build b;
static struct dns_answer answer;
static struct dns_rand rnd = {11};

static ldns_pkt *ldns_parse(const uint8_t *msg, size_t len)
{
	ldns_pkt *pkt = NULL;
	if (ldns_wire2pkt(&pkt, msg, len) != LDNS_STATUS_OK)
		return NULL;
	return pkt;
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

static size_t count_asked(const ldns_rr_list *list, const ldns_rr *question)
{
	size_t n = 0;
	for (size_t i = 0; i < ldns_rr_list_rr_count(list); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		n += ldns_rr_get_type(rr) == ldns_rr_get_type(question)
		     && ldns_rr_get_class(rr) == ldns_rr_get_class(question)
		     && ldns_dname_compare(ldns_rr_owner(rr), ldns_rr_owner(question)) == 0;
	}
	return n;
}

static void check_section(ldns_rr_list *theirs, ldns_rr_list *ours)
{
	canonicalise(theirs);
	canonicalise(ours);
	for (size_t i = 0; i < ldns_rr_list_rr_count(ours); i++)
		assert_true(contains(theirs, ldns_rr_list_rr(ours, i)));
}

// ldns takes an RDATA that is longer than its fields and reads on in the middle of it. What it then
// sees are not the records of the message, so nothing can be compared.
static bool in_step(struct rd *r, const ldns_rr_list *list, unsigned count)
{
	if (ldns_rr_list_rr_count(list) != count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(list, i);
		const ldns_rdf *rdf = ldns_rr_owner(rr);
		struct dns_name owner, theirs;
		struct rd dname = rd_init(ldns_rdf_data(rdf), ldns_rdf_size(rdf));
		if (dns_name_read_compressed(r, &owner, NULL) || dns_name_read(&dname, &theirs)
			|| !dns_name_equal(&owner, &theirs) || rd_u16(r) != ldns_rr_get_type(rr)
			|| rd_u16(r) != ldns_rr_get_class(rr) || rd_u32(r) != ldns_rr_ttl(rr))
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

// True when both readers took the reply and so could be compared.
static bool compare(const uint8_t *reply, size_t len, const struct dns_query *q)
{
	static uint8_t msg[DNS_MESSAGE_MAX];
	ldns_pkt *theirs = ldns_parse(reply, len);
	if (!theirs)
		return false;
	bool compared = sections_in_step(reply, len, theirs)
			&& dns_answer_read(reply, len, q, &wide, &answer) == 0 && !answer.truncated
			&& answer.kind != DNS_ANSWER_FAILURE;
	if (compared) {
		ldns_pkt *ours = ldns_parse(msg, build_whole(&answer, q, msg));
		assert_non_null(ours);
		assert_int_equal(ldns_pkt_ancount(ours), answer.ancount);
		assert_int_equal(ldns_pkt_nscount(ours), answer.nscount);
		assert_int_equal(ldns_pkt_get_rcode(ours), answer.rcode);
		check_section(ldns_pkt_answer(theirs), ldns_pkt_answer(ours));
		check_section(ldns_pkt_authority(theirs), ldns_pkt_authority(ours));
		if (answer.kind == DNS_ANSWER_POSITIVE && answer.cname_count == 0
			&& q->qtype != DNS_TYPE_ANY && !q->dnssec_ok)
			assert_int_equal(answer.ancount,
				count_asked(ldns_pkt_answer(theirs),
					ldns_rr_list_rr(ldns_pkt_question(theirs), 0)));
		ldns_pkt_free(ours);
	}
	ldns_pkt_free(theirs);
	return compared;
}

static void build_mixed(void)
{
	build_reply(&b, 0, "Www.example.com", DNS_TYPE_ANY);
	build_rr(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_A, 300, "\1\2\3\4", 4);
	build_rr(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_AAAA, 300, "0123456789abcdef", 16);
	build_rr(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_MX, 300, "\0\12\2mx\xc0\x10", 7);
	build_rr(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_TXT, 300, "\5hello\0\2ab", 10);
	build_rr(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_SRV, 300,
		"\0\1\0\2\0\3\2Sv\xc0\x0c", 11);
	build_rr(&b, SECTION_ANSWER, "www.example.com", 35, 300, "\0\1\0\2\1u\3SIP\0\1x\xc0\x10",
		15); // NAPTR
	build_rr_name(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_NS, 300, "NS.example.COM");
	build_rr(&b, SECTION_ANSWER, "www.example.com", 14, 300, "\1r\xc0\x10\1e\xc0\x0c", 8);
	build_rr(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_HTTPS, 300, "\0\1\0\0\1\0\3\2h2",
		10);
	build_rr(&b, SECTION_ANSWER, "www.example.com", 65280, 300, "\xc0\x0cxyz", 5);
	build_rr(&b, SECTION_ADDITIONAL, ".", DNS_TYPE_OPT, 0x8000, "", 0);
}

static void build_case(unsigned which)
{
	switch (which) {
	case 0:
		build_mixed();
		return;
	case 1:
		build_reply(&b, 0, "a.example.com", DNS_TYPE_A);
		build_rr(&b, SECTION_ANSWER, "a.example.com", DNS_TYPE_A, 30, "\1\2\3\4", 4);
		build_rr(&b, SECTION_ANSWER, "A.example.com", DNS_TYPE_A, 30, "\1\2\3\5", 4);
		build_rr(&b, SECTION_ANSWER, "b.example.com", DNS_TYPE_A, 30, "\1\2\3\5", 4);
		build_rr_name(&b, SECTION_AUTHORITY, "example.com", DNS_TYPE_NS, 5, "ns.x");
		return;
	case 2:
		build_reply(&b, 0, "a.old.example.com", DNS_TYPE_AAAA);
		build_rr_name(&b, SECTION_ANSWER, "old.example.com", DNS_TYPE_DNAME, 9, "new.org");
		build_rr_name(
			&b, SECTION_ANSWER, "a.old.example.com", DNS_TYPE_CNAME, 9, "a.new.org");
		build_rr_name(
			&b, SECTION_ANSWER, "a.new.org", DNS_TYPE_CNAME, 9, "cdn.example.com");
		build_rr(&b, SECTION_ANSWER, "cdn.example.com", DNS_TYPE_AAAA, 9,
			"0123456789abcdef", 16);
		return;
	default:
		build_reply(&b, which == 3 ? 3 : 0, "no.example.com", DNS_TYPE_A);
		build_rrsig(&b, SECTION_AUTHORITY, "example.com", DNS_TYPE_SOA, 900);
		build_soa(&b, "example.com", 900, 600);
		build_rr(&b, SECTION_AUTHORITY, "example.com", DNS_TYPE_NSEC, 600, "\1z\0\0\1\x40",
			6);
		build_rrsig(&b, SECTION_AUTHORITY, "example.com", DNS_TYPE_NSEC, 600);
	}
}

static void test_replies(void **)
{
	static const unsigned records[] = {10, 2, 4, 4, 4};
	for (unsigned which = 0; which < 5; which++) {
		build_case(which);
		struct dns_query q = build_query(&b, true);
		assert_true(compare(b.buf, b.w.pos, &q));
		assert_int_equal(answer.ancount + answer.nscount, records[which]);
	}
}

static void test_mutated_replies(void **)
{
	unsigned compared = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		build_case(i % 5);
		struct dns_query q = build_query(&b, i % 2);
		size_t cap = b.w.pos + 64, at = DNS_HEADER_LEN + (size_t)q.question_len;
		// The question stays, or nearly nothing would be compared.
		size_t len = at + dns_rand_mutate(&rnd, b.buf + at, b.w.pos - at, cap - at);
		uint8_t *copy = dns_exact_copy(b.buf, len);
		compared += compare(copy, len, &q);
		free(copy);
	}
	assert_true(compared > ROUNDS / 10);
}

static void test_our_replies(void **)
{
	static const enum dns_block_mode modes[] = {DNS_BLOCK_NXDOMAIN, DNS_BLOCK_NULL,
		DNS_BLOCK_NODATA, DNS_BLOCK_REFUSED, DNS_BLOCK_CUSTOM};
	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		uint8_t msg[512];
		uint16_t sum;
		struct dns_query q;
		uint16_t n = dns_query_write(msg, sizeof msg, 7,
			(const uint8_t *)"\3aDs\4Test\0\0\1\0\1", 14, true, true);
		assert_int_equal(dns_query_parse(msg, n, &q), DNS_QUERY_OK);
		const struct dns_block block = {.mode = (uint8_t)modes[i],
			.ttl_s = 60,
			.has = DNS_BLOCK_HAS_V4,
			.v4 = {198, 18, 0, 80}};
		n = dns_reply_blocked(msg, sizeof msg, &q, &block, DNS_EDNS_SIZE, &sum);
		ldns_pkt *pkt = ldns_parse(msg, n);
		assert_non_null(pkt);
		assert_true(ldns_pkt_qr(pkt) && ldns_pkt_ra(pkt) && ldns_pkt_rd(pkt));
		assert_true(ldns_pkt_cd(pkt) && !ldns_pkt_aa(pkt) && !ldns_pkt_ad(pkt));
		assert_true(ldns_pkt_edns(pkt) && ldns_pkt_edns_do(pkt));
		assert_int_equal(ldns_pkt_edns_udp_size(pkt), DNS_EDNS_SIZE);
		assert_int_equal(ldns_pkt_edns_version(pkt), 0);
		assert_int_equal(ldns_pkt_ancount(pkt),
			modes[i] == DNS_BLOCK_NULL || modes[i] == DNS_BLOCK_CUSTOM);
		assert_int_equal(ldns_pkt_nscount(pkt),
			modes[i] == DNS_BLOCK_NXDOMAIN || modes[i] == DNS_BLOCK_NODATA);
		ldns_pkt_free(pkt);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_mutated_replies),
		cmocka_unit_test(test_our_replies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
