// SPDX-License-Identifier: BSD-3-Clause
// What is HTTP/1.1 beyond doubt, whole and byte by byte.

#include "controlplane/base/http1_check.h"
#include "tests/unit/unit.h"

#define GET  "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define END  "Host: a\r\n\r\n"

// Takes `text` in pieces; how many bytes are beyond doubt.
static size_t take(struct http1_check *c, const char *text, size_t len, size_t piece)
{
	size_t at = 0;
	*c = (struct http1_check){0};
	while (at < len && !c->fault) {
		const size_t n = len - at < piece ? len - at : piece;
		const size_t taken = http1_check(c, (const uint8_t *)text + at, n);
		assert_true(taken <= n && (taken > 0 || c->fault));
		at += taken;
	}
	return at;
}

static void check_len(
	const char *text, size_t len, enum http1_fault fault, unsigned whole, size_t end)
{
	struct http1_check c;
	for (size_t piece = 1; piece <= len; piece = piece < 8 ? piece + 1 : piece * 2 + len / 7) {
		assert_int_equal(take(&c, text, len, piece), end);
		assert_int_equal(c.fault, fault);
		assert_int_equal(c.whole, whole);
	}
	assert_int_equal(take(&c, text, len, len), end);
	assert_int_equal(c.fault, fault);
}

