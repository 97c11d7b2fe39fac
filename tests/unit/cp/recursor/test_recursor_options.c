// SPDX-License-Identifier: BSD-3-Clause
// Options of recursion, as docs/reference/recursion.md has them.

#include "recursor/recursor_internal.h"
#include "tests/unit/cp/validator/option_page.h"
#include "tests/unit/unit.h"

TEST(test_options)
{
	const struct recursor_settings s = {.is_on = true,
		.root_hints = "/hints",
		.validates = true,
		.trusted = {.anchors = "/anchors"},
		.range_count = 1,
		.range = {{1024, 1025}}};
	const struct option_page *page = option_page_read();
	char *text;

	assert_int_equal(recursor_config_write(&s, 2048, &text), 0);
	assert_in_range(option_values(page->recursion, text), 60, 100);
	assert_in_range(option_rows(page->recursion, text), 50, 100);
	free(text);
}
