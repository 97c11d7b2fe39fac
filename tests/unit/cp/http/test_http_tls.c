// SPDX-License-Identifier: BSD-3-Clause

// Posts over TLS: who is trusted, and what a server that is trusted may do.
#include "controlplane/http/http_post.h"
#include "fake_https.h"
#include "fake_post.h"
#include "tests/unit/cp/tls/library_memory.h"

#include <dlfcn.h>
#include <fcntl.h>

static struct fake_https server;
static struct http_post_reply reply;

FIXTURE(start, fake_https_start(&server))

FIXTURE(stop, fake_https_stop(&server))

static struct http_post *post_open(const char *ca_file)
{
	struct http_post *p;
	const struct http_post_settings s = {.ca_file = ca_file};
	assert_int_equal(http_post_open(&p, &s), 0);
	return p;
}

static int send_to(
	struct http_post *p, const char *host, unsigned port, const char *path, unsigned timeout_ms)
{
	const char *url = text_from("https://%s:%u%s", host, port, path);
	const struct http_post_request r = {
		.url = url, .body = "sent", .len = 4, .timeout_ms = timeout_ms};
	int err = http_post(p, &r, &reply);
	assert_true(!err == !reply.why[0]);
	return err;
}

// A busy machine may keep the server from its handshake for the 2 s that a connection has; then it
// has heard of no request.
static int send_patiently(struct http_post *p, const char *host, const char *path)
{
	int err = -ETIMEDOUT;
	for (unsigned i = 0; err == -ETIMEDOUT && i < 10; i++)
		err = send_to(p, host, server.port, path, 20000);
	return err;
}

static int send_path(struct http_post *p, const char *path)
{
	return send_patiently(p, "127.0.0.1", path);
}

TEST(test_whom_the_file_vouches_for)
{
	struct http_post *p = post_open(server.ca);
	assert_int_equal(send_path(p, "/first"), 0);
	assert_int_equal(reply.status, 204);
	assert_int_equal(send_path(p, "/first"), 0);
	assert_int_equal(fake_https_count(&server, "POST /first "), 2);
	assert_int_equal(fake_https_count(&server, " sent"), 2);
	http_post_close(p);
}

// Nothing of the body may reach who is not trusted.
static void refused(const char *ca_file, const char *host, const char *why)
{
	struct http_post *p = post_open(ca_file);
	assert_int_equal(send_patiently(p, host, "/refused"), -EKEYREJECTED);
	assert_true(reply.is_unsent);
	assert_int_equal(reply.status, 0);
	if (!strstr(reply.why, why))
		fail_msg("\"%s\" does not say \"%s\"", reply.why, why);
	http_post_close(p);
	assert_int_equal(fake_https_count(&server, "/refused"), 0);
}

TEST(test_who_is_not_trusted)
{
	refused(server.other, "127.0.0.1", "certificate");
	refused("", "127.0.0.1", "certificate"); // the system's authorities
	refused(NULL, "127.0.0.1", "certificate");
	refused(server.ca, "localhost", "localhost"); // the certificate is of 127.0.0.1
	refused("/nowhere/ca.pem", "127.0.0.1", "");
}

// One of an authority that the file vouches for; without these points it is good.
TEST(test_points_relative_to_the_issuer)
{
	refused(server.ca, "127.0.0.2", "certificate chain too long");
}

// By the list of the authority, which stands in the same file.
TEST(test_a_revoked_server)
{
	char file[128];
	snprintf(file, sizeof(file), "%s/revoked.pem", server.folder);
	refused(file, "127.0.0.1", "revoked");
	snprintf(file, sizeof(file), "%s/listed.pem", server.folder);
	struct http_post *p = post_open(file);
	assert_int_equal(send_path(p, "/listed"), 0);
	http_post_close(p);
}

static void file_put(const char *from, const char *to)
{
	static char text[65536];
	const int in = open(from, O_RDONLY | O_CLOEXEC);
	const int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(in >= 0 && out >= 0);
	const ssize_t len = read(in, text, sizeof(text));
	assert_true(len > 0 && len < (ssize_t)sizeof(text));
	assert_int_equal(write(out, text, (size_t)len), len);
	close(in);
	close(out);
}

