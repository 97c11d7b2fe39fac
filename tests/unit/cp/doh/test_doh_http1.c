// SPDX-License-Identifier: BSD-3-Clause
// DNS over HTTPS by HTTP/1.1, by hand.

#include "doh_rig.h"

#define HOST "Host: dns.example\r\n"
#define TYPE "Content-Type: application/dns-message\r\n"
#define GET  "GET " RIG_GET " HTTP/1.1\r\n" HOST "\r\n"

static size_t put_text(struct rig *r, const char *text)
{
	return rig_put(r, text, strlen(text));
}

static bool said(const struct rig *r, const char *text)
{
	return memmem(r->out, r->out_len, text, strlen(text)) != NULL;
}

static size_t post(char *out, size_t cap, const char *fields)
{
	int n = snprintf(out, cap, "POST /dns-query HTTP/1.1\r\n" HOST TYPE "%s\r\n", fields);
	return (size_t)n;
}

static void check_answered(struct rig *r, const char *tail)
{

	const char *head = text_from("content-length: %d\r\n", RIG_REPLY);
	assert_true(said(r, "HTTP/1.1 200 OK\r\ncontent-type: application/dns-message\r\n"));
	assert_true(said(r, head));
	assert_true(said(r, "cache-control: max-age=7\r\n"));
	assert_true(said(r, tail));
	uint8_t reply[RIG_REPLY];
	rig_reply(reply, 0xabcd, 7);
	assert_true(r->out_len > RIG_REPLY);
	assert_memory_equal(r->out + r->out_len - RIG_REPLY, reply, RIG_REPLY);
	r->out_len = 0;
}

TEST_WITH(test_get_and_post_on_one_connection, rig_http1, rig_end)
{
	char text[512];

	assert_int_equal(put_text(&rig, GET), strlen(GET));
	assert_int_equal(rig.asked, 1);
	rig_answer(&rig, 0, 7);
	check_answered(&rig, "\r\n\r\n");
	size_t n = post(text, sizeof(text), "Content-Length: 29\r\n");
	memcpy(text + n, rig_query, RIG_QUERY);
	assert_int_equal(rig_put(&rig, text, n + RIG_QUERY), n + RIG_QUERY);
	assert_int_equal(rig.asked, 2);
	assert_memory_equal(rig.question[1].head + 2, rig_query + 2, RIG_QUERY - 2);
	rig_answer(&rig, 1, 7);
	check_answered(&rig, "\r\n\r\n");
	assert_int_equal(doh_conn_end(rig.c), DOH_OPEN);
	assert_int_equal(rig_counts(&rig).requests[DOH_http1][DOH_METHOD_post], 1);
}

TEST(test_any_piece_and_chunks)
{
	char text[512];

	for (size_t piece = 1; piece < 40; piece++) {
		rig_open(&rig, DOH_http1, false);
		size_t n = post(text, sizeof(text), "Transfer-Encoding: chunked\r\n");
		n += (size_t)sprintf(text + n, "9;x=y\r\n");
		memcpy(text + n, rig_query, 9);
		n += 9 + (size_t)sprintf(text + n + 9, "\r\n14\r\n");
		memcpy(text + n, rig_query + 9, 20);
		n += 20 + (size_t)sprintf(text + n + 20, "\r\n0\r\nX-Trailer: 1\r\n\r\n");
		for (size_t at = 0; at < n; at += piece)
			(void)rig_put(&rig, text + at, n - at < piece ? n - at : piece);
		assert_int_equal(rig.asked, 1);
		assert_int_equal(rig.question[0].len, RIG_QUERY);
		assert_memory_equal(rig.question[0].head + 2, rig_query + 2, RIG_QUERY - 2);
		rig_answer(&rig, 0, 7);
		check_answered(&rig, "\r\n\r\n");
		rig_close(&rig);
	}
}

// As a client sends it to a proxy.
TEST(test_a_whole_url_as_target)
{
	static const char text[] = "GET https://dns.example" RIG_GET " HTTP/1.1\r\n" HOST
				   "Content-Encoding: identity\r\n\r\n";

	for (size_t piece = 1; piece < 40; piece++) {
		rig_open(&rig, DOH_http1, false);
		for (size_t at = 0; at < sizeof(text) - 1; at += piece) {
			const size_t left = sizeof(text) - 1 - at;
			(void)rig_put(&rig, text + at, left < piece ? left : piece);
		}
		assert_int_equal(rig.asked, 1);
		rig_answer(&rig, 0, 7);
		check_answered(&rig, "\r\n\r\n");
		rig_close(&rig);
	}
}

