// SPDX-License-Identifier: BSD-3-Clause
// The text of an extended error.

#include "dns_sum.h"
#include "tests/unit/unit.h"

#include <weir/dns_reply.h>

// A query for a name of one label, parsed into q. Bytes up to the end of its question.
static size_t ask(uint8_t *msg, unsigned label_len, bool has_opt, struct dns_query *q)
{
	static const uint8_t opt[] = {0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0, 0, 0, 0};
	const uint8_t header[DNS_HEADER_LEN] = {0x12, 0x34, 1, 0, [5] = 1, [11] = has_opt};
	const size_t head = sizeof(header) + 2 + label_len + 4;
	memset(msg, 0, head);
	memcpy(msg, header, sizeof(header));
	msg[sizeof(header)] = (uint8_t)label_len;
	memset(msg + sizeof(header) + 1, 'x', label_len);
	put_u16(msg + head - 4, DNS_TYPE_A);
	put_u16(msg + head - 2, DNS_CLASS_IN);
	memcpy(msg + head, opt, sizeof(opt));
	assert_int_equal(dns_query_parse(msg, head + (has_opt ? sizeof(opt) : 0), q), DNS_QUERY_OK);
	return head;
}

static uint16_t servfail(uint8_t *msg, const struct dns_query *q, int ede, uint16_t *sum)
{
	return dns_reply_rcode(msg, 1500, q, DNS_RCODE_SERVFAIL, ede, sum);
}

static const char text[] = "limits.zone_inflight reached";
enum { TEXT_LEN = sizeof(text) - 1 };

// Option and OPT have its length, and the sum covers it, at odd and even places.
TEST(test_is_in_option_and_sum)
{
	uint8_t msg[1500];
	struct dns_query q;
	uint16_t sum;
	for (unsigned label_len = 1; label_len < 4; label_len++) {
		const size_t head = ask(msg, label_len, true, &q);
		uint16_t len = servfail(msg, &q, DNS_EDE_OTHER, &sum);
		assert_int_equal(
			dns_reply_ede_text(msg, sizeof(msg), &q, text, 1232, &len, &sum), TEXT_LEN);
		assert_int_equal(len, head + 17 + TEXT_LEN);
		assert_int_equal(get_u16(msg + head + 9), 6 + TEXT_LEN);
		assert_memory_equal(msg + head + 11, "\0\x0f\0\x1e\0\0", 6);
		assert_memory_equal(msg + head + 17, text, TEXT_LEN);
		assert_int_equal(sum, sum_by_bytes(msg, len));
		assert_true(dns_reply_tells_ede(msg, len, TEXT_LEN, DNS_EDE_OTHER));
		assert_false(dns_reply_tells_ede(msg, len, 0, DNS_EDE_OTHER));
	}
}

// A byte short of room in the client's size, in weir's, or in the buffer: left out.
TEST(test_is_left_out_without_room)
{
	uint8_t msg[1500];
	struct dns_query q;
	uint16_t sum;
	const uint16_t whole = (uint16_t)(ask(msg, 5, true, &q) + 17 + TEXT_LEN);
	for (unsigned less = 0; less < 3; less++) {
		uint16_t len = servfail(msg, &q, DNS_EDE_OTHER, &sum);
		const uint16_t before = len, sum_before = sum;
		q.udp_size = less == 0 ? whole - 1 : whole;
		const uint16_t limit = less == 1 ? whole - 1 : whole;
		const size_t cap = less == 2 ? whole - 1u : whole;
		assert_int_equal(dns_reply_ede_text(msg, cap, &q, text, limit, &len, &sum), 0);
		assert_int_equal(len, before);
		assert_int_equal(sum, sum_before);
		// A stream has no size.
		assert_int_equal(
			dns_reply_ede_text(msg, cap, &q, text, DNS_MESSAGE_MAX, &len, &sum),
			less == 2 ? 0 : TEXT_LEN);
	}
	uint16_t len = servfail(msg, &q, DNS_EDE_OTHER, &sum);
	assert_int_equal(dns_reply_ede_text(msg, whole, &q, text, whole, &len, &sum), TEXT_LEN);
}

TEST(test_is_for_an_error_alone)
{
	uint8_t msg[1500];
	struct dns_query q;
	uint16_t sum;
	(void)ask(msg, 5, false, &q);
	uint16_t len = servfail(msg, &q, DNS_EDE_OTHER, &sum);
	assert_int_equal(dns_reply_ede_text(msg, sizeof(msg), &q, text, 1232, &len, &sum), 0);
	(void)ask(msg, 5, true, &q);
	len = servfail(msg, &q, DNS_EDE_NONE, &sum);
	assert_int_equal(dns_reply_ede_text(msg, sizeof(msg), &q, text, 1232, &len, &sum), 0);
}
