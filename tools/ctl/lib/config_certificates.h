// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Can a certificate and its key be used: are they there, readable, and of each other? Reads both
// files. The library is OpenSSL 3.

#include <stdbool.h>
#include <time.h>
#include <weir/attr.h>

// NULL: they can; else why not, and whether the file of the key is to blame.
const char *config_certificate_wrong(const char *cert, const char *key, bool *is_of_key);
// The same for a file of authorities.
const char *config_authorities_wrong(const char *path);

enum { CONFIG_PEM_MAX = 1 << 20, CONFIG_ENDS_MAX = 256, CONFIG_END_NAME_MAX = 128 };

// A certificate, or a list of revoked ones, and when it ends.
struct config_end {
	char name[CONFIG_END_NAME_MAX]; // of its subject; of a list, of its issuer. As it stands
	bool is_list;
	bool lacks_list;     // an authority of which the file has no list, and it has others'
	time_t begins, ends; // 0: it has no end
};
// Those of a PEM file, CONFIG_ENDS_MAX at most; returns how many. 0: *why says why there are none.
ATTR_MUST_CHECK unsigned config_ends_read(
	const char *path, struct config_end out[CONFIG_ENDS_MAX], const char **why);
