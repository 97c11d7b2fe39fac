// SPDX-License-Identifier: BSD-3-Clause

// How queries over HTTPS end: replies that are late or old, queries dropped in a handshake. The
// server is a process of its own (doh_server.py); the clock stands still, as stream_rig.h says.
#include "controlplane/upstream/upstream_https.h"
#include "https_stream.h"
#include "tests/unit/unit.h"

#include <limits.h>

static bool are_sent(const void *queries)
{
	return server_status().sent == *(const unsigned *)queries;
}

static bool none_is_left(const void *)
{
	return https().queries == 0;
}

static void late_reply_comes(void)
{
	text_to_file(text_from("%s/late", https_server.folder), "");
}

// Of a dropped query a reply is late; anything else is a failure alone.
TEST_WITH(test_replies_that_are_late, https_stream_setup, https_stream_teardown)
{
	static const char *const path[] = {"/dns-query?late", "/status?late"};

	for (unsigned i = 0; i < ARRAY_LEN(path); i++) {
		https_is("dns.example", path[i]);
		const unsigned number = ask_more(1), queries = i + 1;
		wait_for(are_sent, &queries);
		upstream_ask_stop(&rig.ask[number]);
		late_reply_comes();
		wait_for(none_is_left, NULL);
		assert_int_equal(https().late, 1);
	}
	assert_int_equal(server_status().https.failed[UPSTREAM_HTTPS_status], 1);
}

// RFC 9111 5.1: of several values the first one; one that is no number is none.
TEST_WITH(test_age, https_stream_setup, https_stream_teardown)
{
	static const struct {
		const char *path;
		uint32_t ttl_s;
	} ages[] = {{"/age", 50}, {"/age/250,_10", 50}, {"/age/250_,10", 50}, {"/age/10/250", 290},
		{"/age/x,_250", 300}, {"/age/,250", 300}, {"/age/-1", 300}, {"/age/9999999999", 0}};

	for (unsigned i = 0; i < ARRAY_LEN(ages); i++) {
		https_is("dns.example", ages[i].path);
		asks_replied(1);
		assert_int_equal(rig.ttl_s, ages[i].ttl_s);
	}
}

// Of those that wait for a handshake only the one that makes it goes on without its leg.
TEST_WITH(test_dropped_in_a_handshake, https_stream_setup, https_stream_teardown)
{
	const uint16_t port = https_server.port;
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	const int silent = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(silent, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(silent, 8), 0);
	assert_int_equal(getsockname(silent, (struct sockaddr *)&sin, &len), 0);
	https_server.port = ntohs(sin.sin_port);
	https_is("dns.example", "/dns-query");
	const unsigned first = ask_more(5);
	assert_int_equal(https().queries, 5);
	for (unsigned i = 0; i < 5; i++)
		upstream_ask_stop(&rig.ask[first + i]);
	assert_int_equal(https().queries, 1);
	assert_int_equal(https().open, 1);
	https_server.port = port;
	close(silent);
}

// A query is silent by its own connection, which its local port names: a connection on which the
// server has said something since is not silent, and one that is closed says nothing more.
TEST(test_the_connection_of_a_query)
{
	static struct upstream_https h;
	static struct upstream_https_query q = {.pool = &h, .sent_ms = 1};
	for (unsigned i = 0; i < UPSTREAM_HTTPS_SOCKETS; i++)
		h.socket[i] =
			(struct upstream_https_socket){.fd = (int)i, .port = (uint16_t)(1000 + i)};
	for (unsigned i = 0; i < UPSTREAM_HTTPS_SOCKETS; i++) {
		q.port = h.socket[i].port;
		assert_true(upstream_https_is_silent(&q));
		h.socket[i].heard_ms = q.sent_ms + 1;
		assert_false(upstream_https_is_silent(&q));
		h.socket[i].fd = -1;
		assert_true(upstream_https_is_silent(&q));
	}
}

TEST_GROUP(https_stream_start, NULL)
