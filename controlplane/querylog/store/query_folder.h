// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The folder of the query store: queries-<date>T<hour>-<part>.sqlite, in UTC, with what SQLite puts
// beside each. Files with other names are not touched. Blocking file I/O.

#include "querylog/retention.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

enum { QUERY_PARTS_MAX = 999, QUERY_FILES_MAX = 16384, QUERY_HOUR_MAX = 8765832 /* year 2970 */ };
enum { QUERY_TRY_BYTES = 256 * 1024 }; // more bytes than a file without rows takes

struct query_folder_file {
	int64_t hour; // hours since 1970
	unsigned part;
	uint64_t bytes; // bytes with its WAL
	bool has_wal;
};

struct query_folder {
	unsigned count;
	uint64_t bytes;
	struct query_folder_file *file; // oldest first
};

// Makes the folder, 0700, if it is missing, but not its parents.
ATTR_MUST_CHECK int query_folder_make(const char *path);
// Tries to write a file of QUERY_TRY_BYTES and deletes it. -errno.
ATTR_MUST_CHECK int query_folder_try(const char *path);
// Lists the present files, at most QUERY_FILES_MAX. -errno.
ATTR_MUST_CHECK int query_folder_scan(struct query_folder *out, const char *path);
void query_folder_free(struct query_folder *f);

ATTR_MUST_CHECK int query_folder_path(
	const char *folder, int64_t hour, unsigned part, char out[PATH_MAX]);
// Bytes of a file and its WAL, 0 for a missing file.
uint64_t query_folder_bytes(const char *path);
// Whether the file may have rows from `since_us` on and before `until_us`.
bool query_folder_in_time(const struct query_folder_file *f, int64_t since_us, int64_t until_us);

// How long and how many bytes a folder keeps, and how far the clock is ahead.
struct query_keep {
	unsigned hours;
	uint64_t max_bytes;
	struct retention retention;
	int64_t clock_ahead_s; // how far the clock is ahead (retention.h); 0: it is trusted
	uint64_t tell_ms;      // when a file that cannot be deleted is logged again
	unsigned tidied;       // calls of query_folder_tidy
};

struct query_tidied {
	bool is_read;     // false: the folder could not be read, and the other fields mean nothing
	unsigned files;   // files that are left
	uint64_t bytes;   // bytes of the files that are left
	uint64_t dropped; // files deleted
	int64_t oldest_unix_s; // start of the oldest file's hour; 0: no file is left
	// A file that is not open and has a WAL, one after the other from call to call; hour -1:
	// there is no such file.
	struct query_folder_file with_wal;
};

// Deletes files that are too old or too many, so that `room` bytes are free: the oldest first,
// files of the future before or after them (retention.h). Never deletes `open` (may be NULL), nor
// the newest file of the present. A file that cannot be deleted stays; the log names one each hour.
// `clock_s`: the time. -ENOMEM, -errno of reading the folder; of deleting a file, where those that
// stay are over max_bytes.
ATTR_MUST_CHECK int query_folder_tidy(const char *path, struct query_keep *k, int64_t clock_s,
	const struct query_folder_file *open, uint64_t room, struct query_tidied *out);
