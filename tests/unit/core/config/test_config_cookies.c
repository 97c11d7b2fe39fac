// SPDX-License-Identifier: BSD-3-Clause
// The section `cookies`: where its secrets come from, and which are refused.

#include "config_text.h"

TEST(test_bad_secrets)
{
	static const char *const bad[] = {"0123", "g0112233445566778899aabbccddeeff",
		"00112233445566778899aabbccddeeff0", "''"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		config_text_refused(
			text_from(MINIMAL "cookies: {secrets: [%s]}\n", bad[i]), "cookies.secrets");
}

// More than is read of one.
TEST(test_long_file)
{
	char lines[1026] = "";
	memset(lines, '\n', 1025);
	config_text_refused(text_from(MINIMAL "cookies: {secret_file: %s}\n", file_with(lines)),
		"cookies.secret_file: has more than 1024 bytes");
}

TEST(test_secret_file)
{
	const char *path = file_with("00112233445566778899aabbccddeeff\r\n\n"
				     "10112233445566778899aabbccddeeff");
	const char *text = text_from(MINIMAL "cookies: {secret_file: %s}\n", path);
	struct config *c = config_text_load(text);
	assert_int_equal(c->cookies.count, 2);
	assert_int_equal(c->cookies.secret[1][0], 0x10);
	assert_int_equal(unlink(path), 0);
	config_text_refused(text, "cookies.secret_file");
}