TEST_WITH(test_a_pipelined_request_waits, rig_http1, rig_end)
{
	assert_int_equal(put_text(&rig, GET GET GET), strlen(GET));
	assert_int_equal(put_text(&rig, GET GET), 0);
	rig_answer(&rig, 0, 7);
	check_answered(&rig, "\r\n\r\n");
	assert_int_equal(put_text(&rig, GET GET), strlen(GET));
	assert_int_equal(rig.asked, 2);
}

static void refused(const char *request, const char *status, bool last)
{
	rig_open(&rig, DOH_http1, false);
	(void)put_text(&rig, request);
	print_message("%s: %s\n", status, rig.out);
	assert_int_equal(rig.asked, 0);
	assert_true(said(&rig, status));
	assert_int_equal(said(&rig, "connection: close\r\n"), last);
	assert_int_equal(doh_conn_end(rig.c), last ? DOH_END_broken : DOH_OPEN);
	if (!last) {
		assert_int_equal(put_text(&rig, GET), strlen(GET));
		assert_int_equal(rig.asked, 1);
	}
	rig_close(&rig);
}

TEST(test_refusals)
{
	refused("GET /other HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 404 Not Found\r\n", false);
	refused("DELETE /dns-query HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 405 ", false);
	refused("HEAD " RIG_GET " HTTP/1.1\r\n" HOST "\r\n", "content-length: 0\r\n", false);
	refused("POST /dns-query HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", "HTTP/1.1 415 ",
		false);
	refused("POST /dns-query HTTP/1.1\r\n" HOST TYPE "Content-Length: 3\r\n\r\nabc",
		"HTTP/1.1 400 ", false);
	refused("GET /dns-query?dns=AA= HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 400 ", false);
	refused("POST /dns-query HTTP/1.1\r\n" HOST TYPE
		"Content-Encoding: gzip\r\nContent-Length: 12\r\n\r\nabcdefghijkl",
		"HTTP/1.1 415 ", false);
	refused("POST /dns-query HTTP/1.1\r\n" HOST TYPE
		"Transfer-Encoding: gzip, chunked\r\n\r\nc\r\nabcdefghijkl\r\n0\r\n\r\n",
		"HTTP/1.1 400 ", true);
	refused("POST /dns-query HTTP/1.1\r\n" HOST TYPE "Content-Length: 65536\r\n\r\n",
		"HTTP/1.1 413 ", true);
	refused("GET " RIG_GET " HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", true);
	refused("GET " RIG_GET " HTTP/1.1\r\n" HOST HOST "\r\n", "HTTP/1.1 400 ", true);
	refused("GET " RIG_GET " HTTP/9.9\r\n" HOST "\r\n", "HTTP/1.1 400 ", true);
	refused("GET  / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", true);
	// Both lengths: two servers could see two requests.
	refused("POST /dns-query HTTP/1.1\r\n" HOST TYPE
		"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 400 ", true);
	refused("POST /dns-query HTTP/1.1\r\n" HOST TYPE
		"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
		"HTTP/1.1 400 ", true);
	// What http-parser takes, and RFC 9112 refuses.
	refused("GET " RIG_GET " HTTP/1.1\r\nHost: dns example\r\n\r\n", "HTTP/1.1 400 ", true);
	refused("GET " RIG_GET " HTTP/1.1\r\n" HOST "X y: 1\r\n\r\n", "HTTP/1.1 400 ", true);
	refused("GET " RIG_GET " HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", "HTTP/1.1 400 ", true);
	refused("GET " RIG_GET " HTTP/1.1\n" HOST "\r\n", "HTTP/1.1 400 ", true);
	refused("POST /dns-query HTTP/1.1\r\n" HOST TYPE
		"Transfer-Encoding: chunked\r\n\r\n3\r\nabcde0\r\n\r\n",
		"HTTP/1.1 400 ", true);
}

