// SPDX-License-Identifier: BSD-3-Clause
// DNS over HTTPS by HTTP/2, with nghttp2's own client.

#include "doh_rig.h"

#include <dlfcn.h>

#define DNS "application/dns-message"

static bool no_memory;
static unsigned sends; // calls since

// Stand before nghttp2's own.
ssize_t nghttp2_session_mem_recv(nghttp2_session *session, const uint8_t *p, size_t n)
{
	ssize_t (*real)(nghttp2_session *, const uint8_t *, size_t);

	*(void **)&real = dlsym(RTLD_NEXT, "nghttp2_session_mem_recv");
	return no_memory ? NGHTTP2_ERR_NOMEM : real(session, p, n);
}

ssize_t nghttp2_session_mem_send(nghttp2_session *session, const uint8_t **p)
{
	ssize_t (*real)(nghttp2_session *, const uint8_t **);

	*(void **)&real = dlsym(RTLD_NEXT, "nghttp2_session_mem_send");
	sends += no_memory;
	return real(session, p);
}

static void check_answer(const struct rig_response *a)
{
	assert_int_equal(a->status, 200);
	assert_string_equal(a->type, DNS);
	assert_string_equal(a->length, "45");
	assert_int_equal(a->body, RIG_REPLY);
	assert_memory_equal(a->first, rig_query, 2); // the client's id
	assert_true(a->closed);
	assert_int_equal(a->error, NGHTTP2_NO_ERROR);
}

TEST_WITH(test_post_and_get_are_answered, rig_http2, rig_end)
{
	assert_int_equal(rig.streams, DOH_STREAMS_MAX);
	int32_t post = rig_post(&rig), get = rig_request(&rig, "GET", RIG_GET, NULL, NULL, 0);
	assert_int_equal(rig.asked, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(rig.question[i].len, RIG_QUERY);
		assert_memory_equal(rig.question[i].head + 2, rig_query + 2, RIG_QUERY - 2);
	}
	assert_int_not_equal(rig.question[0].id, rig.question[1].id);
	rig_answer(&rig, 1, 60); // in any order
	check_answer(&rig.of[get]);
	assert_string_equal(rig.of[get].cache, "max-age=60");
	assert_int_equal(rig.of[post].status, 0);
	rig_answer(&rig, 0, 300);
	check_answer(&rig.of[post]);
	assert_string_equal(rig.of[post].cache, "max-age=300");
	struct doh_counts n = rig_counts(&rig);
	assert_int_equal(n.requests[DOH_http2][DOH_METHOD_get], 1);
	assert_int_equal(n.requests[DOH_http2][DOH_METHOD_post], 1);
	assert_int_equal(n.responses[DOH_200], 2);
	assert_true(doh_conn_deadline(rig.c) == UINT64_MAX);
}

TEST_WITH(test_refusals, rig_http2, rig_end)
{
	static const uint8_t big[DOH_MESSAGE_MAX + 1];
	char path[DOH_HEADERS_MAX + 1];

	int32_t id = rig_request(&rig, "GET", "/other", NULL, NULL, 0);
	assert_int_equal(rig.of[id].status, 404);
	assert_string_equal(rig.of[id].type, "text/plain");
	id = rig_request(&rig, "PUT", "/dns-query", DNS, rig_query, RIG_QUERY);
	assert_int_equal(rig.of[id].status, 405);
	assert_string_equal(rig.of[id].allow, "GET, POST");
	id = rig_request(&rig, "HEAD", RIG_GET, NULL, NULL, 0);
	assert_int_equal(rig.of[id].status, 405);
	assert_int_equal(rig.of[id].body, 0);
	assert_true(rig.of[id].closed);
	id = rig_request(&rig, "HEAD", "/dns-query", DNS, big, sizeof(big));
	assert_int_equal(rig.of[id].status, 405);
	assert_true(rig.of[id].closed);
	assert_int_equal(rig_counts(&rig).resets_server, 0);
	id = rig_request(&rig, "POST", "/dns-query", "text/plain", rig_query, RIG_QUERY);
	assert_int_equal(rig.of[id].status, 415);
	id = rig_request(&rig, "GET", "/dns-query?dns=AAA=", NULL, NULL, 0);
	assert_int_equal(rig.of[id].status, 400);
	id = rig_request(&rig, "POST", "/dns-query", DNS, big, sizeof(big));
	assert_int_equal(rig.of[id].status, 413);
	assert_true(rig.of[id].closed);
	memset(path, 'a', DOH_HEADERS_MAX);
	path[0] = '/';
	path[DOH_HEADERS_MAX] = 0;
	id = rig_request(&rig, "GET", path, NULL, NULL, 0);
	assert_int_equal(rig.of[id].status, 431);
	assert_int_equal(rig.asked, 0);
	// The connection goes on.
	id = rig_post(&rig);
	rig_answer(&rig, 0, 5);
	check_answer(&rig.of[id]);
	assert_int_equal(doh_conn_end(rig.c), DOH_OPEN);
}

