// SPDX-License-Identifier: BSD-3-Clause

// The replies for blocked names in line against their twin: random modes, questions, options, TTLs,
// sizes, limits and rooms, these often within some bytes of what the reply takes; where
// dns_block_fast answers, bytes and sum must be what dns_reply_synthetic makes of the same, where
// it declines nothing may have been written, and what is plain and fits it may not decline. Rooms
// end where memory does.

#include "dataplane/core/dns/dns_block_fast.h"
#include "dns_rand.h"
#include "tests/unit/guard.h"

enum { ROUNDS = 400000, ROOM_MOST = 400, QUESTION_LEAST = 5, QUESTION_MOST = 64 };

// What came of all rounds.
struct tally {
	unsigned answered[DNS_BLOCK_MODES + 1];    // of each mode, and one that there is not
	unsigned full_size, full_limit, full_room; // to the last byte
};

static struct dns_rand rnd = {17};

static uint32_t below(uint32_t n)
{
	return dns_rand_below(&rnd, n);
}

// About where a reply to a question of this length ends; else `large`.
static uint16_t near_end(const struct dns_query *q, uint16_t large)
{
	enum { LEAST = 12, SPREAD = 80 }; // the record, and all that there may be behind it
	if (below(4))
		return large;
	return (uint16_t)(DNS_HEADER_LEN + q->question_len + LEAST + below(SPREAD));
}

static void make_query(struct dns_query *q)
{
	static const uint16_t types[] = {DNS_TYPE_A, DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_AAAA,
		DNS_TYPE_HTTPS, DNS_TYPE_SOA, DNS_TYPE_ANY};
	*q = (struct dns_query){
		.id = (uint16_t)dns_rand_next(&rnd),
		.flags = (uint16_t)(below(2) * DNS_FLAG_RD + below(2) * DNS_FLAG_CD
				    + below(2) * DNS_FLAG_AD + below(2) * DNS_FLAG_Z),
		.qtype = types[below(ARRAY_LEN(types))],
		.qclass = below(16) ? DNS_CLASS_IN : DNS_CLASS_ANY,
		.question_len =
			(uint16_t)(QUESTION_LEAST + below(QUESTION_MOST - QUESTION_LEAST + 1)),
	};
	if (below(2)) {
		q->has_opt = below(8) ? DNS_OPT_PLAIN : DNS_OPT_PLAIN | DNS_OPT_COOKIE;
		q->dnssec_ok = below(2);
	}
	q->udp_size = near_end(q, q->has_opt ? 1232 : 512);
}

static void write_query(uint8_t *msg, const struct dns_query *q)
{
	put_u16(msg, q->id);
	put_u16(msg + 2, q->flags);
	put_u16(msg + 4, 1);
	put_u32(msg + 6, 0);
	put_u16(msg + 10, q->has_opt != DNS_OPT_NONE);
	for (unsigned i = 0; i < q->question_len; i++)
		msg[DNS_HEADER_LEN + i] = (uint8_t)dns_rand_next(&rnd);
}

static struct dns_block make_block(void)
{
	struct dns_block block = {
		.mode = (uint8_t)below(DNS_BLOCK_MODES + 1),
		.has = (uint8_t)below(4),
	};
	const uint32_t from[] = {0, 0xff00, DNS_TTL_MAX - 200, UINT32_MAX - 400};
	block.ttl_s = from[below(ARRAY_LEN(from))] + below(400);
	for (unsigned i = 0; i < sizeof(block.v6); i++)
		block.v4[i % 4] = block.v6[i] = (uint8_t)dns_rand_next(&rnd);
	return block;
}

static void check_once(const struct guard *memory, struct tally *tally)
{
	static const int errors[] = {DNS_EDE_NONE, DNS_EDE_BLOCKED, DNS_EDE_FILTERED};
	struct dns_query q;
	make_query(&q);
	const struct dns_block block = make_block();
	const unsigned mode = block.mode;
	const int ede = errors[below(ARRAY_LEN(errors))];
	const uint16_t room = near_end(&q, ROOM_MOST);
	const uint16_t limit = below(8) ? near_end(&q, 1232) : DNS_MESSAGE_MAX;
	uint8_t *msg = memory->end - room, twin[ROOM_MOST], was[ROOM_MOST];
	memset(msg, 0x5a, room);
	write_query(msg, &q);
	memcpy(twin, msg, room);
	memcpy(was, msg, room);
	uint64_t sum = csum_wide(msg + DNS_HEADER_LEN, q.question_len);
	uint32_t len = dns_block_fast(msg, room, &q, mode, block.ttl_s, ede, limit, &sum);
	uint16_t twin_sum = 0;
	uint16_t twin_len = dns_reply_synthetic(twin, room, &q, &block, ede, limit, &twin_sum);
	if (len == 0) {
		bool plain = mode <= DNS_BLOCK_NODATA && q.qclass == DNS_CLASS_IN
			     && q.has_opt <= DNS_OPT_PLAIN;
		bool whole = !(get_u16(twin + 2) & DNS_FLAG_TC) && limit != DNS_MESSAGE_MAX;
		bool wide = room >= DNS_HEADER_LEN + q.question_len + DNS_BLOCK_WRITTEN;
		assert_memory_equal(msg, was, room);
		assert_false(plain && whole && wide);
		return;
	}
	assert_int_equal(twin_len, len);
	assert_memory_equal(msg, twin, len);
	assert_int_equal(csum_fold(sum) % 0xffff, twin_sum % 0xffff);
	tally->answered[mode]++;
	tally->full_size += len == q.udp_size;
	tally->full_limit += len == limit;
	tally->full_room += len == room;
}

TEST(test_twin)
{
	struct guard memory = guard_open();
	struct tally tally = {0};
	for (unsigned i = 0; i < ROUNDS; i++)
		check_once(&memory, &tally);
	for (unsigned mode = 0; mode <= DNS_BLOCK_MODES; mode++) {
		unsigned asked = ROUNDS / (DNS_BLOCK_MODES + 1);
		bool is_in_line = mode <= DNS_BLOCK_NODATA;
		assert_in_range(
			tally.answered[mode], is_in_line ? asked / 4 : 0, is_in_line ? asked : 0);
	}
	assert_true(tally.full_size > 100 && tally.full_limit > 100 && tally.full_room > 100);
	guard_close(&memory);
}
