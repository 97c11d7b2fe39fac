// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Versions as Semantic Versioning 2.0.0 has them: 1.2.3, 1.2.3-rc.1, and build metadata behind a +,
// which decides nothing: 0.1.0+git20261127.f766dca3 is as new as 0.1.0. Pure; each text is read
// once.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum {
	UPDATE_VERSION_MAX = 63,          // bytes of a text
	UPDATE_NUMBER_MAX = 999 * 1000000 // of major, minor and patch
};

struct update_version {
	uint32_t number[3];
	char pre[UPDATE_VERSION_MAX + 1]; // "rc.1"; "": a release
};

// False: it is no version, a number too large or with a leading zero, or a text that is too long.
ATTR_MUST_CHECK bool update_version_read(const char *text, struct update_version *out);
// Below 0: `a` is older; 0: as new; above 0: newer.
int update_version_compare(const struct update_version *a, const struct update_version *b);
