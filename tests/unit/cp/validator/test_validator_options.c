// SPDX-License-Identifier: BSD-3-Clause
// Options of the validators, as docs/reference/recursion.md has them.

#include "option_page.h"
#include "tests/unit/unit.h"
#include "validator/validator_internal.h"

TEST(test_options)
{
	const struct validator_settings s = {.anchors = "/anchors"};
	static const char token[VALIDATOR_TOKEN_LEN + 1] = "0123";
	const struct option_page *page = option_page_read();
	char *text;
	size_t len;

	assert_int_equal(validator_config_write(&s, 53, token, &text, &len), 0);
	assert_in_range(option_values(page->validators, text), 20, 100);
	assert_in_range(option_rows(page->validators, text), 50, 100);
	free(text);
}
