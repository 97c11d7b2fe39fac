// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Where a fetched list is kept: <state_directory>/lists/<id><ending>, the id being a hash of the
// URL. The control plane writes it there (list_files.h); the memory plan reads its size.

#include "keyhash.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LIST_FILE_ID_LEN = 16 };

static inline uint64_t list_file_id(const char *url)
{
	return contenthash(url, strlen(url));
}

// False: it does not fit.
static inline bool list_file_path(
	char *out, size_t cap, const char *state_directory, uint64_t id, const char *ending)
{
	int n = snprintf(out, cap, "%s/lists/%016" PRIx64 "%s", state_directory, id, ending);
	return n >= 0 && (size_t)n < cap;
}