TEST(test_sizes_are_bounded)
{
	char *text = malloc(1 << 18);

	assert_non_null(text);
	size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\n" HOST "X-Long: ");
	memset(text + n, 'x', 65536);
	rig_open(&rig, DOH_http1, false);
	(void)rig_put(&rig, text, n + 65536);
	assert_true(said(&rig, "HTTP/1.1 431 "));
	assert_int_equal(doh_conn_end(rig.c), DOH_END_broken);
	assert_true(doh_conn_memory(rig.c) < 4096);
	rig_close(&rig);

	n = post(text, 1 << 18, "Transfer-Encoding: chunked\r\n");
	n += (size_t)sprintf(text + n, "10000\r\n");
	memset(text + n, 'x', 65536);
	rig_open(&rig, DOH_http1, false);
	(void)rig_put(&rig, text, n + 65536);
	assert_true(said(&rig, "HTTP/1.1 413 "));
	assert_int_equal(doh_conn_end(rig.c), DOH_END_broken);
	rig_close(&rig);

	n = post(text, 1 << 18, "Content-Length: 65535\r\n");
	memset(text + n, 'x', 65535);
	rig_open(&rig, DOH_http1, false);
	assert_int_equal(rig_put(&rig, text, n + 65535), n + 65535);
	assert_int_equal(rig.asked, 1);
	assert_int_equal(rig.question[0].len, DOH_MESSAGE_MAX);
	rig_close(&rig);
	free(text);
}

TEST(test_old_clients_and_close)
{
	rig_open(&rig, DOH_http1, false);
	(void)put_text(&rig, "GET " RIG_GET " HTTP/1.0\r\n\r\n" GET);
	rig_answer(&rig, 0, 7);
	check_answered(&rig, "connection: close\r\n\r\n");
	assert_int_equal(doh_conn_end(rig.c), DOH_END_client);
	assert_int_equal(put_text(&rig, GET), 0);
	rig_close(&rig);

	rig_open(&rig, DOH_http1, false);
	(void)put_text(&rig, GET);
	doh_conn_part(rig.c);
	rig_pump(&rig);
	assert_int_equal(doh_conn_end(rig.c), DOH_OPEN);
	rig_answer(&rig, 0, 7);
	check_answered(&rig, "connection: close\r\n\r\n");
	assert_int_equal(doh_conn_end(rig.c), DOH_END_client);
	rig_close(&rig);
}

TEST_WITH(test_expect_continue, rig_http1, rig_end)
{
	char text[512];
	size_t n = post(text, sizeof(text), "Expect: 100-continue\r\nContent-Length: 29\r\n");

	assert_int_equal(rig_put(&rig, text, n), n);
	assert_true(said(&rig, "HTTP/1.1 100 Continue\r\n\r\n"));
	(void)rig_put(&rig, rig_query, RIG_QUERY);
	assert_int_equal(rig.asked, 1);
	rig_answer(&rig, 0, 7);
	check_answered(&rig, "HTTP/1.1 200 OK\r\n");
}

// A wish for another protocol, or for a proxy, is none of a server's.
TEST(test_upgrade_is_passed_over)
{
	rig_open(&rig, DOH_http1, false);
	(void)put_text(&rig, "GET " RIG_GET " HTTP/1.1\r\n" HOST
			     "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n");
	rig_answer(&rig, 0, 7);
	check_answered(&rig, "HTTP/1.1 200 OK\r\n");
	(void)put_text(&rig, GET);
	assert_int_equal(rig.asked, 2);
	rig_close(&rig);
	refused("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 404 ", false);
}

TEST_WITH(test_a_slow_request_ends, rig_http1, rig_end)
{
	assert_int_equal(doh_conn_deadline(rig.c), rig.now_ms + rig.set.request_ms);
	(void)put_text(&rig, GET);
	rig_answer(&rig, 0, 7);
	check_answered(&rig, "\r\n\r\n");
	assert_true(doh_conn_deadline(rig.c) == UINT64_MAX);
	rig.now_ms += 5;
	(void)put_text(&rig, "G");
	assert_int_equal(doh_conn_deadline(rig.c), rig.now_ms + rig.set.request_ms);
	doh_conn_expire(rig.c, rig.now_ms + rig.set.request_ms);
	rig_pump(&rig);
	assert_true(said(&rig, "HTTP/1.1 408 "));
	assert_int_equal(doh_conn_end(rig.c), DOH_END_slow_query);
}