// Each connection verifies the server again, by what the file has by then.
TEST(test_another_file_of_that_name)
{
	char file[128], part[128];
	snprintf(file, sizeof(file), "%s/changes.pem", server.folder);
	file_put(server.ca, file);
	const _Atomic bool single = true;
	const struct http_post_settings s = {.ca_file = file, .single = &single};
	struct http_post *p;
	assert_int_equal(http_post_open(&p, &s), 0);
	assert_int_equal(send_path(p, "/changes"), 0);
	snprintf(part, sizeof(part), "%s/revoked.pem", server.folder);
	file_put(part, file);
	assert_int_equal(send_path(p, "/revoked"), -EKEYREJECTED);
	file_put(server.other, file);
	assert_int_equal(send_path(p, "/other"), -EKEYREJECTED);
	file_put(server.ca, file);
	assert_int_equal(send_path(p, "/changes"), 0);
	assert_int_equal(fake_https_count(&server, "POST /changes "), 2);
	assert_int_equal(fake_https_count(&server, "/revoked"), 0);
	assert_int_equal(fake_https_count(&server, "/other"), 0);
	http_post_close(p);
}

TEST(test_a_redirect_leads_nowhere)
{
	struct http_post *p = post_open(server.ca);
	assert_int_equal(send_path(p, "/redirect"), 0);
	assert_int_equal(reply.status, 307);
	assert_int_equal(fake_https_count(&server, "/elsewhere"), 0);
	http_post_close(p);
}

TEST(test_replies_without_an_end)
{
	struct http_post *p = post_open(server.ca);
	assert_int_equal(send_path(p, "/endless"), -EFBIG);
	uint64_t began_ms = clock_mono_ms();
	assert_int_equal(send_to(p, "127.0.0.1", server.port, "/drop", 400), -ETIMEDOUT);
	assert_true(clock_mono_ms() - began_ms >= 390);
	assert_int_equal(send_path(p, "/after"), 0);
	http_post_close(p);
}

static int never(void *, const struct fake_post_request *, char[1024])
{
	return FAKE_POST_SILENT;
}

// Who takes the connection and says nothing in the handshake.
TEST(test_a_handshake_without_an_end)
{
	struct fake_post plain = {.answer = never};
	struct http_post *p = post_open(server.ca);
	fake_post_start(&plain);
	assert_int_equal(send_to(p, "127.0.0.1", plain.port, "/", 300), -ETIMEDOUT);
	assert_true(reply.is_unsent);
	http_post_close(p);
	fake_post_stop(&plain);
}

TEST(test_when_to_ask_again)
{
	struct http_post *p = post_open(server.ca);
	assert_int_equal(send_path(p, "/limited?7"), 0);
	assert_int_equal(reply.status, 429);
	assert_int_equal(reply.retry_after_s, 8);
	assert_int_equal(send_path(p, "/limited?1.5"), 0);
	assert_true(reply.retry_after_s == 2);
	assert_int_equal(send_path(p, "/limited?-4"), 0);
	assert_int_equal(reply.retry_after_s, 0);
	assert_int_equal(send_path(p, "/limited?soon"), 0);
	assert_int_equal(reply.retry_after_s, 0);
	assert_int_equal(send_path(p, "/dated"), 0);
	assert_in_range(reply.retry_after_s, 60, 121);
	assert_int_equal(send_path(p, "/after"), 0);
	assert_int_equal(reply.retry_after_s, 0);
	http_post_close(p);
}

// Of the TLS library, where that is OpenSSL.
TEST(test_its_memory_is_counted)
{
	struct http_post *p = post_open(server.ca);
	assert_int_equal(send_path(p, "/first"), 0);
	http_post_close(p);
	if (!dlsym(RTLD_DEFAULT, "CRYPTO_set_mem_functions"))
		skip();
	const struct mem_sum sum = library_memory();
	assert_true(sum.made > 1000);
	assert_true(sum.bytes > 10000 && sum.bytes < sum.made_bytes);
}

TEST_GROUP(start, stop)
