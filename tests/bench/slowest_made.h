// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Messages that take as long to read as anybody can make them, and plain ones of the same sizes,
// for bench_slowest: the corpora have few of over 300 bytes.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum slow_parser { SLOW_QUERY, SLOW_NAME, SLOW_REPLY, SLOW_PARSERS };

struct slow_input {
	char name[64];
	uint8_t *bytes;
	size_t len;
	size_t at;    // SLOW_NAME: where it begins
	bool is_evil; // made to be slow: measured, and no part of the median
	bool is_whole;
	size_t size; // what the time is divided by
	unsigned calls;
	double ns; // of one call
};

struct slow_set {
	struct slow_input *input;
	size_t count, room;
};

// Copies the bytes; exits without memory.
void slow_add(struct slow_set *s, const struct slow_input *what);
void slow_make(enum slow_parser parser, struct slow_set *s);
