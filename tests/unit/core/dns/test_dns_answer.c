// SPDX-License-Identifier: BSD-3-Clause

#include "dns_build.h"

static struct dns_build b;
static struct dns_answer answer;

static const char *print(void)
{
	return build_print(&b, &answer);
}

TEST(test_positive)
{
	build_reply(&b, 0, "WWW.Example.com", DNS_TYPE_A);
	build_a(&b, "www.example.com", 300, "\1\2\3\4");
	build_a(&b, "www.example.com", 200, "\1\2\3\5");
	build_a(&b, "evil.example.org", 1, "\6\6\6\6");
	build_rr(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_AAAA, 1, "0123456789abcdef", 16);
	build_rr_name(&b, SECTION_AUTHORITY, "example.com", DNS_TYPE_NS, 5, "ns1.example.com");
	build_soa(&b, "example.com", 5, 5);
	build_rr(&b, SECTION_ADDITIONAL, "ns1.example.com", DNS_TYPE_A, 5, "\6\6\6\6", 4);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
	assert_int_equal(answer.ttl_s, 200);
	assert_int_equal(answer.auth_ttl_s, 200);
	assert_int_equal(answer.nscount, 0);
	assert_string_equal(print(), "www.example.com 200 1 [4]\nwww.example.com 200 1 [4]\n");
	assert_int_equal(answer.len, 32); // owners are c00c
	assert_memory_equal(answer.bytes, "\xc0\x0c\0\1\0\1\0\0\0\xc8\0\4\1\2\3\4", 16);
}

// Asked for themselves all of a name's are kept, and one that came twice is returned once.
TEST(test_aliases_that_came_twice)
{
	static const uint16_t types[] = {DNS_TYPE_CNAME, DNS_TYPE_ANY, DNS_TYPE_A};
	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		build_reply(&b, 0, "a.example", types[i]);
		build_cname(&b, "a.example", 60, "b.example");
		build_cname(&b, "a.example", 60, "b.example");
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_int_equal(answer.ancount, 1);
		assert_string_equal(print(), "a.example 60 5 b.example\n");
	}
}

TEST(test_negative_ttl)
{
	static const struct {
		uint32_t soa_ttl, minimum, auth, stored;
	} cases[] = {
		{900, 60, 60, 60},
		{60, 900, 60, 60},
		{86400, 86400, 86400, 3600},
		{0, 60, 0, 0},
		{0x80000001, 60, 60, 60}, // RFC 8767 4: large, not 0
		{60, 0x80000001, 60, 60},
		{0x80000001, 0xffffffff, DNS_TTL_MAX, 3600},
	};
	const struct dns_answer_rules limits = {.min_s = 300, .max_s = 86400, .negative_s = 3600};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned rcode = 0; rcode <= 3; rcode += 3) {
			build_reply(&b, rcode, "no.example.com", DNS_TYPE_A);
			build_soa(&b, "example.com", cases[i].soa_ttl, cases[i].minimum);
			assert_int_equal(build_read(&b, &limits, false, &answer), 0);
			assert_int_equal(
				answer.kind, rcode ? DNS_ANSWER_NXDOMAIN : DNS_ANSWER_NODATA);
			assert_int_equal(answer.rcode, rcode);
			assert_int_equal(answer.auth_ttl_s, cases[i].auth);
			assert_int_equal(answer.ttl_s, cases[i].stored);
			struct rd r = rd_init(answer.bytes + answer.ttl_off[0], 4);
			assert_int_equal(rd_u32(&r), cases[i].stored);
			assert_int_equal(answer.nscount, 1);
		}
}

TEST(test_negative_without_soa)
{
	build_reply(&b, 0, "no.example.com", DNS_TYPE_A);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_NODATA);
	assert_int_equal(answer.ttl_s, 0);
	assert_int_equal(answer.auth_ttl_s, 0);
	assert_int_equal(answer.len, 0);
	assert_int_equal(answer.sum, 0);

	build_reply(&b, 3, "no.example.com", DNS_TYPE_A); // a zone that is not above the name
	build_soa(&b, "example.org", 10, 10);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.nscount, 0);
	assert_int_equal(answer.ttl_s, 0);
}

// RFC 2181 5.2: the least of each set, and of each set its own.
TEST(test_one_ttl_in_a_set)
{
	build_reply(&b, 0, "www.example.com", DNS_TYPE_A);
	build_cname(&b, "www.example.com", 900, "a.cdn.net");
	build_a(&b, "a.cdn.net", 300, "\1\2\3\4");
	build_a(&b, "A.cdn.net", 100, "\1\2\3\5");
	build_a(&b, "a.cdn.net", 200, "\1\2\3\6");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.ttl_s, 100);
	assert_string_equal(print(), "www.example.com 900 5 a.cdn.net\na.cdn.net 100 1 [4]\n"
				     "a.cdn.net 100 1 [4]\na.cdn.net 100 1 [4]\n");
}

