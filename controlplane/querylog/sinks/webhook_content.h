// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Discord's form of a webhook's message: text for people under WEBHOOK_CONTENT_MAX bytes, cut at
// the end of a line, without mentions.

#include <stddef.h>
#include <weir/attr.h>

enum { WEBHOOK_CONTENT_MAX = 1900 };

struct webhook_content { // zeros: empty
	char text[WEBHOOK_CONTENT_MAX];
	size_t len;
};

void webhook_content_line(struct webhook_content *c, const char *fmt, ...) ATTR_PRINTF(2, 3);
// Text that stands between backticks, in `out`: what a client or a server sent may have some.
const char *webhook_harmless(const char *from, char *out, size_t cap);
// malloced, or NULL: no memory.
ATTR_MUST_CHECK char *webhook_discord(const struct webhook_content *c);
