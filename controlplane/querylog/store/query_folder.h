// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The folder of the query store: queries-<date>T<hour>-<part>.sqlite, in UTC, with what SQLite puts
// beside each. Files with other names are not touched. Blocking file I/O.

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

enum { QUERY_PARTS_MAX = 999, QUERY_FILES_MAX = 16384, QUERY_HOUR_MAX = 8765832 /* year 2970 */ };
enum { QUERY_TRY_BYTES = 256 * 1024 }; // more than a file without rows takes

struct query_folder_file {
	int64_t hour; // hours since 1970
	unsigned part;
	uint64_t bytes; // with its WAL
};

struct query_folder {
	unsigned count;
	uint64_t bytes;
	struct query_folder_file *file; // oldest first
};

// Makes the folder, 0700, if it is missing, but none above it.
ATTR_MUST_CHECK int query_folder_make(const char *path);
// Whether the folder takes a file of QUERY_TRY_BYTES, which goes again. -errno.
ATTR_MUST_CHECK int query_folder_try(const char *path);
// Lists the present files, at most QUERY_FILES_MAX. -errno.
ATTR_MUST_CHECK int query_folder_scan(struct query_folder *out, const char *path);
void query_folder_free(struct query_folder *f);

ATTR_MUST_CHECK int query_folder_path(
	const char *folder, int64_t hour, unsigned part, char out[PATH_MAX]);
// Bytes of a file and its WAL, 0 for a missing file.
uint64_t query_folder_bytes(const char *path);
// May the file have rows from `since_us` on and before `until_us`?
bool query_folder_in_time(const struct query_folder_file *f, int64_t since_us, int64_t until_us);
ATTR_MUST_CHECK int query_folder_remove(const char *folder, const struct query_folder_file *f);
