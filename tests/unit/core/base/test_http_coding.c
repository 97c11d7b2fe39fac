// SPDX-License-Identifier: BSD-3-Clause
// Which codings of a reply libcurl may undo.

#include "tests/unit/unit.h"

#include <weir/http_coding.h>

static bool may(struct http_coding *c, const char *line, bool takes_gzip)
{
	return http_coding_may(c, line, strlen(line), takes_gzip);
}

static bool alone(const char *line, bool takes_gzip)
{
	return may(&(struct http_coding){0}, line, takes_gzip);
}

TEST(test_transfer_codings)
{
	static const char *const good[] = {"Transfer-Encoding: chunked\r\n",
		"transfer-encoding:CHUNKED", "Transfer-Encoding: identity\r\n",
		"Transfer-Encodings: gzip\r\n", "X-Transfer-Encoding: gzip\r\n", "\r\n", ""};
	static const char *const bad[] = {"Transfer-Encoding: gzip\r\n",
		"Transfer-Encoding: gzip, chunked\r\n", "TRANSFER-ENCODING:\tchunked,gzip\r\n",
		"Transfer-Encoding: chunked x\r\n", "Transfer-Encoding:\r\n"};
	for (unsigned i = 0; i < 2 * ARRAY_LEN(good); i++)
		assert_true(alone(good[i / 2], i % 2));
	for (unsigned i = 0; i < 2 * ARRAY_LEN(bad); i++)
		assert_false(alone(bad[i / 2], i % 2));
}

TEST(test_content_codings)
{
	static const char *const bad[] = {"Content-Encoding: br\r\n",
		"Content-Encoding: gzip, gzip\r\n", "Content-Encoding: deflate\r\n",
		"content-encoding:zstd"};
	assert_true(alone("Content-Encoding: gzip\r\n", true));
	assert_true(alone("content-encoding:\tX-GZIP \r\n", true));
	assert_true(alone("Content-Encoding: identity\r\n", true));
	assert_true(alone("Content-Encoding: none\r\n", true));
	assert_true(alone("Content-Encoding:\r\n", true));
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(alone(bad[i], true));
		assert_true(alone(bad[i], false)); // libcurl leaves it as it is
	}
}

TEST(test_one_coding_a_reply)
{
	struct http_coding c = {0};
	assert_true(may(&c, "HTTP/1.1 100 Continue\r\n", true));
	assert_true(may(&c, "Content-Encoding: gzip\r\n", true));
	assert_true(may(&c, "HTTP/1.1 200 OK\r\n", true));
	assert_true(may(&c, "Content-Encoding: gzip\r\n", true));
	assert_true(may(&c, "Content-Encoding: identity\r\n", true));
	assert_false(may(&c, "Content-Encoding: gzip\r\n", true));
}

TEST(test_lines_end_where_they_end)
{
	static const char line[] = {'T', 'r', 'a', 'n', 's', 'f', 'e', 'r', '-', 'E', 'n', 'c', 'o',
		'd', 'i', 'n', 'g', ':', 'c', 'h', 'u', 'n', 'k', 'e', 'd'};
	struct http_coding c = {0};
	for (size_t len = 0; len <= sizeof(line); len++)
		assert_int_equal(http_coding_may(&c, line, len, true),
			len < strlen("Transfer-Encoding:") || len == sizeof(line));
}

// The value of `name` in the first `len` bytes of a line is `value`; NULL: the line has none.
static void check_value(const char *line, size_t len, const char *name, const char *value)
{
	char *exact = malloc(len ? len : 1); // a sanitizer sees a byte read too far
	size_t n = 0;
	assert_non_null(exact);
	memcpy(exact, line, len);
	const char *found = http_header_value(exact, len, name, &n);
	assert_int_equal(found != NULL, value != NULL);
	if (value) {
		assert_int_equal(n, strlen(value));
		assert_memory_equal(found, value, n);
	}
	free(exact);
}

TEST(test_header_values)
{
	static const struct {
		const char *line, *value;
	} of[] = {
		{"Age: 10\r\n", "10"},
		{"aGE:10", "10"},
		{"age:\t 1 0 \t\r\n", "1 0"},
		{"Age: a: b\r\n", "a: b"},
		{"Age:\r\n", ""},
		{"Age: \t ", ""},
		{"Age:", ""},
		{"Age :1\r\n", NULL},
		{" Age: 1\r\n", NULL},
		{"Ages: 1\r\n", NULL},
		{"Age", NULL},
		{"Ag", NULL},
		{"\r\n", NULL},
		{"", NULL},
	};
	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		check_value(of[i].line, strlen(of[i].line), "age", of[i].value);
}

TEST(test_header_values_end_where_the_line_ends)
{
	static const char line[] = "Age: 123";
	static const char *const value[] = {NULL, NULL, NULL, NULL, "", "", "1", "12", "123"};
	for (size_t len = 0; len < ARRAY_LEN(value); len++)
		check_value(line, len, "Age", value[len]);
}
