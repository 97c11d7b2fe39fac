// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/http/http_post.h"
#include "fake_post.h"
#include "tests/unit/unit.h"

enum { PATIENCE_MS = 60000 }; // for what takes none on a machine with nothing else to do

static struct fake_post server;
static struct http_post *post;
static struct http_post_reply reply;
static _Atomic bool stopping, single;
static int outcome; // what the server does
static char head[4096];
static uint8_t taken[1 << 20];
static size_t taken_len;
static char said[1024];

static int answer(void *, const struct fake_post_request *r, char out[1024])
{
	snprintf(head, sizeof(head), "%s", r->head);
	assert_true(r->len <= sizeof(taken));
	memcpy(taken, r->body, r->len);
	taken_len = r->len;
	strcpy(out, said);
	return outcome;
}

static int start(void **)
{
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	server = (struct fake_post){.answer = answer};
	fake_post_start(&server);
	stopping = single = false;
	outcome = 200;
	strcpy(said, "Ok.\n");
	const struct http_post_settings s = {.stop = &stopping, .single = &single};
	return http_post_open(&post, &s);
}

static int stop(void **)
{
	http_post_close(post);
	fake_post_stop(&server);
	return 0;
}

static int send_body(const void *body, size_t len, unsigned timeout_ms)
{
	const char *url = text_from("http://127.0.0.1:%u/?query=a%%20b", server.port);
	const struct http_post_request r = {.url = url,
		.header = {"X-Key: value", "Content-Encoding: gzip"},
		.body = body,
		.len = len,
		.timeout_ms = timeout_ms};
	int err = http_post(post, &r, &reply);
	assert_true(!err == !reply.why[0]);
	return err;
}

TEST_WITH(test_posts_share_a_connection, start, stop)
{
	static uint8_t big[600000];
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7);
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), 0);
	assert_int_equal(reply.status, 200);
	assert_false(reply.is_unsent);
	assert_string_equal(reply.body, "Ok.\n");
	assert_non_null(strstr(head, "POST /?query=a%20b HTTP/1.1\r\n"));
	assert_non_null(strstr(head, "\r\nX-Key: value\r\n"));
	assert_non_null(strstr(head, "\r\nContent-Encoding: gzip\r\n"));
	assert_null(strcasestr(head, "Expect:"));
	assert_null(strcasestr(head, "chunked"));

	assert_int_equal(send_body(big, sizeof(big), PATIENCE_MS), 0);
	assert_int_equal(taken_len, sizeof(big));
	assert_memory_equal(taken, big, sizeof(big));

	assert_int_equal(send_body("", 0, PATIENCE_MS), 0);
	assert_int_equal(taken_len, 0);
	assert_int_equal(server.connections, 1);
}

static uint64_t sockets(void)
{
	struct http_transfer_counts c;
	http_transfer_counts(&c);
	assert_int_equal(c.handles, 1);
	return c.sockets;
}

TEST_WITH(test_none_is_kept_when_single, start, stop)
{
	assert_int_equal(sockets(), 0);
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), 0);
	single = true;
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), 0); // over the one that was kept
	assert_int_equal(server.connections, 1);
	assert_int_equal(sockets(), 0);
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), 0);
	assert_int_equal(server.connections, 2);
	single = false;
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), 0);
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), 0);
	assert_int_equal(server.connections, 3);
	assert_int_equal(sockets(), 1);
}

TEST_WITH(test_a_status_is_a_reply, start, stop)
{
	outcome = 500;
	memset(said, 'x', 1000);
	said[1000] = '\0';
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), 0);
	assert_int_equal(reply.status, 500);
	assert_string_equal(reply.body, said);
	outcome = 302;
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), 0);
	assert_int_equal(reply.status, 302);
	assert_int_equal(server.connections, 1);
}

// A server that took the rows and died must not get them a second time behind our back, which
// libcurl would do on a connection that was used before.
TEST_WITH(test_nothing_is_sent_twice, start, stop)
{
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), 0);
	outcome = FAKE_POST_CLOSE;
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), -EIO);
	assert_int_equal(reply.status, 0);
	assert_false(reply.is_unsent);
	assert_int_equal(server.requests, 2);
	outcome = 200;
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), 0);
	assert_int_equal(server.requests, 3);
}

TEST_WITH(test_half_of_anything_is_an_error, start, stop)
{
	static const uint8_t zeros[400000];
	outcome = FAKE_POST_HALF;
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), -EIO);
	assert_int_equal(reply.status, 200);
	server.cut_after = 1000;
	assert_int_equal(send_body(zeros, sizeof(zeros), PATIENCE_MS), -EIO);
	assert_false(reply.is_unsent);
}

TEST_WITH(test_nobody_listens, start, stop)
{
	fake_post_stop(&server);
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), -EIO);
	assert_true(reply.is_unsent);
	fake_post_start(&server);
	assert_int_equal(send_body("rows", 4, PATIENCE_MS), 0);
}

static void *stop_soon(void *before)
{
	WAIT_FOR(server.requests > *(const unsigned *)before);
	stopping = true;
	return NULL;
}

TEST_WITH(test_waits_end, start, stop)
{
	pthread_t stopper;
	uint64_t began_ms = clock_mono_ms();
	outcome = FAKE_POST_SILENT;
	assert_int_equal(send_body("rows", 4, 150), -ETIMEDOUT);
	assert_true(clock_mono_ms() - began_ms >= 140);
	assert_false(reply.is_unsent);
	unsigned before = server.requests;
	began_ms = clock_mono_ms();
	assert_int_equal(pthread_create(&stopper, NULL, stop_soon, &before), 0);
	assert_int_equal(send_body("rows", 4, 60000), -ECANCELED);
	assert_true(clock_mono_ms() - began_ms < 50000); // libcurl looks once a second
	assert_false(reply.is_unsent);
	pthread_join(stopper, NULL);
	assert_int_equal(send_body("rows", 4, 60000), -ECANCELED);
	assert_true(reply.is_unsent);
}

TEST_WITH(test_what_is_no_address, start, stop)
{
	static const char *const url[] = {"file:///etc/passwd", "http:///x", "nonsense:", ""};
	for (unsigned i = 0; i < ARRAY_LEN(url); i++) {
		const struct http_post_request r = {.url = url[i], .body = "", .timeout_ms = 500};
		assert_true(http_post(post, &r, &reply) < 0);
		assert_true(reply.is_unsent);
		assert_true(reply.why[0]);
	}
}

TEST(test_escape)
{
	char out[64];
	assert_true(http_url_escape("INSERT INTO `a.b`\t%", out, sizeof(out)));
	assert_string_equal(out, "INSERT%20INTO%20%60a.b%60%09%25");
	assert_false(http_url_escape("12345678", out, 8));
	assert_true(http_url_escape("", out, 1));
}
