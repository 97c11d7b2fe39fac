// SPDX-License-Identifier: BSD-3-Clause

// Differential test: what our readers see of a message must be what libldns sees (ldns_twin.h).

#include "dns_build.h"
#include "tests/oracle/ldns_twin.h"

#include <ldns/ldns.h>

enum { ROUNDS = 40000 };

static struct dns_build b;
static struct dns_answer answer;
static struct dns_rand rnd = {11};

static void build_mixed(void)
{
	build_reply(&b, 0, "Www.example.com", DNS_TYPE_ANY);
	build_a(&b, "www.example.com", 300, "\1\2\3\4");
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
		build_a(&b, "a.example.com", 30, "\1\2\3\4");
		build_a(&b, "A.example.com", 30, "\1\2\3\5");
		build_a(&b, "b.example.com", 30, "\1\2\3\5");
		build_rr_name(&b, SECTION_AUTHORITY, "example.com", DNS_TYPE_NS, 5, "ns.x");
		return;
	case 2:
		build_reply(&b, 0, "a.old.example.com", DNS_TYPE_AAAA);
		build_dname(&b, "old.example.com", 9, "new.org");
		build_cname(&b, "a.old.example.com", 9, "a.new.org");
		build_cname(&b, "a.new.org", 9, "cdn.example.com");
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

TEST(test_replies)
{
	static const unsigned records[] = {10, 2, 4, 4, 4};
	for (unsigned which = 0; which < 5; which++) {
		build_case(which);
		struct dns_query q = build_query(&b, true);
		assert_true(ldns_twin_reply(b.buf, b.w.pos, &q, &answer));
		assert_int_equal(answer.ancount + answer.nscount, records[which]);
	}
}

TEST(test_mutated_replies)
{
	unsigned compared = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		build_case(i % 5);
		struct dns_query q = build_query(&b, i % 2);
		size_t cap = b.w.pos + 64, at = DNS_HEADER_LEN + (size_t)q.question_len;
		// The question stays, or nearly nothing would be compared.
		size_t len = at + dns_rand_mutate(&rnd, b.buf + at, b.w.pos - at, cap - at);
		uint8_t *copy = dns_exact_copy(b.buf, len);
		compared += ldns_twin_reply(copy, len, &q, &answer);
		free(copy);
	}
	assert_true(compared > ROUNDS / 10);
}

TEST(test_our_replies)
{
	static const enum dns_block_mode modes[] = {DNS_BLOCK_NXDOMAIN, DNS_BLOCK_NULL,
		DNS_BLOCK_NODATA, DNS_BLOCK_REFUSED, DNS_BLOCK_CUSTOM, DNS_BLOCK_SERVFAIL};
	for (unsigned i = 0; i < ARRAY_LEN(modes); i++) {
		uint8_t msg[512];
		uint16_t sum;
		struct dns_query q;
		uint16_t n = dns_query_write(msg, sizeof(msg), 7,
			(const uint8_t *)"\3aDs\4Test\0\0\1\0\1", 14, true, true);
		assert_int_equal(dns_query_parse(msg, n, &q), DNS_QUERY_OK);
		const struct dns_block block = {.mode = (uint8_t)modes[i],
			.ttl_s = 60,
			.has = DNS_BLOCK_HAS_V4,
			.v4 = {198, 18, 0, 80}};
		n = dns_reply_synthetic(
			msg, sizeof(msg), &q, &block, DNS_EDE_BLOCKED, DNS_EDNS_SIZE, &sum);
		ldns_pkt *pkt = NULL;
		assert_int_equal(ldns_wire2pkt(&pkt, msg, n), LDNS_STATUS_OK);
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

// With an OPT that holds a cookie and padding, and the result.
TEST(test_mutated_queries)
{
	static const uint8_t options[] = "\0\12\0\10cookie..\0\14\0\4\0\0\0";
	unsigned compared = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t msg[256];
		uint16_t n = dns_query_write(msg, sizeof(msg), 7,
			(const uint8_t *)"\3wWw\7example\3com\0\0\34\0\1", 21, i % 3, i % 2);
		put_u16(msg + n - 2, sizeof(options));
		memcpy(msg + n, options, sizeof(options));
		size_t len = n + sizeof(options);
		if (i > 0)
			len = dns_rand_mutate(&rnd, msg, len, sizeof(msg));
		uint8_t *copy = dns_exact_copy(msg, len);
		compared += ldns_twin_query(copy, len);
		free(copy);
		assert_true(compared > 0); // the first is whole
	}
	assert_true(compared > ROUNDS / 10);
}

TEST(test_names)
{
	unsigned compared = 0;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t wire[260], *at = wire;
		for (unsigned labels = dns_rand_below(&rnd, 6); labels > 0; labels--) {
			uint8_t n = (uint8_t)(1 + dns_rand_below(&rnd, i % 8 ? 8 : 48));
			*at++ = n;
			while (n-- > 0)
				*at++ = (uint8_t)dns_rand_next(&rnd);
		}
		*at++ = 0;
		assert_true(ldns_twin_name(wire, (size_t)(at - wire)));
		char text[40];
		size_t len = dns_rand_below(&rnd, sizeof(text));
		for (size_t k = 0; k < len; k++) // mostly what means something in a name
			text[k] = "ab.\\059-_~"[dns_rand_below(&rnd, 10)];
		compared += ldns_twin_text(text, len);
	}
	assert_true(compared > ROUNDS / 50);
}
