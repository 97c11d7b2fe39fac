// SPDX-License-Identifier: BSD-3-Clause

#include "unit.h"

#include <string.h>
#include <weir/text.h>

static void test_escapes(void **)
{
	char out[32];
	assert_string_equal(text_escape("plain text ~", out, sizeof out), "plain text ~");
	assert_string_equal(text_escape("a\x1b[m\n", out, sizeof out), "a\\x1b[m\\x0a");
	assert_string_equal(text_escape("\xc3\xa4\x7f", out, sizeof out), "\\xc3\\xa4\\x7f");
}

// Whole forms only, whatever the room.
static void test_cut(void **)
{
	for (size_t cap = 1; cap < 20; cap++) {
		char out[24];
		memset(out, 'Z', sizeof out);
		text_escape("\xff\xff\xff\xff\xff\xff", out, cap);
		size_t len = strlen(out);
		assert_true(len < cap);
		assert_int_equal(len % 4, 0);
		for (size_t i = cap; i < sizeof out; i++)
			assert_int_equal(out[i], 'Z');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
