// SPDX-License-Identifier: BSD-3-Clause

// The mask of a comparison's bytes, in the machine's instruction and in words: each byte alone, and
// many together.

#include "controlplane/lists/byte_mask.h"
#include "tests/unit/unit.h"

static void check(unsigned bits)
{
	ascii_vector v;
	uint8_t bytes[sizeof(v)];
	for (unsigned i = 0; i < sizeof(v); i++)
		bytes[i] = bits >> i & 1 ? 255 : 0;
	memcpy(&v, bytes, sizeof(v));
	assert_int_equal(byte_mask(v), bits);
	assert_int_equal(byte_mask_words(v), bits);
}

TEST(test_all_masks)
{
	for (unsigned bits = 0; bits <= UINT16_MAX; bits++)
		check(bits);
}
