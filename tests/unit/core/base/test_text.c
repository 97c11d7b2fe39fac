// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <weir/text.h>

TEST(test_escapes)
{
	char out[32];
	assert_string_equal(text_escape("plain text ~", out, sizeof(out)), "plain text ~");
	assert_string_equal(text_escape("a\x1b[m\n", out, sizeof(out)), "a\\x1b[m\\x0a");
	assert_string_equal(text_escape("\xc3\xa4\x7f", out, sizeof(out)), "\\xc3\\xa4\\x7f");
}

TEST(test_names)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{"caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80~",
			"caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80~"},
		{"\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf",
			"\xc2\xa0\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xf4\x8f\xbf\xbf"},
		{"a\x1b[m\n\x7f", "a\\x1b[m\\x0a\\x7f"},
		{"\xc2\x9f", "\\xc2\\x9f"},                   // a control character
		{"\xc1\xbf", "\\xc1\\xbf"},                   // longer than need be
		{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},          // overlong
		{"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"}, // overlong
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},          // a surrogate
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, // above U+10FFFF
		{"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"}, // beyond U+10FFFF
		{"\x80\xbf", "\\x80\\xbf"},                   // no first byte
		{"\xe6\x97", "\\xe6\\x97"},                   // cut off
		{"\xe6\x97z", "\\xe6\\x97z"},
	};
	char out[64];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(text_name(cases[i].text, out, sizeof(out)), cases[i].wanted);
}

// No character is cut, whatever the room.
TEST(test_names_cut)
{
	static const char text[] = "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80";
	for (size_t cap = 1; cap < 16; cap++) {
		char out[24];
		memset(out, 'Z', sizeof(out));
		text_name(text, out, cap);
		assert_int_equal(strlen(out), (cap - 1) / 4 * 4);
		assert_memory_equal(out, text, strlen(out));
		for (size_t i = cap; i < sizeof(out); i++)
			assert_int_equal(out[i], 'Z');
	}
}

// Whole forms only, whatever the room.
TEST(test_cut)
{
	for (size_t cap = 1; cap < 20; cap++) {
		char out[24];
		memset(out, 'Z', sizeof(out));
		text_escape("\xff\xff\xff\xff\xff\xff", out, cap);
		size_t len = strlen(out);
		assert_true(len < cap);
		assert_int_equal(len % 4, 0);
		for (size_t i = cap; i < sizeof(out); i++)
			assert_int_equal(out[i], 'Z');
	}
}
