// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// For test_http_api: a jemalloc whose profiles are as the test says, and the result of a request
// for one. heap.c takes jemalloc as present if there is a mallctl.

#include "controlplane/memory/heap.h"
#include "tests/unit/cp/http/http_client.h"

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
