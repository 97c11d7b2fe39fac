// SPDX-License-Identifier: BSD-3-Clause

// HTTPS and SVCB records that lose parameters: which bytes are left; signatures; records that make
// a lost parameter mandatory, and records that have no form.

#include "dns_build.h"

#define TARGET "\1t\7example\0"
#define ALPN   "\0\1\0\3\2h2"
#define PORT   "\0\3\0\2\1\273"
#define HINT4  "\0\4\0\4\300\0\2\1"
#define ECH    "\0\5\0\3abc"
#define HINT6       \
	"\0\6\0\20" \
	"0123456789abcdef"
#define PATH    "\0\7\0\1/"
#define FAR_KEY "\377\5\0\0" // its lowest bits are those of ech

#define BYTES(text) (text), sizeof(text) - 1

static const uint8_t every = DNS_SVC_ECH | DNS_SVC_IPV4HINT | DNS_SVC_IPV6HINT;
static struct dns_build b;
static struct dns_answer answer;

static void read_reply(uint8_t strip, bool dnssec_ok)
{
	const struct dns_answer_rules rules = {
		.max_s = 86400, .negative_s = 3600, .svc_strip = strip};
	assert_int_equal(build_read(&b, &rules, dnssec_ok, &answer), 0);
	assert_int_equal(answer.sum, csum_partial(answer.bytes, answer.len));
}

// RDATA of the n-th record of the answer, as hexadecimal.
static const char *rdata(unsigned n)
{
	static char text[1024];
	struct rd r = rd_init(answer.bytes, answer.len);
	assert_true(n < answer.ancount);
	for (unsigned i = 0;; i++) {
		dns_name_skip(&r);
		rd_skip(&r, 8);
		const uint16_t len = rd_u16(&r);
		const uint8_t *at = rd_bytes(&r, len);
		assert_non_null(at);
		if (i < n)
			continue;
		text[0] = 0;
		for (unsigned k = 0; k < len; k++)
			snprintf(text + 2 * k, 3, "%02x", at[k]);
		return text;
	}
}

static const char *hex(const char *bytes, size_t len)
{
	static char text[1024];
	text[0] = 0;
	for (size_t k = 0; k < len; k++)
		snprintf(text + 2 * k, 3, "%02x", (uint8_t)bytes[k]);
	return text;
}

static void begin(uint16_t type)
{
	build_reply(&b, 0, "www.example.com", type);
}

static void add(uint16_t type, const char *bytes, size_t len)
{
	build_rr(&b, SECTION_ANSWER, "www.example.com", type, 300, bytes, len);
}

TEST(test_what_is_left)
{
	static const struct {
		const char *sent;
		size_t sent_len;
		uint8_t strip;
		const char *left;
		size_t left_len;
	} cases[] = {
		{BYTES("\0\1" TARGET ALPN PORT HINT4 ECH HINT6 PATH FAR_KEY), every,
			BYTES("\0\1" TARGET ALPN PORT PATH FAR_KEY)},
		{BYTES("\0\1" TARGET ALPN HINT4 ECH HINT6), DNS_SVC_ECH,
			BYTES("\0\1" TARGET ALPN HINT4 HINT6)},
		{BYTES("\0\1\0" HINT4 HINT6), DNS_SVC_IPV6HINT, BYTES("\0\1\0" HINT4)},
		{BYTES("\0\1\0" ECH), every, BYTES("\0\1\0")},
		{BYTES("\0\0" TARGET), every, BYTES("\0\0" TARGET)},
		{BYTES("\0\1" TARGET ALPN PORT FAR_KEY), every,
			BYTES("\0\1" TARGET ALPN PORT FAR_KEY)},
		// A parameter that stays may be mandatory.
		{BYTES("\0\1\0\0\0\0\2\0\1" ALPN ECH), every, BYTES("\0\1\0\0\0\0\2\0\1" ALPN)},
		{BYTES("\0\1\0\0\0\0\2\0\4" HINT4 ECH), DNS_SVC_ECH,
			BYTES("\0\1\0\0\0\0\2\0\4" HINT4)},
		// A parameter without a value.
		{BYTES("\0\1\0\0\2\0\0\0\5\0\0"), every, BYTES("\0\1\0\0\2\0\0")},
	};
	static const uint16_t types[] = {DNS_TYPE_HTTPS, DNS_TYPE_SVCB};
	for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
		const size_t k = i / 2;
		begin(types[i % 2]);
		add(types[i % 2], cases[k].sent, cases[k].sent_len);
		read_reply(cases[k].strip, false);
		assert_int_equal(answer.ancount, 1);
		assert_string_equal(rdata(0), hex(cases[k].left, cases[k].left_len));
		assert_int_equal(answer.is_stripped, cases[k].sent_len != cases[k].left_len);
		read_reply(0, false);
		assert_string_equal(rdata(0), hex(cases[k].sent, cases[k].sent_len));
		assert_false(answer.is_stripped);
	}
}

// A compressed target, which is forbidden, is written whole as always.
TEST(test_compressed_target)
{
	begin(DNS_TYPE_HTTPS);
	add(DNS_TYPE_HTTPS, BYTES("\0\1\300\14" ECH PATH));
	read_reply(every, false);
	assert_string_equal(rdata(0), hex(BYTES("\0\1\3www\7example\3com\0" PATH)));
}

