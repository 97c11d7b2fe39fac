// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/core/dns/dns_records.h"
#include "dns_build.h"

static const struct dns_answer_rules wide = {.min_s = 0, .max_s = 86400, .negative_s = 3600};
static struct dns_build b;
static struct dns_answer answer;

TEST(test_question_must_match)
{
	build_reply(&b, 0, "a.example.com", DNS_TYPE_HTTPS);
	struct dns_query q = build_query(&b, false);
	const uint8_t *question = b.buf + DNS_HEADER_LEN;
	uint8_t asked[64];
	memcpy(asked, question, q.question_len);
	assert_true(dns_answer_matches(b.buf, b.w.pos, 0x4711, asked, q.question_len, true));
	assert_false(dns_answer_matches(b.buf, b.w.pos, 0x4712, asked, q.question_len, true));
	assert_false(dns_answer_matches(b.buf, b.w.pos - 1, 0x4711, asked, q.question_len, true));
	asked[1] = 'A';
	assert_false(dns_answer_matches(b.buf, b.w.pos, 0x4711, asked, q.question_len, true));
	assert_true(dns_answer_matches(b.buf, b.w.pos, 0x4711, asked, q.question_len, false));
	asked[q.question_len - 3] = 'a'; // type 97 is not type 65
	assert_false(dns_answer_matches(b.buf, b.w.pos, 0x4711, asked, q.question_len, false));

	// Any one bit of id, QR, opcode, QDCOUNT or question changed: refused by both.
	memcpy(asked, question, q.question_len);
	for (size_t bit = 0; bit < b.w.pos * 8; bit++) {
		size_t at = bit / 8;
		bool counts = at < 2 || (at == 2 && bit % 8 >= 3) || at == 4 || at == 5 || at >= 12;
		b.buf[at] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(
			dns_answer_matches(b.buf, b.w.pos, 0x4711, asked, q.question_len, true),
			!counts);
		if (counts && at >= 2 && !(at >= 12 && bit % 8 == 5)) // bit 5: the letter case
			assert_int_equal(
				dns_answer_read(b.buf, b.w.pos, &q, &wide, &answer), -EBADMSG);
		b.buf[at] ^= (uint8_t)(1u << bit % 8);
	}
}

TEST(test_query_write)
{
	static const uint8_t question[] = "\3WwW\0\0\1\0\1";
	uint8_t msg[64];
	struct dns_query q;
	uint16_t len = dns_query_write(msg, sizeof(msg), 0xabcd, question, 9, true, true);
	assert_int_equal(len, 12 + 9 + 11);
	assert_memory_equal(msg + 12, question, 9);
	assert_int_equal(dns_query_parse(msg, len, &q), DNS_QUERY_OK);
	assert_int_equal(q.id, 0xabcd);
	assert_int_equal(q.flags, DNS_FLAG_RD | DNS_FLAG_CD);
	assert_true(q.dnssec_ok);
	assert_int_equal(q.udp_size, DNS_EDNS_SIZE);
	assert_int_equal(dns_query_write(msg, len - 1u, 1, question, 9, true, true), 0);
	len = dns_query_write(msg, len, 1, question, 9, false, false);
	assert_int_equal(dns_query_parse(msg, len, &q), DNS_QUERY_OK);
	assert_int_equal(q.flags, DNS_FLAG_RD);
	assert_false(q.dnssec_ok);
}

// The longest message there is, and one byte more.
TEST(test_lengths_of_messages)
{
	static uint8_t msg[DNS_MESSAGE_MAX + 1];
	static struct dns_records records;
	assert_int_equal(dns_records_read(msg, DNS_MESSAGE_MAX, DNS_HEADER_LEN, &records), 0);
	assert_int_equal(
		dns_records_read(msg, DNS_MESSAGE_MAX + 1, DNS_HEADER_LEN, &records), -EBADMSG);
	assert_int_equal(dns_records_read(msg, DNS_HEADER_LEN, DNS_HEADER_LEN, &records), 0);
	assert_int_equal(
		dns_records_read(msg, DNS_HEADER_LEN - 1, DNS_HEADER_LEN, &records), -EBADMSG);
}
