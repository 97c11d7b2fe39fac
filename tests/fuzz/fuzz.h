// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What every fuzz body shares. A body runs one input; it returns 0, or does not return at all when
// a property is broken. The same body is linked by libFuzzer (option `fuzz`) and by replay.c.

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_CHECK(property)                                                                   \
	do {                                                                                   \
		if (!(property)) {                                                             \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #property); \
			abort();                                                               \
		}                                                                              \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
// Before the first input, where a body has one.
int LLVMFuzzerInitialize(int *argc, char ***argv);
