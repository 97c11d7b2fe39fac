// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which weir this is. The libraries do not know, so that a commit changes no object of theirs: a
// program tells them at its start, before it has a second thread.

enum { BUILD_TEXT_MAX = 64 };

struct build {
	const char *version; // 0.1.0+git20261127154101.f766dca3, .dirty behind it: tools/version
	const char *commit;  // 40 hexadecimal digits, or "unknown"
};

extern const struct build build_here; // linked into programs alone; tools/version makes it

void build_take(const struct build *b); // stays the caller's, until the process ends
// Without build_take: the version alone, of no known commit.
const struct build *build_this(void);
