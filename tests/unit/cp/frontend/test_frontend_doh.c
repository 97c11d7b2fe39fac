// SPDX-License-Identifier: BSD-3-Clause
// DNS over HTTPS on the frontend's connections: places for its questions, memory, deadlines, ends.
// What its bytes mean is of tests/unit/cp/doh.

#include "doh_client.h"

#include <dlfcn.h>
#include <nghttp2/nghttp2.h>

enum { CALM = 11 };

static atomic_bool no_memory; // for sessions of HTTP/2

// Stands before nghttp2's own.
int nghttp2_session_server_new3(nghttp2_session **out, const nghttp2_session_callbacks *callbacks,
	void *user, const nghttp2_option *option, nghttp2_mem *mem)
{
	int (*real)(nghttp2_session **, const nghttp2_session_callbacks *, void *,
		const nghttp2_option *, nghttp2_mem *);

	if (no_memory)
		return NGHTTP2_ERR_NOMEM;
	*(void **)&real = dlsym(RTLD_NEXT, "nghttp2_session_server_new3");
	return real(out, callbacks, user, option, mem);
}

static size_t http1_post(uint8_t *out, uint16_t id, char order)
{
	int n = sprintf((char *)out,
		"POST /dns-query HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n"
		"Content-Type: application/dns-message\r\n\r\n",
		DOH_QUERY);
	doh_query(out + n, id, order);
	return (size_t)n + DOH_QUERY;
}

static void http1_is(struct dot d, unsigned status, uint16_t id, size_t len)
{
	static uint8_t body[TCP_MESSAGE_MAX];
	char head[DOH_TEXT];
	size_t n = 0;

	do
		doh_read(d, head + n++, 1);
	while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0);
	head[n] = 0;
	assert_int_equal(strtoul(head + strlen("HTTP/1.1 "), NULL, 10), status);
	const char *at = strstr(head, "content-length: ");
	assert_non_null(at);
	n = strtoul(at + strlen("content-length: "), NULL, 10);
	doh_read(d, body, n);
	assert_true(status != 200 || (n == len && get_u16(body) == id));
}

TEST_WITH(test_requests_in_a_row_by_http_1, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t text[3 * DOH_TEXT];
	size_t n = 0;

	doh_start();
	struct dot d = doh_connect("\10http/1.1");
	n += http1_post(text + n, 1, TCP_ECHO);
	n += http1_post(text + n, 2, TCP_LATER);
	n += http1_post(text + n, 3, TCP_BIG);
	tls_side_write(d.side, text, n);
	http1_is(d, 200, 1, DOH_QUERY);
	tcp_rig_release_at(2); // the third one waits for the answer of the second
	http1_is(d, 200, 2, DNS_HEADER_LEN);
	http1_is(d, 200, 3, TCP_BIG_LEN);
	for (size_t i = 0; i < n; i++)
		tls_side_write(d.side, text + i, 1);
	http1_is(d, 200, 1, DOH_QUERY);
	tcp_rig_release_at(5);
	http1_is(d, 200, 2, DNS_HEADER_LEN);
	http1_is(d, 200, 3, TCP_BIG_LEN);
	tcp_rig_until(pending, 0);
	tls_side_goodbye(d.side);
	dot_close(d);
	tcp_rig_until(ended[FRONTEND_TCP_END_client], 1);
	tcp_rig_until(doh.bytes, 0);
	tcp_rig_until(buffered, 0);
}

// A client without ALPN speaks HTTP/1.1.
TEST_WITH(test_questions_without_an_answer, tcp_rig_each_start, tcp_rig_each_end)
{
	uint8_t text[DOH_TEXT];

	doh_start();
	struct dot d = doh_connect(NULL);
	tls_side_write(d.side, text, http1_post(text, 1, TCP_NONE));
	http1_is(d, 403, 0, 0);
	tls_side_write(d.side, text, http1_post(text, 1, TCP_BROKEN));
	http1_is(d, 403, 0, 0);
	const size_t n = http1_post(text, 1, TCP_BROKEN);
	text[n - DOH_QUERY + 2] |= 0x80; // a response
	tls_side_write(d.side, text, n);
	http1_is(d, 400, 0, 0);
	tls_side_write(d.side, text, http1_post(text, 2, TCP_LOST));
	tcp_rig_release_at(4);
	http1_is(d, 503, 0, 0);
	tls_side_write(d.side, text, http1_post(text, 3, TCP_ECHO));
	http1_is(d, 200, 3, DOH_QUERY);
	dot_close(d);
}

TEST_WITH(test_streams_of_http_2, tcp_rig_each_start, tcp_rig_each_end)
{
	uint32_t value;

	tcp_config.pipelined = 2;
	struct dot d = http2_start();
	for (uint32_t stream = 1; stream < 4; stream += 2)
		http2_post(d, stream, TCP_LATER);
	tcp_rig_until_asked(2);
	http2_post(d, 5, TCP_ECHO); // one more than it may have: refused
	assert_int_equal(http2_next(d, RST_STREAM, 0, &value), 5);
	tcp_rig_release(); // the last one first
	assert_int_equal(http2_next(d, DATA, 0, &value), 3);
	assert_int_equal(value >> 16, 3);
	assert_int_equal(http2_next(d, DATA, 0, &value), 1);
	http2_post(d, 7, TCP_ECHO);
	assert_int_equal(http2_next(d, DATA, 0, &value), 7);
	tcp_rig_until(doh.counts.responses[DOH_200], 3);
	dot_close(d);
	tcp_rig_until(doh.bytes, 0);
}

