// SPDX-License-Identifier: BSD-3-Clause
// The section `cookies`: where its secrets come from, and which are refused.

#include "config_text.h"

#define MINIMAL                                               \
	"dataplane:\n  ports:\n  - device: net_null0\n"       \
	"  service_addresses: [203.0.113.53/25, 192.0.2.1]\n" \
	"upstreams:\n  servers:\n  - address: 9.9.9.9\n"

TEST(test_bad_secrets)
{
	static const char *const bad[] = {"0123", "g0112233445566778899aabbccddeeff",
		"00112233445566778899aabbccddeeff0", "''"};
	char text[1024];
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), MINIMAL "cookies: {secrets: [%s]}\n", bad[i]);
		config_text_refused(text, "cookies.secrets");
	}
}

// More than is read of one.
TEST(test_long_file)
{
	char path[] = "/tmp/weir-test-secrets-XXXXXX", text[1024];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < 1025; i++)
		assert_int_equal(write(fd, "\n", 1), 1);
	close(fd);
	snprintf(text, sizeof(text), MINIMAL "cookies: {secret_file: %s}\n", path);
	config_text_refused(text, "cookies.secret_file: has more than 1024 bytes");
	assert_int_equal(unlink(path), 0);
}

TEST(test_secret_file)
{
	static const char secrets[] = "00112233445566778899aabbccddeeff\r\n\n"
				      "10112233445566778899aabbccddeeff";
	char path[] = "/tmp/weir-test-secrets-XXXXXX", text[1024];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, secrets, sizeof(secrets) - 1), sizeof(secrets) - 1);
	close(fd);
	snprintf(text, sizeof(text), MINIMAL "cookies: {secret_file: %s}\n", path);
	struct config *c = config_text_load(text);
	assert_int_equal(c->cookies.count, 2);
	assert_int_equal(c->cookies.secret[1][0], 0x10);
	config_free(c);
	assert_int_equal(unlink(path), 0);
	config_text_refused(text, "cookies.secret_file");
}
