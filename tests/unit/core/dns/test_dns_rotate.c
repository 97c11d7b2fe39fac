// SPDX-License-Identifier: BSD-3-Clause
// The order of addresses: what moves, what stays, and that the checksum does not.

#include "dns_rand.h"
#include "tests/unit/guard.h"

#include <weir/csum.h>
#include <weir/dns_reply.h>

enum { TURNS = 240, TURNS_APART = 4 };

static struct dns_rand rnd = {3};

// A message whose question has `question` bytes, so that records begin at odd offsets too.
static struct wr begin(uint8_t *msg, size_t cap, size_t question)
{
	struct wr w = wr_init(msg, cap);
	memset(wr_space(&w, DNS_HEADER_LEN + question), 0, DNS_HEADER_LEN + question);
	return w;
}

static void put(struct wr *w, uint8_t *msg, uint16_t owner, uint16_t type, const char *rdata,
	size_t len, uint32_t ttl_s)
{
	wr_u16(w, 0xc000 | owner);
	wr_u16(w, type);
	wr_u16(w, DNS_CLASS_IN);
	wr_u32(w, ttl_s);
	wr_u16(w, (uint16_t)len);
	wr_bytes(w, rdata, len);
	assert_true(wr_ok(w));
	put_u16(msg + 6, (uint16_t)(get_u16(msg + 6) + 1));
}

static void put_a(struct wr *w, uint8_t *msg, uint16_t owner, uint8_t last)
{
	put(w, msg, owner, DNS_TYPE_A, (const char[]){10, 0, 0, (char)last}, 4, 300);
}

// A CNAME of 5 bytes, then four addresses, then a signature: only the addresses move.
TEST(test_alias_first)
{
	for (size_t question = 7; question <= 8; question++) {
		uint8_t before[256], msg[256];
		struct wr w = begin(before, sizeof(before), question);
		put(&w, before, 12, DNS_TYPE_CNAME, "\2ab\xc0\x0c", 5, 60);
		size_t first = w.pos;
		for (uint8_t i = 0; i < 4; i++)
			put_a(&w, before, 31, i);
		size_t behind = w.pos;
		put(&w, before, 31, 46, "not an address, and odd", 23, 60);
		uint16_t sum = csum_partial(before, w.pos);
		unsigned times[TURNS_APART + 1][4] = {0};
		for (uint32_t turn = 0; turn < TURNS; turn++) {
			memcpy(msg, before, w.pos);
			dns_rotate(msg, w.pos, DNS_HEADER_LEN + question, turn);
			assert_memory_equal(msg, before, first);
			assert_memory_equal(msg + behind, before + behind, w.pos - behind);
			const unsigned by = msg[first + 15];
			for (unsigned i = 0; i < 4; i++)
				assert_int_equal(msg[first + 16 * i + 15], (i + by) % 4);
			assert_int_equal(csum_partial(msg, w.pos), sum);
			for (unsigned apart = 1; apart <= TURNS_APART; apart++)
				times[apart][by] += turn % apart == 0;
		}
		// Each comes first as often, also in every second, third or fourth reply.
		for (unsigned apart = 1; apart <= TURNS_APART; apart++)
			for (unsigned i = 0; i < 4; i++)
				assert_in_range(times[apart][i], TURNS / apart / 4 - 2,
					TURNS / apart / 4 + 2);
	}
}

// Each set by itself: a run ends where owner, type or class change.
TEST(test_sets_apart)
{
	uint8_t msg[512];
	struct wr w = begin(msg, sizeof(msg), 9);
	put_a(&w, msg, 12, 0);
	put_a(&w, msg, 12, 1);
	put_a(&w, msg, 13, 2);
	put(&w, msg, 13, DNS_TYPE_AAAA, "aaaaaaaaaaaaaaaa", 16, 1);
	put(&w, msg, 13, DNS_TYPE_AAAA, "bbbbbbbbbbbbbbbb", 16, 1);
	put(&w, msg, 13, DNS_TYPE_AAAA, "cccccccccccccccc", 16, 1);
	dns_rotate(msg, w.pos, DNS_HEADER_LEN + 9, 1);
	const uint8_t *p = msg + DNS_HEADER_LEN + 9;
	assert_int_equal(p[15], 1);
	assert_int_equal(p[31], 0);
	assert_int_equal(p[47], 2);
	assert_int_equal(p[48 + 12], 'b');
	assert_int_equal(p[48 + 28 + 12], 'c');
	assert_int_equal(p[48 + 56 + 12], 'a');
}

// Records of other sections, and texts of an address's length, stay.
TEST(test_others_stay)
{
	uint8_t msg[256], before[256];
	struct wr w = begin(msg, sizeof(msg), 5);
	put(&w, msg, 12, DNS_TYPE_TXT, "\3one", 4, 1);
	put(&w, msg, 12, DNS_TYPE_TXT, "\3two", 4, 1);
	put_a(&w, msg, 12, 0);
	put_a(&w, msg, 12, 1);
	put_u16(msg + 6, 2);
	put_u16(msg + 10, 2); // additional
	memcpy(before, msg, sizeof(before));
	dns_rotate(msg, w.pos, DNS_HEADER_LEN + 5, 1);
	assert_memory_equal(msg, before, w.pos);
}

// An owner that is spelled out has its length in front, which is none of the record's.
TEST(test_owner_spelled_out)
{
	uint8_t msg[128], before[128];
	for (unsigned owner = 0xbf; owner <= 0xc0; owner++) {
		struct wr w = begin(msg, sizeof(msg), 5);
		size_t first = w.pos;
		put_a(&w, msg, 12, 1);
		put_a(&w, msg, 12, 2);
		put_u16(msg + 6, 2);
		msg[first] = msg[first + 16] = (uint8_t)owner;
		memcpy(before, msg, sizeof(before));
		dns_rotate(msg, w.pos, DNS_HEADER_LEN + 5, 1);
		assert_int_equal(memcmp(msg, before, w.pos) == 0, owner < 0xc0);
		// One byte short of a whole second record.
		memcpy(msg, before, sizeof(before));
		dns_rotate(msg, w.pos - 1, DNS_HEADER_LEN + 5, 1);
		assert_memory_equal(msg, before, w.pos);
	}
}

// Whatever the bytes say, nothing beyond the end is touched, and no byte is lost.
TEST(test_hostile)
{
	struct guard g = guard_open();
	for (unsigned round = 0; round < 20000; round++) {
		size_t len = 12 + dns_rand_below(&rnd, 150), at = 12 + dns_rand_below(&rnd, 20);
		uint8_t *msg = g.end - len;
		unsigned count[256] = {0};
		for (size_t i = 0; i < len; i++)
			msg[i] = (uint8_t)dns_rand_next(&rnd);
		put_u16(msg + 6, (uint16_t)dns_rand_below(&rnd, 12));
		for (size_t i = at; i + 12 <= len; i += 16)
			memcpy(msg + i, "\xc0\x0c\0\1\0\1\0\0\0\1\0\4", 12);
		for (size_t i = 0; i < len; i++)
			count[msg[i]]++;
		dns_rotate(msg, len, at, (uint32_t)dns_rand_next(&rnd));
		for (size_t i = 0; i < len; i++)
			count[msg[i]]--;
		for (unsigned i = 0; i < 256; i++)
			assert_int_equal(count[i], 0);
	}
	guard_close(&g);
}
