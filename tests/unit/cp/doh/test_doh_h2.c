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

TEST(test_post_and_get_are_answered)
{
	struct rig r;

	rig_open(&r, DOH_http2, true);
	assert_int_equal(r.streams, DOH_STREAMS_MAX);
	int32_t post = rig_post(&r), get = rig_request(&r, "GET", RIG_GET, NULL, NULL, 0);
	assert_int_equal(r.asked, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(r.question[i].len, RIG_QUERY);
		assert_memory_equal(r.question[i].head + 2, rig_query + 2, RIG_QUERY - 2);
	}
	assert_int_not_equal(r.question[0].id, r.question[1].id);
	rig_answer(&r, 1, 60); // in any order
	check_answer(&r.of[get]);
	assert_string_equal(r.of[get].cache, "max-age=60");
	assert_int_equal(r.of[post].status, 0);
	rig_answer(&r, 0, 300);
	check_answer(&r.of[post]);
	assert_string_equal(r.of[post].cache, "max-age=300");
	struct doh_counts n = rig_counts(&r);
	assert_int_equal(n.requests[DOH_http2][DOH_METHOD_get], 1);
	assert_int_equal(n.requests[DOH_http2][DOH_METHOD_post], 1);
	assert_int_equal(n.responses[DOH_200], 2);
	assert_true(doh_conn_deadline(r.c) == UINT64_MAX);
	rig_close(&r);
}

TEST(test_refusals)
{
	static const uint8_t big[DOH_MESSAGE_MAX + 1];
	char path[DOH_HEADERS_MAX + 1];
	struct rig r;

	rig_open(&r, DOH_http2, true);
	int32_t id = rig_request(&r, "GET", "/other", NULL, NULL, 0);
	assert_int_equal(r.of[id].status, 404);
	assert_string_equal(r.of[id].type, "text/plain");
	id = rig_request(&r, "PUT", "/dns-query", DNS, rig_query, RIG_QUERY);
	assert_int_equal(r.of[id].status, 405);
	assert_string_equal(r.of[id].allow, "GET, POST");
	id = rig_request(&r, "HEAD", RIG_GET, NULL, NULL, 0);
	assert_int_equal(r.of[id].status, 405);
	assert_int_equal(r.of[id].body, 0);
	assert_true(r.of[id].closed);
	id = rig_request(&r, "HEAD", "/dns-query", DNS, big, sizeof(big));
	assert_int_equal(r.of[id].status, 405);
	assert_true(r.of[id].closed);
	assert_int_equal(rig_counts(&r).resets_server, 0);
	id = rig_request(&r, "POST", "/dns-query", "text/plain", rig_query, RIG_QUERY);
	assert_int_equal(r.of[id].status, 415);
	id = rig_request(&r, "GET", "/dns-query?dns=AAA=", NULL, NULL, 0);
	assert_int_equal(r.of[id].status, 400);
	id = rig_request(&r, "POST", "/dns-query", DNS, big, sizeof(big));
	assert_int_equal(r.of[id].status, 413);
	assert_true(r.of[id].closed);
	memset(path, 'a', DOH_HEADERS_MAX);
	path[0] = '/';
	path[DOH_HEADERS_MAX] = 0;
	id = rig_request(&r, "GET", path, NULL, NULL, 0);
	assert_int_equal(r.of[id].status, 431);
	assert_int_equal(r.asked, 0);
	// The connection goes on.
	id = rig_post(&r);
	rig_answer(&r, 0, 5);
	check_answer(&r.of[id]);
	assert_int_equal(doh_conn_end(r.c), DOH_OPEN);
	rig_close(&r);
}

