// SPDX-License-Identifier: BSD-3-Clause
//
// Names of lists read sixteen bytes at a time, beside the twin that reads one (list_name.h).

#include "controlplane/lists/list_name.h"
#include "tests/unit/unit.h"

// Both must say the same. Is it a name?
static bool scan_twins(const char *text, size_t len)
{
	struct dns_name a, b;
	size_t bare = len - (len > 1 && text[len - 1] == '.');
	bool taken = list_name_scan((struct list_text){text, len}, &a);
	assert_int_equal(taken, list_name_scan_bytes((struct list_text){text, bare}, &b));
	if (taken) {
		assert_int_equal(a.len, b.len);
		assert_int_equal(a.labels, b.labels);
		assert_memory_equal(a.wire, b.wire, a.len);
	}
	return taken;
}

// Every byte in every place of a name, behind which nothing may be read.
TEST(test_every_byte)
{
	for (size_t len = 1; len <= 70; len++) {
		char *text = malloc(len);
		assert_non_null(text);
		for (size_t i = 0; i < len; i++)
			text[i] = i % 9 == 8 ? '.' : 'a';
		for (size_t at = 0; at < len; at++) {
			char before = text[at];
			for (int byte = 0; byte < 256; byte++) {
				text[at] = (char)byte;
				(void)scan_twins(text, len);
			}
			text[at] = before;
		}
		assert_true(scan_twins(text, len));
		free(text);
	}
}

TEST(test_heaps_of_dots)
{
	unsigned good = 0;
	uint32_t x = 1;
	for (unsigned round = 0; round < 100000; round++) {
		static const char bytes[] = "abzAZ019-_..xyq";
		char text[80];
		size_t len = 1 + round % 70;
		for (size_t i = 0; i < len; i++) {
			x = x * 1664525 + 1013904223;
			text[i] = bytes[(x >> 16) % (sizeof(bytes) - (round & 1 ? 4 : 1))];
		}
		good += scan_twins(text, len);
	}
	assert_in_range(good, 10000, 95000);
}
