// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Request bodies for ClickHouse on disk, until a server has taken them: a folder with a file for
// each, oldest first, bounded in octets.
//
// A file is written whole under another name, synced and renamed, so what is there after a power
// cut is whole. Its name says all that is known of it: run, number, hour, rows, weight and coding.
// What does not fit makes the oldest go, which is counted; a body that is larger than the whole
// spool, or that the disk does not take, is refused. Files of other names are left alone,
// unfinished ones removed at open.
//
// One thread. The list of names is in memory: CLICKHOUSE_SPOOL_FILES_MAX of 48 octets.

#include "clickhouse_pack.h"
#include "clickhouse_row.h"

#include <limits.h>

enum { CLICKHOUSE_SPOOL_FILES_MAX = 16384 };

struct clickhouse_spooled {
	struct clickhouse_chunk chunk;
	uint32_t rows;
	uint32_t coding; // enum clickhouse_coding
	uint32_t hour;   // since 1970, of all its rows
	uint64_t weight;
	uint64_t bytes;
};

struct clickhouse_spool {
	char folder[PATH_MAX - 256];
	uint64_t max_bytes;
	struct clickhouse_spooled *file; // a ring of CLICKHOUSE_SPOOL_FILES_MAX
	unsigned first, count;
	bool is_first_held; // it is being sent: others go before it does
	uint64_t bytes;
	uint64_t dropped_files, dropped_rows, dropped_weight;
};

// Makes the folder, reads what is there. -ENOMEM, -ENAMETOOLONG, -errno of the folder.
ATTR_MUST_CHECK int clickhouse_spool_open(
	struct clickhouse_spool *s, const char *folder, uint64_t max_bytes);
void clickhouse_spool_close(struct clickhouse_spool *s); // the files stay

// Whether so many octets more would make nothing go. A body larger than the spool never has room.
bool clickhouse_spool_has_room(const struct clickhouse_spool *s, uint64_t bytes);
// Behind all others. -EFBIG, -errno of the disk: nothing was kept of it, and none dropped for it
// but by size.
ATTR_MUST_CHECK int clickhouse_spool_put(
	struct clickhouse_spool *s, const struct clickhouse_spooled *what, const void *body);
// Before all others, held: what was taken out of memory before they came. Nothing is dropped for
// it: -ENOSPC, -errno of the disk.
ATTR_MUST_CHECK int clickhouse_spool_put_first(
	struct clickhouse_spool *s, const struct clickhouse_spooled *what, const void *body);
// The oldest; NULL: none.
const struct clickhouse_spooled *clickhouse_spool_first(const struct clickhouse_spool *s);
// Its body, to be freed. -ENOMEM, -errno of the disk, -EIO: shorter than it was.
ATTR_MUST_CHECK int clickhouse_spool_read(const struct clickhouse_spool *s, void **body);
void clickhouse_spool_remove(struct clickhouse_spool *s); // the oldest, held or not