TEST(test_negative_behind_a_chain)
{
	build_reply(&b, 3, "www.example.com", DNS_TYPE_A);
	build_cname(&b, "www.example.com", 30, "gone.cdn.net");
	build_soa(&b, "cdn.net", 900, 600);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_NXDOMAIN);
	assert_int_equal(answer.ttl_s, 30);
	assert_string_equal(print(), "www.example.com 30 5 gone.cdn.net\n"
				     "cdn.net 600 6 [33]\n");
}

TEST(test_referral_is_no_answer)
{
	build_reply(&b, 0, "www.example.com", DNS_TYPE_A);
	build_rr_name(&b, SECTION_AUTHORITY, "com", DNS_TYPE_NS, 30, "a.gtld.net");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_FAILURE);
	assert_int_equal(answer.rcode, DNS_RCODE_SERVFAIL);
	assert_int_equal(answer.len, 0);
	build_soa(&b, "example.com", 900, 600);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_NODATA);
}

TEST(test_ttl_limits)
{
	const struct dns_answer_rules limits = {.min_s = 300, .max_s = 3600, .negative_s = 60};
	build_reply(&b, 0, "www.example.com", DNS_TYPE_A);
	build_cname(&b, "www.example.com", 5, "b.example.com");
	build_cname(&b, "b.example.com", 700, "c.example.com");
	build_cname(&b, "c.example.com", 604800, "d.example.com");
	build_a(&b, "d.example.com", 0xffffffff, "\1\2\3\7");
	assert_int_equal(build_read(&b, &limits, false, &answer), 0);
	assert_int_equal(answer.auth_ttl_s, 5);
	assert_int_equal(answer.ttl_s, 300);
	assert_string_equal(print(),
		"www.example.com 300 5 b.example.com\nb.example.com 700 5 c.example.com\n"
		"c.example.com 3600 5 d.example.com\nd.example.com 3600 1 [4]\n");
}

TEST(test_failure_and_truncation)
{
	build_reply(&b, DNS_RCODE_SERVFAIL, "www.example.com", DNS_TYPE_A);
	build_a(&b, "www.example.com", 5, "\1\2\3\4");
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_FAILURE);
	assert_int_equal(answer.rcode, DNS_RCODE_SERVFAIL);
	assert_int_equal(answer.len, 0);
	assert_int_equal(answer.ancount, 0);

	build_reply(&b, 0, "www.example.com", DNS_TYPE_A); // BADVERS: 1 << 4 from the OPT
	build_rr(&b, SECTION_ADDITIONAL, ".", DNS_TYPE_OPT, 1u << 24, "", 0);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_FAILURE);
	assert_int_equal(answer.rcode, DNS_RCODE_BADVERS);
	build_rr(&b, SECTION_ADDITIONAL, ".", DNS_TYPE_OPT, 0, "", 0);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), -EBADMSG);

	build_reply(&b, DNS_FLAG_TC, "www.example.com", DNS_TYPE_A);
	put_u16(b.buf + SECTION_ANSWER, 9); // and none of them is there
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_true(answer.truncated);
	assert_int_equal(answer.kind, DNS_ANSWER_FAILURE);
	assert_int_equal(answer.len, 0);
}

// Of the additional section owners and lengths are read, for the OPT; what data are there reach
// nobody.
TEST(test_bad_names_in_additional_data_reach_nobody)
{
	static const char *const rdata[] = {"\xc0\xff", "\xff\xff", "\xc0\0", "\x3fx", ""};
	static struct dns_answer clean;
	build_reply(&b, 0, "a.example", DNS_TYPE_A);
	build_a(&b, "a.example", 60, "\1\2\3\4");
	assert_int_equal(build_read(&b, &build_wide, false, &clean), 0);
	for (size_t i = 0; i < ARRAY_LEN(rdata); i++) {
		build_reply(&b, 0, "a.example", DNS_TYPE_A);
		build_a(&b, "a.example", 60, "\1\2\3\4");
		build_rr(&b, SECTION_ADDITIONAL, "b.example", DNS_TYPE_NS, 60, rdata[i],
			i < 4 ? 2 : 0);
		assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
		assert_int_equal(answer.arcount, 0);
		assert_int_equal(answer.len, clean.len);
		assert_memory_equal(answer.bytes, clean.bytes, clean.len);
	}
}

