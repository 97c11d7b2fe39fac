// SPDX-License-Identifier: BSD-3-Clause

// The wide sums against RFC 1071 word by word: every length, wherever it lies, in every number of
// parts, and the values at which the carry goes round.

#include "dns_rand.h"
#include "tests/unit/guard.h"

#include <weir/csum.h>

enum { LENGTHS = 600, FILLS = 5 };

static struct dns_rand rnd = {71};

static uint16_t sum_by_words(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	for (size_t i = 0; i < len; i += 2) {
		sum += (uint32_t)p[i] << 8 | (i + 1 < len ? p[i + 1] : 0);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

// Random bytes, all ones, none, a single one at the end, and ones with a single hole.
static void fill(uint8_t *p, size_t len, unsigned kind)
{
	for (size_t i = 0; i < len; i++)
		p[i] = kind == 0 ? (uint8_t)dns_rand_next(&rnd) : kind & 1 ? 0xff : 0;
	if (kind >= 3 && len)
		p[dns_rand_below(&rnd, (uint32_t)len)] ^= (uint8_t)(1 << dns_rand_below(&rnd, 8));
}

static void check(const uint8_t *p, size_t len)
{
	uint16_t want = sum_by_words(p, len);
	assert_int_equal(csum_partial(p, len), want);
	uint64_t wide = csum_wide(p, len);
	uint16_t sent = csum_fold(csum_wide_send(wide));
	assert_int_equal(sent, want == 0xffff ? 0xffff : (uint16_t)~want);
	assert_true(wide == 0 || csum_wide_is_whole(wide) == (want == 0xffff));
	assert_true(
		want == 0 || csum_wide_is_whole(csum_wide_add(wide, csum_widen((uint16_t)~want))));
	assert_int_equal(csum_fold(csum_widen(want)), want);
}

TEST(test_every_length_at_both_edges)
{
	struct guard g = guard_open();
	for (unsigned kind = 0; kind < FILLS; kind++) {
		for (size_t len = 0; len <= LENGTHS; len++) {
			fill(g.first, len, kind);
			check(g.first, len);
			fill(g.end - len, len, kind);
			check(g.end - len, len);
		}
	}
	guard_close(&g);
}

TEST(test_parts_at_every_byte)
{
	uint8_t msg[97];
	for (unsigned round = 0; round < 4 * FILLS; round++) {
		fill(msg, sizeof(msg), round % FILLS);
		for (size_t a = 0; a <= sizeof(msg); a++) {
			for (size_t b = a; b <= sizeof(msg); b++) {
				uint64_t s = csum_wide(msg, a);
				s = csum_wide_add(s, csum_wide_at(a, csum_wide(msg + a, b - a)));
				// The last part as it comes out of a record: folded before.
				uint16_t last = csum_partial(msg + b, sizeof(msg) - b);
				s = csum_wide_add(s, csum_wide_at(b, csum_widen(last)));
				assert_int_equal(csum_fold(s), sum_by_words(msg, sizeof(msg)));
			}
		}
	}
}

TEST(test_carries)
{
	static const uint64_t edges[] = {0, 1, 0xffff, 0x10000, 0xffffffff, 0x100000000,
		0xffff0000ffff0000, 0x8000000000000000, UINT64_MAX - 1, UINT64_MAX};
	for (unsigned i = 0; i < ARRAY_LEN(edges); i++) {
		for (unsigned k = 0; k < ARRAY_LEN(edges); k++) {
			uint64_t both[2] = {edges[i], edges[k]};
			uint16_t want = sum_by_words((const uint8_t *)both, sizeof(both));
			uint64_t wide = csum_wide_add(edges[i], edges[k]);
			assert_int_equal(csum_fold(wide), want);
			assert_true(wide == 0 || csum_wide_is_whole(wide) == (want == 0xffff));
			assert_int_equal(csum_add(csum_fold(edges[i]), csum_fold(edges[k])), want);
		}
	}
}