// Its client's other connection has all places that the client may have.
TEST_WITH(test_questions_wait_for_places, tcp_rig_each_start, tcp_rig_each_end)
{
	uint32_t value;

	tcp_config.pipelined = tcp_config.queries = 4;
	struct dot first = http2_start(), second = http2_connect();
	for (uint32_t stream = 1; stream < 8; stream += 2)
		http2_post(first, stream, TCP_LATER);
	tcp_rig_until_asked(4);
	http2_post(second, 1, TCP_ECHO);
	tcp_rig_until(held, 1);
	assert_int_equal(tcp_rig_asked(), 4);
	tcp_rig_release();
	assert_int_equal(http2_next(second, DATA, 0, &value), 1);
	assert_int_equal(http2_next(first, DATA, 0, &value), 7);
	dot_close(first);
	dot_close(second);
}

// Requests that are reset at once: their questions keep their places, and the connection ends.
TEST_WITH(test_rapid_reset, tcp_rig_each_start, tcp_rig_each_end)
{
	static const uint8_t cancel[4] = {0, 0, 0, 8};
	uint32_t value;

	struct dot d = http2_start();
	for (uint32_t stream = 1; stream < 300; stream += 2) {
		http2_post(d, stream, TCP_LATER);
		http2_frame(d, sizeof(cancel), RST_STREAM, 0, stream, cancel);
	}
	(void)http2_next(d, GOAWAY, 4, &value);
	assert_int_equal(value, CALM);
	assert_in_range(tcp_rig_asked(), 1, tcp_config.pipelined);
	tcp_rig_until(doh.counts.goaways, 1);
	tcp_rig_release();
	tcp_rig_until(pending, 0);
	assert_true(tls_side_ended(d.side));
	dot_close(d);
	tcp_rig_until(ended[FRONTEND_TCP_END_flood], 1);
	tcp_rig_until(doh.bytes, 0);
	tcp_rig_until(buffered, 0);
}

TEST_WITH(test_half_a_request, tcp_rig_each_start, tcp_rig_each_end)
{
	uint32_t value;

	tcp_config.query_timeout_s = 1;
	doh_start();
	struct dot old = doh_connect(NULL), new = http2_connect();
	tls_side_write(old.side, "POST /dns-que", 13);
	http2_head(new, 1);
	http1_is(old, 408, 0, 0);
	tcp_rig_until(ended[FRONTEND_TCP_END_slow_query], 1);
	assert_int_equal(http2_next(new, RST_STREAM, 0, &value), 1);
	http2_post(new, 3, TCP_ECHO); // the connection goes on
	assert_int_equal(http2_next(new, DATA, 0, &value), 3);
	dot_close(old);
	dot_close(new);
}

TEST_WITH(test_memory_is_of_the_buffers, tcp_rig_each_start, tcp_rig_each_end)
{
	static const uint8_t part[DOH_TEXT * 4 - 16];
	struct frontend_tcp_status s;

	tcp_config.buffer_kb = 256;
	doh_start();
	struct dot d[4];
	for (unsigned i = 0; i < 4; i++) {
		d[i] = http2_connect();
		for (uint32_t stream = 1; stream < 8; stream += 2) {
			http2_head(d[i], stream);
			http2_frame(d[i], sizeof(part), DATA, 0, stream, part);
			http2_frame(d[i], sizeof(part), DATA, 0, stream, part);
		}
	}
	// Four times 128 KiB have come, so that the first connections had to go.
	WAIT_FOR((tcp_rig_status(&s), s.ended[FRONTEND_TCP_END_evicted_memory] > 0));
	assert_true(s.buffered > 0 && s.buffered <= 256 * 1024);
	for (unsigned i = 0; i < 4; i++)
		dot_close(d[i]);
	tcp_rig_until(open, 0);
	tcp_rig_until(buffered, 0);
	tcp_rig_until(doh.bytes, 0);
}

TEST_WITH(test_an_old_connection_parts, tcp_rig_each_start, tcp_rig_each_end)
{
	uint32_t value;

	tcp_config.connection_queries = 2;
	struct dot d = http2_start();
	http2_post(d, 1, TCP_LATER);
	http2_post(d, 3, TCP_LATER);
	(void)http2_next(d, GOAWAY, 4, &value);
	assert_int_equal(value, 0);
	tcp_rig_release_at(2);
	assert_int_equal(http2_next(d, DATA, 0, &value), 3);
	assert_int_equal(http2_next(d, DATA, 0, &value), 1);
	assert_true(tls_side_ended(d.side));
	dot_close(d);
	tcp_rig_until(ended[FRONTEND_TCP_END_queries], 1);
}

TEST_WITH(test_turned_off, tcp_rig_each_start, tcp_rig_each_end)
{
	struct dot idle = http2_start(), asking = http2_connect();
	http2_post(asking, 1, TCP_LATER);
	tcp_rig_until_asked(1);
	tcp_rig_doh = false;
	tcp_rig_configure();
	tcp_rig_until(ended[FRONTEND_TCP_END_stopped], 2);
	tcp_rig_until(doh.connections, 0);
	dot_close(idle);
	dot_close(asking);
}

TEST_WITH(test_no_memory_for_a_connection, tcp_rig_each_start, tcp_rig_each_end)
{
	uint32_t value;

	doh_start();
	no_memory = true;
	struct dot d = doh_connect("\2h2");
	tcp_rig_until(ended[FRONTEND_TCP_END_evicted_memory], 1);
	dot_close(d);
	no_memory = false;
	d = http2_connect();
	http2_post(d, 1, TCP_ECHO);
	assert_int_equal(http2_next(d, DATA, 0, &value), 1);
	dot_close(d);
	tcp_rig_until(doh.bytes, 0);
}

TEST_GROUP(tls_rig_group_start, tls_rig_group_stop)
