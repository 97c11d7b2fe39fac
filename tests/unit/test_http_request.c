// SPDX-License-Identifier: BSD-3-Clause

#include "../../controlplane/http_request.h"
#include "unit.h"

#include <string.h>
#include <weir/attr.h>

static unsigned parse(const char *text, struct http_head *out)
{
	return http_head_parse(text, strlen(text), 512, 100, out);
}

static void test_good(void **)
{
	struct http_head h;
	assert_int_equal(parse("GET / HTTP/1.1\r\n\r\n", &h), 200);
	assert_false(h.post);
	assert_string_equal(h.target, "/");
	assert_int_equal(h.head_len, 18);
	assert_int_equal(h.body_len, 0);

	static const char post[] = "POST /a?b=c%20d HTTP/1.0\nHost: x\ncontent-length: 42\n\nbody";
	assert_int_equal(parse(post, &h), 200);
	assert_true(h.post);
	assert_string_equal(h.target, "/a?b=c%20d");
	assert_int_equal(h.head_len, sizeof post - 1 - 4);
	assert_int_equal(h.body_len, 42);
}

static void test_refused(void **)
{
	static const struct {
		unsigned status;
		const char *text;
	} bad[] = {
		{400, "\r\n\r\n"},
		{400, "GET\r\n\r\n"},
		{400, "GET /\r\n\r\n"},
		{400, "GET / FTP/1.1\r\n\r\n"},
		{400, "GET / HTTP/1.1x\r\n\r\n"},
		{400, "GET http://x/ HTTP/1.1\r\n\r\n"},
		{400, "GET /\x80 HTTP/1.1\r\n\r\n"},
		{400, "GET /\tb HTTP/1.1\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\nnothing\r\n\r\n"},
		{400, "GET / HTTP/1.1\r\n: x\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nContent-Length: \r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n"},
		{400, "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"},
		{405, "PUT / HTTP/1.1\r\n\r\n"},
		{405, "get / HTTP/1.1\r\n\r\n"},
		{413, "POST / HTTP/1.1\r\nContent-Length: 101\r\n\r\n"},
		{413, "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"},
		{501, "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"},
		{505, "GET / HTTP/2.0\r\n\r\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct http_head h;
		assert_int_equal(parse(bad[i].text, &h), bad[i].status);
	}
}

// Every prefix asks for more; then too much is refused.
static void test_sizes(void **)
{
	static const char whole[] = "GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct http_head h;
	for (size_t len = 0; len < sizeof whole - 1; len++)
		assert_int_equal(http_head_parse(whole, len, 512, 100, &h), 0);
	assert_int_equal(http_head_parse(whole, sizeof whole - 1, 512, 100, &h), 200);
	assert_int_equal(http_head_parse(whole, 30, 30, 100, &h), 431);

	static char huge[HTTP_TARGET_MAX + 64];
	memset(huge, 'a', sizeof huge - 1);
	memcpy(huge, "GET /", 5);
	memcpy(huge + sizeof huge - 1 - 13, " HTTP/1.1\r\n\r\n", 13);
	assert_int_equal(http_head_parse(huge, sizeof huge - 1, sizeof huge, 0, &h), 414);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_sizes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