// A response may leave before the end of its request: weir takes what the window of the stream lets
// come, and no more.
TEST_WITH(test_an_endless_body_is_cut, rig_http2, rig_end)
{
	const size_t len = 2 * (size_t)DOH_WINDOW;
	uint8_t *endless = calloc(1, len);

	assert_non_null(endless);
	int32_t id = rig_request(&rig, "POST", "/dns-query", DNS, endless, len);
	assert_int_equal(rig.of[id].status, 413);
	assert_false(rig.of[id].closed);
	assert_int_equal(doh_conn_deadline(rig.c), rig.now_ms + rig.set.request_ms);
	rig.now_ms += rig.set.request_ms;
	doh_conn_expire(rig.c, rig.now_ms);
	rig_pump(&rig);
	assert_true(rig.of[id].closed);
	assert_int_equal(doh_conn_end(rig.c), DOH_OPEN);
	id = rig_post(&rig);
	rig_answer(&rig, 0, 5);
	check_answer(&rig.of[id]);
	free(endless);
}

TEST_WITH(test_the_largest_messages_pass, rig_http2, rig_end)
{
	uint8_t *big = calloc(1, DOH_MESSAGE_MAX);

	assert_non_null(big);
	for (unsigned i = 0; i < 12; i++) { // more than the connection's window in all
		int32_t id = rig_request(&rig, "POST", "/dns-query", DNS, big, DOH_MESSAGE_MAX);
		assert_int_equal(rig.asked, i + 1);
		assert_int_equal(rig.question[i].len, DOH_MESSAGE_MAX);
		rig_answer_len(&rig, i, DOH_MESSAGE_MAX);
		assert_int_equal(rig.of[id].status, 200);
	}
	free(big);
}

TEST_WITH(test_a_question_without_an_answer_has_a_status, rig_http2, rig_end)
{
	int32_t first = rig_post(&rig), second = rig_post(&rig), third = rig_post(&rig);
	doh_conn_refuse(rig.c, rig.question[1].id, DOH_403, rig.now_ms);
	rig_pump(&rig);
	assert_int_equal(rig.of[second].status, 403);
	doh_conn_lost(rig.c, rig.now_ms);
	rig_pump(&rig);
	assert_int_equal(rig.of[first].status, 503);
	assert_int_equal(rig.of[third].status, 0);
}

TEST_WITH(test_requests_wait_for_the_owner, rig_http2, rig_end)
{
	rig.most = 1;
	for (unsigned i = 0; i < 3; i++)
		(void)rig_post(&rig);
	assert_int_equal(rig.asked, 1);
	assert_true(doh_conn_is_ready(rig.c));
	rig_answer(&rig, 0, 1);
	assert_int_equal(rig.asked, 2);
	rig_answer(&rig, 1, 1);
	rig_answer(&rig, 2, 1);
	assert_false(doh_conn_is_ready(rig.c));
}

TEST_WITH(test_parting_answers_what_was_asked, rig_http2, rig_end)
{
	int32_t id = rig_post(&rig);
	doh_conn_part(rig.c);
	rig_pump(&rig);
	assert_int_equal(rig.goaway, NGHTTP2_NO_ERROR);
	assert_int_equal(doh_conn_end(rig.c), DOH_OPEN);
	rig_answer(&rig, 0, 1);
	check_answer(&rig.of[id]);
	assert_int_equal(doh_conn_end(rig.c), DOH_END_client);
}

TEST_WITH(test_a_client_that_leaves, rig_http2, rig_end)
{
	int32_t id = rig_post(&rig);
	assert_int_equal(nghttp2_session_terminate_session(rig.client, NGHTTP2_NO_ERROR), 0);
	rig_pump(&rig);
	rig_answer(&rig, 0, 1);
	assert_int_equal(rig.of[id].status, 0); // its session is over
	assert_int_equal(doh_conn_end(rig.c), DOH_END_client);
}

TEST_WITH(test_no_call_after_a_fatal_error, rig_http2, rig_end)
{
	(void)rig_post(&rig);
	rig.deaf = true;
	rig_answer(&rig, 0, 1);
	rig.deaf = false;
	no_memory = true;
	assert_int_equal(rig_put(&rig, "x", 1), 0);
	assert_int_equal(doh_conn_end(rig.c), DOH_END_memory);
	assert_int_equal(sends, 0);
	no_memory = false;
}