TEST(test_dnssec_records)
{
	for (unsigned dnssec_ok = 0; dnssec_ok <= 1; dnssec_ok++) {
		build_reply(&b, 3, "no.example.com", DNS_TYPE_A);
		build_soa(&b, "example.com", 900, 600);
		build_rrsig(&b, SECTION_AUTHORITY, "example.com", DNS_TYPE_SOA, 900);
		build_rr(&b, SECTION_AUTHORITY, "example.com", DNS_TYPE_NSEC, 600, "\1z\0\0\1\x40",
			6);
		build_rrsig(&b, SECTION_AUTHORITY, "example.com", DNS_TYPE_NSEC, 600);
		build_rr(&b, SECTION_AUTHORITY, "h.example.com", DNS_TYPE_NSEC3, 600, "opaque", 6);
		build_rrsig(&b, SECTION_AUTHORITY, "example.com", DNS_TYPE_NS, 600);
		assert_int_equal(build_read(&b, &build_wide, dnssec_ok, &answer), 0);
		assert_int_equal(answer.nscount, dnssec_ok ? 5 : 1);
	}
	for (unsigned dnssec_ok = 0; dnssec_ok <= 1; dnssec_ok++) {
		build_reply(&b, 0, "www.example.com", DNS_TYPE_A);
		build_a(&b, "www.example.com", 300, "\1\2\3\4");
		build_rrsig(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_A, 300);
		build_rrsig(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_AAAA, 300);
		build_rrsig(&b, SECTION_ANSWER, "other.example.com", DNS_TYPE_A, 300);
		build_rr(&b, SECTION_AUTHORITY, "example.com", DNS_TYPE_NSEC, 600, "\1z\0\0\1\x40",
			6);
		assert_int_equal(build_read(&b, &build_wide, dnssec_ok, &answer), 0);
		assert_int_equal(answer.ancount, dnssec_ok ? 2 : 1);
		assert_int_equal(answer.nscount, dnssec_ok ? 1 : 0);
	}
}

TEST(test_any)
{
	build_reply(&b, 0, "example.com", DNS_TYPE_ANY);
	build_a(&b, "example.com", 300, "\1\2\3\4");
	build_rr(&b, SECTION_ANSWER, "example.com", 65280, 300, "\xc0\x0c", 2);
	build_rr_name(&b, SECTION_ANSWER, "example.com", DNS_TYPE_NS, 300, "ns.example.com");
	build_rr(&b, SECTION_ANSWER, "example.com", DNS_TYPE_TSIG, 300, "", 0);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
	assert_string_equal(print(), "example.com 300 1 [4]\nexample.com 300 65280 [2]\n"
				     "example.com 300 2 ns.example.com\n");
	assert_memory_equal(answer.bytes + 16 + 12, "\xc0\x0c", 2); // unknown type: as it came
}

TEST(test_cut_short_anywhere)
{
	build_reply(&b, 0, "a.example.com", DNS_TYPE_A);
	build_cname(&b, "a.example.com", 60, "b.example.com");
	build_a(&b, "b.example.com", 60, "\1\2\3\4");
	build_rr(&b, SECTION_ADDITIONAL, ".", DNS_TYPE_OPT, 0, "", 0);
	struct dns_query q = build_query(&b, false);
	for (size_t len = 0; len < b.w.pos; len++) {
		uint8_t *copy = dns_exact_copy(b.buf, len);
		assert_int_equal(dns_answer_read(copy, len, &q, &build_wide, &answer), -EBADMSG);
		free(copy);
	}
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	wr_bytes(&b.w, "trailing", 8);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
}

TEST(test_more_records_than_bytes)
{
	build_reply(&b, 0, "example.com", DNS_TYPE_A);
	wr_bytes(&b.w, "\xc0\x0c\0\1\0\1\0\0\0\5\0\4\xc0\0\2\1", 16);
	put_u16(b.buf + SECTION_ANSWER, UINT16_MAX);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), -EBADMSG);
	put_u16(b.buf + SECTION_ANSWER, 1);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
}

TEST(test_text_has_a_string)
{
	for (unsigned strings = 0; strings <= 2; strings++) {
		build_reply(&b, 0, "example.com", DNS_TYPE_TXT);
		wr_bytes(&b.w, "\xc0\x0c\0\x10\0\1\0\0\0\5\0", 11);
		wr_u8(&b.w, (uint8_t)strings);
		for (unsigned i = 0; i < strings; i++)
			wr_u8(&b.w, 0);
		put_u16(b.buf + SECTION_ANSWER, 1);
		assert_int_equal(
			build_read(&b, &build_wide, false, &answer), strings ? 0 : -EBADMSG);
	}
}

TEST(test_too_many_records)
{
	for (unsigned n = DNS_ANSWER_RECORDS_MAX; n <= DNS_ANSWER_RECORDS_MAX + 1; n++) {
		build_reply(&b, 0, "example.com", DNS_TYPE_A);
		for (unsigned i = 0; i < n; i++) {
			wr_bytes(&b.w, "\xc0\x0c\0\1\0\1\0\0\0\5\0\4", 12);
			wr_u32(&b.w, i);
		}
		put_u16(b.buf + SECTION_ANSWER, (uint16_t)n);
		assert_int_equal(build_read(&b, &build_wide, false, &answer),
			n == DNS_ANSWER_RECORDS_MAX ? 0 : -E2BIG);
	}
	assert_int_equal(answer.ancount, DNS_ANSWER_RECORDS_MAX);
}