TEST(test_requests_beyond_doubt)
{
	static const struct {
		const char *text;
		unsigned whole;
	} cases[] = {
		{GET END, 1},
		{"GET / HTTP/1.0\r\n\r\n", 1},
		{"\r\n" GET END, 1},
		{GET END GET END GET END, 3},
		{GET "hOsT:\t a.example:8443 \t\r\n\r\n", 1},
		{GET "Host: [fd53::1]:443\r\n\r\n", 1},
		{GET "Host: 198.18.0.1\r\n\r\n", 1},
		{GET "Host:\r\n\r\n", 1},
		{GET "Content-Length: 0\r\n" END, 1},
		{"\r\n" POST "Content-Length: 1\r\n\r\nx", 1},
		{GET "X:\r\nY: \t\r\nZ: a \xff\tb\r\n" END, 1},
		{GET "X!#$%&'*+-.^_`|~9: 1\r\n" END, 1},
		{POST "Content-Length: 3\r\n\r\na\n\0" GET END, 2},
		{POST "content-length: 0\r\n\r\n" GET END, 2},
		{POST "Transfer-Encoding: Chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n00\r\n\r\n" GET END,
			2},
		{POST "Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nHost: b\r\n"
		      "Content-Length: x\r\n\r\n" GET END,
			2},
		{POST "Transfer-EncodingX: y\r\nContent-Lengt: z\r\n\r\n", 1},
		{"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}" GET END, 2},
		{POST "Content-Length: 4\r\n\r\nabc", 0}, // not whole yet
		{"GE", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		// The body of three has a zero byte.
		const size_t len =
			i == 12 ? sizeof(POST "Content-Length: 3\r\n\r\na\n\0" GET END) - 1
				: strlen(cases[i].text);
		check_len(cases[i].text, len, HTTP1_none, cases[i].whole, len);
	}
}

struct fault_case {
	const char *text, *rest;
	enum http1_fault fault;
};

static void check_faults(const struct fault_case *cases, size_t count)
{
	char text[512];
	for (size_t i = 0; i < count; i++) {
		const size_t end = strlen(cases[i].text);
		const int n = snprintf(text, sizeof(text), "%s%s", cases[i].text, cases[i].rest);
		print_message("%s\n", text);
		check_len(text, (size_t)n, cases[i].fault, strstr(text, END "\r\n") != NULL, end);
		assert_true(strlen(http1_fault_text(cases[i].fault)) > 10);
	}
}

// At the byte that is one too many, and no later.
TEST(test_faults_of_heads)
{
	static const struct fault_case cases[] = {
		{"", "\nGET", HTTP1_request_line},
		{"\r\n", "\r\n", HTTP1_request_line},
		{"", " / HTTP/1.1", HTTP1_request_line},
		{"GE", "(T / HTTP/1.1", HTTP1_request_line},
		{"GET ", " / HTTP/1.1", HTTP1_request_line},
		{"GET /a", "\x01 HTTP/1.1", HTTP1_request_line},
		{"GET /", "\r\nHost: a", HTTP1_request_line},
		{"GET / HTTP/", "2.0\r\n", HTTP1_request_line},
		{"GET / HTTP/1.", "2\r\n", HTTP1_request_line},
		{"GET / HTTP/1.1", "1\r\n", HTTP1_request_line},
		{"GET / HTTP/1.1", " \r\n", HTTP1_request_line},
		{"GET / HTTP/1.1", "\nHost: a", HTTP1_request_line},
		{"GET / HTTP/1.1\r", "Host: a", HTTP1_line_end},
		{GET, " Host: a\r\n", HTTP1_field_name},
		{GET "Host", " : a\r\n", HTTP1_field_name},
		{GET "Ho", " st: a\r\n", HTTP1_field_name},
		{GET "H\x7e", "\xc3: a\r\n", HTTP1_field_name},
		{GET "", ": a\r\n", HTTP1_field_name},
		{GET "no", "\n", HTTP1_line_end},
		{GET "X: a\r\n", " folded\r\n", HTTP1_field_name},
		{GET "X: a", "\x7f\r\n", HTTP1_field_value},
		{GET "X: a", "\nY: b\r\n", HTTP1_line_end},
		{GET "X: a\r", "b\r\n", HTTP1_line_end},
		{GET END "\r\n", "\rG", HTTP1_request_line},
		{GET "X: a\r\n\r", "\n", HTTP1_host},
		{GET "Host: a\r\nhost: a", "\r\n", HTTP1_host},
		{GET "Host: a b", "\r\n", HTTP1_host},
		{GET "Host: a/b", "\r\n", HTTP1_host},
		{GET "Host: u@a", "\r\n", HTTP1_host},
		{GET "Host: a:80x", "\r\n", HTTP1_host},
		{GET "Host: a:80:80", "\r\n", HTTP1_host},
		{GET "Host: [fd53::1", "\r\n", HTTP1_host},
		{GET "Host: []", "\r\n", HTTP1_host},
		{GET "Host: [a]b", "\r\n", HTTP1_host},
		{GET "Host: [a/]", "\r\n", HTTP1_host},
		{GET "Host: \xc3\xa9", "\r\n", HTTP1_host},
	};
	check_faults(cases, ARRAY_LEN(cases));
}

TEST(test_faults_of_bodies)
{
	static const struct fault_case cases[] = {
		{POST "Content-Length: 3\r\nContent-Length: 3", "\r\n", HTTP1_length},
		{POST "Content-Length: +5", "\r\n", HTTP1_length},
		{POST "Content-Length: 5 5", "\r\n", HTTP1_length},
		{POST "Content-Length: 5, 5", "\r\n", HTTP1_length},
		{POST "Content-Length: 0x5", "\r\n", HTTP1_length},
		{POST "Content-Length: -1", "\r\n", HTTP1_length},
		{POST "Content-Length: ", "\r\n", HTTP1_length},
		{POST "Content-Length: 00000000000000000005", "\r\n", HTTP1_length},
		{POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r", "\n", HTTP1_length},
		{POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r", "\n", HTTP1_length},
		{POST "Transfer-Encoding: xchunked", "\r\n", HTTP1_coding},
		{POST "Transfer-Encoding: gzip, chunked", "\r\n", HTTP1_coding},
		{POST "Transfer-Encoding: ", "\r\n", HTTP1_coding},
		{POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "\r\n",
			HTTP1_coding},
		{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r", "\n", HTTP1_coding},
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
		{GET "Host: a\r\nContent-Length: 1\r\n\r", "\n", HTTP1_body},
		{"POSTS / HTTP/1.0\r\nContent-Length: 1\r\n\r", "\n", HTTP1_body},
		{"post / HTTP/1.0\r\nContent-Length: 1\r\n\r", "\n", HTTP1_body},
		{"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r", "\n",
			HTTP1_body},
		{CHUNKED, "\r\n", HTTP1_chunk},
		{CHUNKED, "x\r\n", HTTP1_chunk},
		{CHUNKED "3", " \r\n", HTTP1_chunk},
		{CHUNKED "3", "\nabc", HTTP1_chunk},
		{CHUNKED "fffffffffffffff", "f\r\n", HTTP1_chunk},
		{CHUNKED "3;a", "\n", HTTP1_chunk},
		{CHUNKED "3\r", "abc", HTTP1_chunk},
		{CHUNKED "3\r\nabc", "def", HTTP1_chunk},
		{CHUNKED "3\r\nabc\r", "0\r\n", HTTP1_chunk},
		{CHUNKED "3\r\nabc\r\n0\r\nX", " : 1\r\n", HTTP1_field_name},
		{CHUNKED "0\r\n\r", "\r\n", HTTP1_line_end},
	};
	check_faults(cases, ARRAY_LEN(cases));
}

TEST(test_zero_bytes)
{
	static const char target[] = "GET /\0a HTTP/1.1\r\n", name[] = GET "X\0: a\r\n",
			  value[] = GET "X: a\0b\r\n", method[] = "G\0T / HTTP/1.1\r\n";
	check_len(target, sizeof(target) - 1, HTTP1_request_line, 0, 5);
	check_len(name, sizeof(name) - 1, HTTP1_field_name, 0, strlen(name));
	check_len(value, sizeof(value) - 1, HTTP1_field_value, 0, strlen(value));
	check_len(method, sizeof(method) - 1, HTTP1_request_line, 0, 1);
}

// A host of 261 bytes, and one more.
TEST(test_the_longest_host)
{
	char text[512];
	for (int n = HTTP1_HOST_MAX - 1; n <= HTTP1_HOST_MAX + 40; n++) {
		const int len = snprintf(text, sizeof(text), GET "Host: %0*d\r\n\r\n", n, 7);
		const bool fits = n <= HTTP1_HOST_MAX;
		check_len(text, (size_t)len, fits ? HTTP1_none : HTTP1_host, fits,
			(size_t)len - (fits ? 0 : 4));
	}
}
