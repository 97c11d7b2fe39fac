// SPDX-License-Identifier: BSD-3-Clause

#include "dns_build.h"

static struct dns_build b;
static struct dns_answer answer;

// An upstream that compresses the name in an SRV: ours must be whole, and so must an MX's be right.
TEST(test_names_in_rdata)
{
	build_reply(&b, 0, "_x._tcp.example.com", DNS_TYPE_SRV);
	build_rr(&b, SECTION_ANSWER, "_x._tcp.example.com", DNS_TYPE_SRV, 300,
		"\0\1\0\2\0\3\2Sv\xc0\x14", 11); // 0x14: example.com in the question
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.len, 12 + 6 + 16);
	assert_memory_equal(answer.bytes + 18, "\2Sv\7example\3com", 16);

	build_reply(&b, 0, "example.com", DNS_TYPE_MX);
	size_t at = build_begin(&b, SECTION_ANSWER, "example.com", DNS_TYPE_MX, 300);
	wr_u16(&b.w, 10);
	build_name(&b, "mail.example.com");
	build_end(&b, at);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
	assert_int_equal(answer.len, 12 + 2 + 5 + 2);
	assert_memory_equal(answer.bytes + 12, "\0\12\4mail\xc0\x0c", 9);
}

TEST(test_malformed_rdata)
{
	static const struct {
		uint16_t type;
		const char *rdata;
		size_t len;
	} bad[] = {
		{DNS_TYPE_A, "\1\2\3", 3},
		{DNS_TYPE_A, "\1\2\3\4\5", 5},
		{DNS_TYPE_AAAA, "\1\2\3\4", 4},
		{DNS_TYPE_NS, "\3www", 4},
		{DNS_TYPE_NS, "\1a\0x", 4},
		{DNS_TYPE_MX, "\0", 1},
		{DNS_TYPE_TXT, "\4abc", 4},
		{DNS_TYPE_SRV, "\0\0\0\0\0\0", 6},
		{DNS_TYPE_SOA, "\0\0serial.refresh.retry.ex", 21},
		{DNS_TYPE_RRSIG, "\0\1", 2},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		build_reply(&b, 0, "example.com", bad[i].type);
		build_rr(&b, SECTION_ANSWER, "example.com", bad[i].type, 300, bad[i].rdata,
			bad[i].len);
		assert_int_equal(build_read(&b, &build_wide, false, &answer), -EBADMSG);
	}
	build_reply(&b, 0, "example.com", DNS_TYPE_TXT);
	build_rr(&b, SECTION_ANSWER, "example.com", DNS_TYPE_TXT, 300, "\3abc\0\1x", 7);
	assert_int_equal(build_read(&b, &build_wide, false, &answer), 0);
}

// Pointers in the reply that, decompressed, exceed what a message can hold.
TEST(test_too_long_when_decompressed)
{
	char name[256];
	memset(name, 'x', sizeof(name));
	name[63] = name[127] = name[191] = '.';
	build_reply(&b, 0, "example.com", DNS_TYPE_SRV);
	size_t at = build_begin(&b, SECTION_ANSWER, "example.com", DNS_TYPE_SRV, 300);
	wr_bytes(&b.w, "\0\0\0\0\0\0", 6);
	size_t target = b.w.pos;
	struct dns_name long_name;
	assert_int_equal(dns_name_from_text(name, 253, &long_name), 0);
	wr_bytes(&b.w, long_name.wire, long_name.len);
	build_end(&b, at);
	for (unsigned i = 1; i < 1000; i++) {
		at = build_begin(&b, SECTION_ANSWER, "example.com", DNS_TYPE_SRV, 300);
		wr_u16(&b.w, (uint16_t)i); // no two alike
		wr_bytes(&b.w, "\0\0\0\0", 4);
		wr_u16(&b.w, (uint16_t)(0xc000 | target));
		build_end(&b, at);
	}
	assert_int_equal(build_read(&b, &build_wide, false, &answer), -E2BIG);
}
