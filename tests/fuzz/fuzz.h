// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What every fuzz body shares. A body runs one input; it returns 0, or does not return at all when
// a property is broken. The same body is linked by libFuzzer (option `fuzz`) and by replay.c. The
// headers that most bodies use are here, and in none of them again.

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>

#define FUZZ_CHECK(property)                                                                   \
	do {                                                                                   \
		if (!(property)) {                                                             \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #property); \
			abort();                                                               \
		}                                                                              \
	} while (0)

// Heads of the function that takes an input, and of one to call before the first, where a body has
// one; it returns 0. With FUZZ_REPLAY a program has many bodies, each of its file's name.
#ifdef FUZZ_REPLAY
struct fuzz_part {
	const char *file;
	int (*begin)(int *, char ***);
	int (*body)(const uint8_t *data, size_t len); // NULL: this is a file's `begin`
	struct fuzz_part *next;
};
void fuzz_add(struct fuzz_part *p);

#define FUZZ_ADD(fn, ...)                                                            \
	__attribute__((constructor)) static void fn##_add(void)                      \
	{                                                                            \
		static struct fuzz_part part = {.file = __BASE_FILE__, __VA_ARGS__}; \
		fuzz_add(&part);                                                     \
	}
#define FUZZ_BODY(data, len)                                   \
	static int fuzz_body(const uint8_t *data, size_t len); \
	FUZZ_ADD(fuzz_body, .body = fuzz_body)                 \
	static int fuzz_body(const uint8_t *data, size_t len)
#define FUZZ_BEGIN                                \
	static int fuzz_begin(int *, char ***);   \
	FUZZ_ADD(fuzz_begin, .begin = fuzz_begin) \
	static int fuzz_begin(int *, char ***)
#else
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);
#define FUZZ_BODY(data, len) int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
#define FUZZ_BEGIN           int LLVMFuzzerInitialize(int *, char ***)
#endif
