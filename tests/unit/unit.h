// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// cmocka and the headers that it wants before it, in its order, and those of the C library and of
// weir that many tests use. Each unit test includes this, and none of them again.

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/log.h>
#include <weir/sanitized.h>

#define WAIT_FAILS(file, line) _fail(file, line)
#include "wait.h"

// For work that a sanitizer makes many times slower: it is done in the trees without one.
enum { UNIT_IS_SANITIZED = SANITIZED_ADDRESS };

// A case, and the function that is it, up to its body. A file's cases are a module of its name
// without "test_", run in the file's order by a program that has many: PROGRAM MODULE
// (unit_main.c), each module in a process of its own. Before and after a case go `setup` and
// `teardown`, which may be NULL; before and after all of a file's, those of its TEST_GROUP.
struct unit_case {
	struct CMUnitTest test; // test_func NULL: a TEST_GROUP
	const char *file;
	int line;
	struct unit_case *next;
};
void unit_add(struct unit_case *c);

#define UNIT_ADD(fn, ...)                                                                \
	__attribute__((constructor)) static void fn##_add(void)                          \
	{                                                                                \
		static struct unit_case unit_self = {                                    \
			.test = {__VA_ARGS__}, .file = __BASE_FILE__, .line = __LINE__}; \
		unit_add(&unit_self);                                                    \
	}
#define TEST_WITH(fn, setup, teardown)               \
	static void fn(void **unit_state);           \
	UNIT_ADD(fn, #fn, fn, setup, teardown, NULL) \
	static void fn([[maybe_unused]] void **unit_state)
#define TEST(fn)                    TEST_WITH(fn, NULL, NULL)
#define TEST_GROUP(setup, teardown) UNIT_ADD(unit_group, "", NULL, setup, teardown, NULL)

// A setup or a teardown that is one statement, or has one result.
#define FIXTURE(fn, ...)       \
	static int fn(void **) \
	{                      \
		__VA_ARGS__;   \
		return 0;      \
	}
#define FIXTURE_OF(fn, ...)         \
	static int fn(void **)      \
	{                           \
		return __VA_ARGS__; \
	}

// Behind the case, before its teardown, comes end(what), the last one first, even if the case
// failed; behind all cases, where a TEST_GROUP asks for it.
void unit_at_end(void (*end)(void *), void *what);
// FN_at_end() for a function FN of another type of pointer.
#define UNIT_END_OF(fn, type)                      \
	static inline void fn##_at_end(void *what) \
	{                                          \
		fn((type *)what);                  \
	}
// A text until the end of the case.
__attribute__((format(printf, 1, 2))) char *text_from(const char *format, ...);

#include "folder.h"
#include "of_text.h"