// A response may leave before the end of its request: weir takes what the window of the stream lets
// come, and no more.
TEST(test_an_endless_body_is_cut)
{
	const size_t len = 2 * (size_t)DOH_WINDOW;
	uint8_t *endless = calloc(1, len);
	struct rig r;

	assert_non_null(endless);
	rig_open(&r, DOH_http2, true);
	int32_t id = rig_request(&r, "POST", "/dns-query", DNS, endless, len);
	assert_int_equal(r.of[id].status, 413);
	assert_false(r.of[id].closed);
	assert_int_equal(doh_conn_deadline(r.c), r.now_ms + r.set.request_ms);
	r.now_ms += r.set.request_ms;
	doh_conn_expire(r.c, r.now_ms);
	rig_pump(&r);
	assert_true(r.of[id].closed);
	assert_int_equal(doh_conn_end(r.c), DOH_OPEN);
	id = rig_post(&r);
	rig_answer(&r, 0, 5);
	check_answer(&r.of[id]);
	free(endless);
	rig_close(&r);
}

TEST(test_the_largest_messages_pass)
{
	uint8_t *big = calloc(1, DOH_MESSAGE_MAX);
	struct rig r;

	assert_non_null(big);
	rig_open(&r, DOH_http2, true);
	for (unsigned i = 0; i < 12; i++) { // more than the connection's window in all
		int32_t id = rig_request(&r, "POST", "/dns-query", DNS, big, DOH_MESSAGE_MAX);
		assert_int_equal(r.asked, i + 1);
		assert_int_equal(r.question[i].len, DOH_MESSAGE_MAX);
		rig_answer_len(&r, i, DOH_MESSAGE_MAX);
		assert_int_equal(r.of[id].status, 200);
	}
	free(big);
	rig_close(&r);
}

TEST(test_a_question_without_an_answer_has_a_status)
{
	struct rig r;

	rig_open(&r, DOH_http2, true);
	int32_t first = rig_post(&r), second = rig_post(&r), third = rig_post(&r);
	doh_conn_refuse(r.c, r.question[1].id, DOH_403, r.now_ms);
	rig_pump(&r);
	assert_int_equal(r.of[second].status, 403);
	doh_conn_lost(r.c, r.now_ms);
	rig_pump(&r);
	assert_int_equal(r.of[first].status, 503);
	assert_int_equal(r.of[third].status, 0);
	rig_close(&r);
}

TEST(test_requests_wait_for_the_owner)
{
	struct rig r;

	rig_open(&r, DOH_http2, true);
	r.most = 1;
	for (unsigned i = 0; i < 3; i++)
		(void)rig_post(&r);
	assert_int_equal(r.asked, 1);
	assert_true(doh_conn_is_ready(r.c));
	rig_answer(&r, 0, 1);
	assert_int_equal(r.asked, 2);
	rig_answer(&r, 1, 1);
	rig_answer(&r, 2, 1);
	assert_false(doh_conn_is_ready(r.c));
	rig_close(&r);
}

TEST(test_parting_answers_what_was_asked)
{
	struct rig r;

	rig_open(&r, DOH_http2, true);
	int32_t id = rig_post(&r);
	doh_conn_part(r.c);
	rig_pump(&r);
	assert_int_equal(r.goaway, NGHTTP2_NO_ERROR);
	assert_int_equal(doh_conn_end(r.c), DOH_OPEN);
	rig_answer(&r, 0, 1);
	check_answer(&r.of[id]);
	assert_int_equal(doh_conn_end(r.c), DOH_END_client);
	rig_close(&r);
}

TEST(test_a_client_that_leaves)
{
	struct rig r;

	rig_open(&r, DOH_http2, true);
	int32_t id = rig_post(&r);
	assert_int_equal(nghttp2_session_terminate_session(r.client, NGHTTP2_NO_ERROR), 0);
	rig_pump(&r);
	rig_answer(&r, 0, 1);
	assert_int_equal(r.of[id].status, 0); // its session is over
	assert_int_equal(doh_conn_end(r.c), DOH_END_client);
	rig_close(&r);
}

TEST(test_no_call_after_a_fatal_error)
{
	struct rig r;

	rig_open(&r, DOH_http2, true);
	(void)rig_post(&r);
	r.deaf = true;
	rig_answer(&r, 0, 1);
	r.deaf = false;
	no_memory = true;
	assert_int_equal(rig_put(&r, "x", 1), 0);
	assert_int_equal(doh_conn_end(r.c), DOH_END_memory);
	assert_int_equal(sends, 0);
	no_memory = false;
	rig_close(&r);
}
