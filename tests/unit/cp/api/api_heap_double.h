// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// For test_http_api: a jemalloc whose profiles are as the test says, the result of a request for
// one, and sockets. heap.c takes jemalloc as present if there is a mallctl.

#include "controlplane/memory/heap.h"
#include "tests/unit/cp/http/http_client.h"

#include <arpa/inet.h>

static struct {
	_Atomic bool can_profile;
	_Atomic size_t bytes; // of a dump
	_Atomic unsigned dumps;
} double_heap;

int mallctl(const char *name, void *out, size_t *, void *in, size_t);
int mallctl(const char *name, void *out, size_t *, void *in, size_t)
{
	if (strcmp(name, "opt.prof") == 0) {
		*(bool *)out = double_heap.can_profile;
		return 0;
	}
	if (strcmp(name, "prof.dump") != 0)
		return ENOENT;
	int fd = open(*(const char **)in, O_WRONLY | O_CLOEXEC);
	int rc = fd < 0 || ftruncate(fd, (off_t)double_heap.bytes) < 0;
	if (rc == 0 && double_heap.bytes > 4)
		rc = pwrite(fd, "heap", 4, 0) != 4;
	if (fd >= 0)
		close(fd);
	double_heap.dumps++;
	return rc ? EFAULT : 0;
}

// Asks until it is 429, which a machine that takes dumps so slowly that none comes too soon says
// later; the other replies are `status` all of them.
static inline void heap_double_limited(const char *request, int status)
{
	int got = 0;
	for (unsigned tries = 0; got != 429 && tries < 20; tries++) {
		got = ask(request);
		if (got != 429)
			assert_int_equal(got, status);
	}
	assert_int_equal(got, 429);
}

TEST(test_heap_dumps)
{
	// None was taken, so none was taken just now.
	for (unsigned i = 0; i < 2; i++)
		assert_reply("GET /debug/heap", 409, "no heap profiles");
	assert_int_equal(double_heap.dumps, 0);
	double_heap.can_profile = true;
	double_heap.bytes = 4096;
	assert_reply("GET /debug/heap", 200, "heap");
	heap_double_limited("GET /debug/heap", 200);
	// One that is too large took as long as one that is sent.
	double_heap.bytes = (size_t)HEAP_DUMP_MAX + 1;
	int status = 429;
	WAIT_FOR(status != 429, status = ask("GET /debug/heap"));
	assert_int_equal(status, 500);
	heap_double_limited("GET /debug/heap", 500);
	// A new rate forgets the samples, so a baseline is taken before: no more often than dumps.
	// This jemalloc then refuses the rate.
	assert_reply("POST /heap/on?sample_lg=12", 500, "heap profile");
	heap_double_limited("POST /heap/on?sample_lg=12", 500);
}

TEST(test_profiles)
{
	assert_reply("GET /profile/cpu?seconds=0", 400, "seconds");
	assert_reply("GET /profile/cpu?seconds=101", 400, "seconds");
	assert_reply("POST /profile/alloc", 405, "GET");
	assert_reply("GET /profile/alloc", 200, "heap profile: ");
	assert_reply("GET /profile/threads", 200, "threads profile: total ");
	assert_reply("GET /profile/alloc", 200, "MAPPED_LIBRARIES:");
}

static int listener_make(const char *address, struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	*at = (struct sockaddr_in){.sin_family = AF_INET};
	assert_int_equal(inet_pton(AF_INET, address, &at->sin_addr), 1);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	return fd;
}

// A client at 127.7.7.7, and the server that it asks, at 127.8.8.8. What the log hides of clients
// stands in no reply to anybody.
TEST(test_hidden_clients)
{
	struct sockaddr_in at, from = {.sin_family = AF_INET};
	const int listener = listener_make("127.8.8.8", &at);
	const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(inet_pton(AF_INET, "127.7.7.7", &from.sin_addr), 1);
	assert_int_equal(bind(client, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	const int server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	assert_reply("GET /connections", 200, "\"peer\":\"127.7.7.7:", "\"peer\":\"127.7.7.7\"");
	config.query_log.anonymize = LOG_CLIENTS_TRUNCATED;
	assert_reply("GET /connections", 200, "\"peer\":\"127.7.7.0\",\"unread\"",
		"\"peer\":\"127.7.7.0\",\"sockets\":1,", "\"peer\":\"127.8.8.8:");
	assert_null(strstr(reply, "\"peer\":\"127.7.7.7"));
	assert_reply("GET /tcp", 200, "\"busiest\":\"198.18.0.0\"");
	config.query_log.anonymize = LOG_CLIENTS_HASHED;
	assert_reply("GET /connections", 200, "\"peer\":\"0000000000000000\",\"sockets\":1,");
	assert_null(strstr(reply, "\"peer\":\"127.7.7"));
	assert_reply("GET /tcp", 200, "\"busiest\":\"0000000000000000\"");
	config.query_log.anonymize = LOG_CLIENTS_WHOLE;
	close(server);
	close(client);
	close(listener);
}
