// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The head of an HTTP/1.x request, from bytes that we do not trust. No state, no allocation.

#include <stdbool.h>
#include <stddef.h>
#include <weir/attr.h>

enum { HTTP_TARGET_MAX = 4096 };

struct http_head {
	bool post; // else GET
	size_t head_len, body_len;
	char target[HTTP_TARGET_MAX]; // path and query, still encoded, printable ASCII
};

// 0: more octets are needed. 200: `out` is filled in. Else the status to refuse with (400, 405,
// 413, 414, 431, 501, 505). `body_max`, `head_max`: bounds of either part.
ATTR_MUST_CHECK unsigned http_head_parse(
	const char *text, size_t len, size_t head_max, size_t body_max, struct http_head *out);