TEST(test_left_out)
{
	static const struct {
		const char *sent;
		size_t len;
	} cases[] = {
		// Mandatory: ech; alpn and ipv6hint; half a key; keys that are cut off.
		{BYTES("\0\1\0\0\0\0\2\0\5" ECH)},
		{BYTES("\0\1\0\0\0\0\4\0\1\0\6" ALPN HINT6)},
		{BYTES("\0\1\0\0\0\0\1\0" ALPN)},
		{BYTES("\0\1\0\0\0\0\4\0\1")},
		// Twice, out of order, cut off in the key, the length and the value.
		{BYTES("\0\1\0" ECH ECH)},
		{BYTES("\0\1\0" HINT6 HINT4)},
		{BYTES("\0\1\0" ALPN "\0")},
		{BYTES("\0\1\0" ALPN "\0\5\0")},
		{BYTES("\0\1\0" ALPN "\0\5\0\4abc")},
		{BYTES("\0\1\0" ALPN "\0\5\377\377abc")},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		begin(DNS_TYPE_HTTPS);
		add(DNS_TYPE_HTTPS, cases[i].sent, cases[i].len);
		read_reply(every, false);
		assert_int_equal(answer.ancount, 0);
		assert_int_equal(answer.kind, DNS_ANSWER_NODATA);
		assert_int_equal(answer.ttl_s, 0);
		assert_true(answer.is_stripped);
		// Beside a good one of the set.
		add(DNS_TYPE_HTTPS, BYTES("\0\2\0" ALPN));
		build_rrsig(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_HTTPS, 300);
		read_reply(every, true);
		assert_int_equal(answer.ancount, 1);
		assert_int_equal(answer.kind, DNS_ANSWER_POSITIVE);
		assert_string_equal(rdata(0), hex(BYTES("\0\2\0" ALPN)));
		assert_true(answer.is_stripped);
		read_reply(0, true);
		assert_int_equal(answer.ancount, 3);
	}
}

// A record whose target does not parse spoils an answer, but not where it is left out.
TEST(test_no_target)
{
	const struct dns_answer_rules rules = {.max_s = 9, .svc_strip = every};
	begin(DNS_TYPE_HTTPS);
	add(DNS_TYPE_HTTPS, BYTES("\0\1\5ab"));
	assert_int_equal(build_read(&b, &build_wide, false, &answer), -EBADMSG);
	assert_int_equal(build_read(&b, &rules, false, &answer), 0);
	assert_int_equal(answer.ancount, 0);
	begin(DNS_TYPE_HTTPS);
	add(DNS_TYPE_HTTPS, BYTES("\0"));
	assert_int_equal(build_read(&b, &build_wide, false, &answer), -EBADMSG);
	assert_int_equal(build_read(&b, &rules, false, &answer), 0);
	assert_int_equal(answer.ancount, 0);
}

static unsigned signatures(void)
{
	unsigned count = 0;
	struct rd r = rd_init(answer.bytes, answer.len);
	for (unsigned i = 0; i < answer.ancount; i++) {
		dns_name_skip(&r);
		count += rd_u16(&r) == DNS_TYPE_RRSIG;
		rd_skip(&r, 6);
		rd_skip(&r, rd_u16(&r));
	}
	assert_true(rd_ok(&r));
	return count;
}

TEST(test_signatures)
{
	begin(DNS_TYPE_HTTPS);
	build_cname(&b, "www.example.com", 300, "a.example.com");
	build_rrsig(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_CNAME, 300);
	build_rr(
		&b, SECTION_ANSWER, "a.example.com", DNS_TYPE_HTTPS, 300, BYTES("\0\1\0" ALPN ECH));
	build_rr(&b, SECTION_ANSWER, "a.example.com", DNS_TYPE_HTTPS, 300, BYTES("\0\2\0" ALPN));
	build_rrsig(&b, SECTION_ANSWER, "a.example.com", DNS_TYPE_HTTPS, 300);
	read_reply(0, true);
	assert_int_equal(signatures(), 2);
	// The CNAME's stays.
	read_reply(DNS_SVC_ECH, true);
	assert_int_equal(signatures(), 1);
	assert_int_equal(answer.ancount, 4);
	// Nothing was lost: both hold.
	read_reply(DNS_SVC_IPV4HINT, true);
	assert_int_equal(signatures(), 2);
	assert_false(answer.is_stripped);
}

// Other types of the same name stay, with their signatures.
TEST(test_any)
{
	begin(DNS_TYPE_ANY);
	build_a(&b, "www.example.com", 300, "\1\2\3\4");
	build_rrsig(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_A, 300);
	add(DNS_TYPE_HTTPS, BYTES("\0\1\0" ECH));
	build_rrsig(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_HTTPS, 300);
	add(DNS_TYPE_SVCB, BYTES("\0\1\0" ALPN));
	build_rrsig(&b, SECTION_ANSWER, "www.example.com", DNS_TYPE_SVCB, 300);
	read_reply(every, true);
	assert_int_equal(answer.ancount, 5);
	assert_int_equal(signatures(), 2);
	assert_true(answer.is_stripped);
}
