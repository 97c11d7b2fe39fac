// SPDX-License-Identifier: BSD-3-Clause

// The null reply in line against its twin: random questions, options, sizes and rooms; where
// dns_block_line answers, octets and sum must be what dns_reply_synthetic makes of the same, where
// it declines nothing may have been written, and what is plain and fits it may not decline. Rooms
// end where memory does.

#include "../../dataplane/core/dns_block_line.h"
#include "dns_rand.h"
#include "guard.h"

enum { ROUNDS = 100000, ROOM_MOST = 400 };

static struct dns_rand rnd = {17};

static uint32_t below(uint32_t n)
{
	return dns_rand_below(&rnd, n);
}

static void make_query(struct dns_query *q, uint8_t *msg)
{
	static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_AAAA, 65};
	*q = (struct dns_query){
		.id = (uint16_t)dns_rand_next(&rnd),
		.flags = (uint16_t)(below(2) * DNS_FLAG_RD + below(2) * DNS_FLAG_CD
				    + below(2) * DNS_FLAG_AD + below(2) * DNS_FLAG_Z),
		.qtype = types[below(ARRAY_LEN(types))],
		.qclass = below(16) ? DNS_CLASS_IN : DNS_CLASS_ANY,
		.question_len = (uint16_t)(5 + below(60)),
		.udp_size = 512,
	};
	if (below(2)) {
		q->has_opt = below(8) ? DNS_OPT_PLAIN : DNS_OPT_PLAIN | DNS_OPT_COOKIE;
		q->dnssec_ok = below(2);
		q->udp_size = 1232;
	}
	if (below(8) == 0)
		q->udp_size = (uint16_t)below(150);
	put_u16(msg, q->id);
	put_u16(msg + 2, q->flags);
	put_u16(msg + 4, 1);
	put_u32(msg + 6, 0);
	put_u16(msg + 10, q->has_opt != DNS_OPT_NONE);
	for (unsigned i = 0; i < q->question_len; i++)
		msg[DNS_HEADER_LEN + i] = (uint8_t)dns_rand_next(&rnd);
}

// True: answered.
static bool check_once(const struct guard *memory)
{
	unsigned room = 80 + below(ROOM_MOST - 80);
	uint8_t *msg = memory->end - room, twin[ROOM_MOST], was[ROOM_MOST];
	struct dns_query q;
	make_query(&q, msg);
	memcpy(twin, msg, room);
	memcpy(was, msg, room);
	const struct dns_block block = {
		.mode = DNS_BLOCK_NULL, .ttl_s = below(2) ? below(400) : UINT32_MAX - below(400)};
	const int ede = below(2) ? DNS_EDE_BLOCKED : DNS_EDE_NONE;
	const uint16_t limit = below(4) ? 1232 : (uint16_t)below(200);
	uint64_t sum = csum_wide(msg + DNS_HEADER_LEN, q.question_len);
	uint32_t len = dns_block_line(msg, room, &q, block.ttl_s, ede, limit, &sum);
	uint16_t twin_sum = 0;
	uint16_t twin_len = dns_reply_synthetic(twin, room, &q, &block, ede, limit, &twin_sum);
	if (len == 0) {
		bool plain =
			q.qtype != 65 && q.qclass == DNS_CLASS_IN && q.has_opt <= DNS_OPT_PLAIN;
		assert_memory_equal(msg, was, room);
		assert_false(plain && q.udp_size >= 512 && limit == 1232 && room >= 200);
		return false;
	}
	assert_int_equal(twin_len, len);
	assert_memory_equal(msg, twin, len);
	assert_int_equal(csum_fold(sum) % 0xffff, twin_sum % 0xffff);
	return true;
}

static void test_twin(void **)
{
	struct guard memory = guard_open();
	unsigned answered = 0;
	for (unsigned i = 0; i < ROUNDS; i++)
		answered += check_once(&memory);
	assert_in_range(answered, ROUNDS / 4, ROUNDS * 3 / 4);
	guard_close(&memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
