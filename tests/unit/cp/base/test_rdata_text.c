// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/base/rdata_text.h"
#include "tests/unit/unit.h"

#include <weir/attr.h>

// A message with the question "a.example. A" and one record of that name (compressed).
static size_t message(uint8_t *out, uint16_t type, const void *rdata, uint16_t rdlen)
{
	struct wr w = wr_init(out, 4096);
	static const uint8_t head[] = {0, 1, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, 'a', 7, 'e',
		'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1};
	wr_bytes(&w, head, sizeof(head));
	wr_u16(&w, 0xc00c);
	wr_u16(&w, type);
	wr_u16(&w, 1);
	wr_u32(&w, 300);
	wr_u16(&w, rdlen);
	wr_bytes(&w, rdata, rdlen);
	assert_true(wr_ok(&w));
	return w.pos;
}

#define RDATA(type, text, bytes)                     \
	{                                            \
		type, text, bytes, sizeof(bytes) - 1 \
	}
static const struct {
	uint16_t type;
	const char *text, *rdata;
	uint16_t len;
} records[] = {
	RDATA(1, "198.18.255.80", "\xc6\x12\xff\x50"),
	RDATA(28, "fd53::53", "\xfd\x53\0\0\0\0\0\0\0\0\0\0\0\0\0\x53"),
	RDATA(5, "b.example.", "\1b\xc0\x0e"), RDATA(2, ".", "\0"),
	RDATA(15, "10 mail.a.example.", "\0\x0a\4mail\xc0\x0c"),
	RDATA(33, "1 2 443 a.example.", "\0\1\0\2\1\xbb\xc0\x0c"),
	RDATA(16, "\"v=1\" \"\\\"\\\\\\007\\195\"", "\3v=1\4\"\\\x07\xc3"), RDATA(16, "\"\"", "\0"),
	RDATA(6, "a.example. h.a.example. 1 2 3 4 5",
		"\xc0\x0c\1h\xc0\x0c\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"),
	RDATA(65, "\\# 3 000100", "\0\1\0"), RDATA(65280, "\\# 0 ", ""),
	RDATA(1, "\\# 5 c612ff5001", "\xc6\x12\xff\x50\x01"), // one byte too many
	RDATA(5, "\\# 2 c0ff", "\xc0\xff"),                   // points past the end
	RDATA(16, "\\# 2 0541", "\5A"),                       // string longer than its record
};

TEST(test_records)
{
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		uint8_t buf[4096];
		char name[DNS_NAME_TEXT_MAX];
		size_t len = message(buf, records[i].type, records[i].rdata, records[i].len);
		struct rd msg = rd_init(buf, len);
		struct rdata_record r;
		uint16_t ancount;
		assert_true(rdata_answer_begin(&msg, &ancount));
		assert_int_equal(ancount, 1);
		assert_true(rdata_record_read(&msg, &r));
		assert_string_equal(r.data, records[i].text);
		assert_string_equal(dns_name_to_text(&r.name, name), "a.example");
		assert_int_equal(r.type, records[i].type);
		assert_int_equal(r.ttl_s, 300);
		assert_int_equal(msg.pos, len);

		for (size_t cut = 0; cut < len; cut++) {
			msg = rd_init(buf, cut);
			assert_false(
				rdata_answer_begin(&msg, &ancount) && rdata_record_read(&msg, &r));
		}
	}
}

TEST(test_too_long)
{
	static uint8_t rdata[3000], buf[4096];
	struct rd msg = rd_init(buf, message(buf, 65280, rdata, sizeof(rdata)));
	struct rdata_record r;
	uint16_t ancount;
	assert_true(rdata_answer_begin(&msg, &ancount));
	assert_true(rdata_record_read(&msg, &r));
	assert_int_equal(strlen(r.data), RDATA_TEXT_MAX - 1);
	assert_string_equal(r.data + RDATA_TEXT_MAX - 5, "0...");
}

TEST(test_words)
{
	char text[DNS_TYPE_TEXT_MAX];
	assert_string_equal(dns_type_text(65, text), "HTTPS");
	assert_string_equal(dns_type_text(65535, text), "TYPE65535");
	assert_string_equal(dns_rcode_text(3), "NXDOMAIN");
	assert_string_equal(dns_rcode_text(6), "YXDOMAIN");
	assert_string_equal(dns_rcode_text(9), "NOTAUTH");
	assert_string_equal(dns_rcode_text(11), "RCODE");
	assert_string_equal(dns_rcode_text(4000), "RCODE");

	static const char *const none[] = {
		"", "TYPE", "0", "65536", "100000", "1x", "AAAAA", "TYPE-1", "+1", " 1"};
	uint16_t type = 7;
	assert_true(dns_type_from_text("https", &type) && type == 65);
	assert_true(dns_type_from_text("type65535", &type) && type == 65535);
	assert_true(dns_type_from_text("28", &type) && type == 28);
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_false(dns_type_from_text(none[i], &type));
}

TEST(test_rcodes)
{
	static const char *const bad[] = {"", "NX", "-1", "4096", "99999", "3 ", "RCODE"};
	uint16_t rcode;
	assert_true(rdata_rcode_from_text("nxdomain", &rcode) && rcode == 3);
	assert_true(rdata_rcode_from_text("4095", &rcode) && rcode == 4095);
	assert_string_equal(dns_rcode_text(5), "REFUSED");
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		if (rdata_rcode_from_text(bad[i], &rcode))
			fail_msg("taken: '%s'", bad[i]);
}
