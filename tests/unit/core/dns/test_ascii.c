// SPDX-License-Identifier: BSD-3-Clause

// Letter case in vectors against one byte at a time: every length, at both edges of what may be
// read and written, copied and in place.

#include "dns_rand.h"
#include "tests/unit/guard.h"

#include <weir/ascii.h>

enum { LENGTHS = 300, UNTOUCHED = 0x5a };

static struct dns_rand rnd = {26};

// Around the letters' ends more often than chance would have it.
static uint8_t byte(void)
{
	static const uint8_t near[] = "@AZ[`az{\x80\xc1\xda\xff";
	return dns_rand_below(&rnd, 2) ? near[dns_rand_below(&rnd, sizeof(near) - 1)]
				       : (uint8_t)dns_rand_next(&rnd);
}

static uint8_t lowered(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static void check(uint8_t *dst, uint8_t *src, size_t len)
{
	uint8_t want[LENGTHS];
	for (size_t i = 0; i < len; i++) {
		src[i] = byte();
		want[i] = lowered(src[i]);
	}
	ascii_lower_copy(dst, src, len);
	assert_memory_equal(dst, want, len);
}

TEST(test_every_length_at_both_edges)
{
	struct guard from = guard_open(), to = guard_open();
	memset(to.first, UNTOUCHED, GUARD_ROOM);
	for (size_t len = 0; len <= LENGTHS; len++) {
		for (unsigned round = 0; round < 20; round++) {
			check(to.first, from.end - len, len);
			assert_int_equal(to.first[len], UNTOUCHED);
			check(to.end - len, from.first, len);
			assert_int_equal(to.end[-(ptrdiff_t)len - 1], UNTOUCHED);
			check(from.first, from.first, len);
			check(from.end - len, from.end - len, len);
		}
	}
	guard_close(&from);
	guard_close(&to);
}

TEST(test_eight_are_eight_times_one)
{
	for (unsigned round = 0; round < 100000; round++) {
		uint8_t in[8], out[8];
		uint64_t w;
		for (unsigned i = 0; i < 8; i++)
			in[i] = byte();
		memcpy(&w, in, 8);
		w = ascii_lower_8(w);
		memcpy(out, &w, 8);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(out[i], lowered(in[i]));
	}
}

static bool bit_of(const uint8_t *bits, size_t i)
{
	return bits[i / 8] >> i % 8 & 1;
}

// Letters in upper case by bits, and their bits again: every length, beside the end of what may be
// touched.
TEST(test_case_by_bits)
{
	struct guard text = guard_open();
	uint8_t upper[LENGTHS / 8 + 1], found[LENGTHS / 8 + 1], want[LENGTHS];
	for (unsigned round = 0; round < 20 * LENGTHS; round++) {
		size_t len = round % LENGTHS;
		uint8_t *p = text.end - len;
		for (size_t i = 0; i < sizeof(upper); i++)
			upper[i] = (uint8_t)dns_rand_next(&rnd);
		memset(found, 0, sizeof(found));
		for (size_t i = 0; i < len; i++) {
			p[i] = byte();
			bool small = p[i] >= 'a' && p[i] <= 'z' && bit_of(upper, i);
			want[i] = small ? (uint8_t)(p[i] - 'a' + 'A') : p[i];
		}
		ascii_raise(p, len, upper);
		assert_memory_equal(p, want, len);
		ascii_raised(p, len, found);
		for (size_t i = 0; i < 8 * sizeof(found); i++)
			assert_int_equal(bit_of(found, i), i < len && p[i] >= 'A' && p[i] <= 'Z');
	}
	guard_close(&text);
}
