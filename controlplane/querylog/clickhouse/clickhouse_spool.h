// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Request bodies for ClickHouse on disk, until a server has taken them: a folder with a file for
// each, oldest first, bounded in octets and in files.
//
// A file is written whole under another name, synced and renamed, so what is there after a power
// cut is whole. Its name says run, number, hour, rows, weight and coding, its head that again, who
// wrote it and in which columns (clickhouse_file.h). What does not fit makes the oldest go, which
// is counted, as does what is over CLICKHOUSE_SPOOL_FILES_MAX when the folder is opened; a body
// that is larger than the whole spool, or that the disk does not take, is refused. Files of other
// names are left alone, unfinished ones removed at open.
//
// A file that cannot be read, or that a server cannot take in its columns, is put aside under
// another name for an operator to look at: CLICKHOUSE_ASIDE_MAX of them, and a quarter of the spool
// in octets beside it, at most; the oldest go. Its rows are counted as lost by the caller.
//
// One thread. The list of names is in memory: CLICKHOUSE_SPOOL_SLOTS of 48 octets.

#include "clickhouse_cut.h"

#include <limits.h>

enum {
	CLICKHOUSE_SPOOL_FILES_MAX = 16384,
	// Each cut of a chunk in two makes one more file, while its pieces are sent.
	CLICKHOUSE_SPOOL_SLOTS = CLICKHOUSE_SPOOL_FILES_MAX + 32,
	CLICKHOUSE_ASIDE_MAX = 16,
};

// Of two chunks the one whose rows are older comes first, as for qsort.
int clickhouse_spooled_order(
	const struct clickhouse_spooled *a, const struct clickhouse_spooled *b);

struct clickhouse_spool {
	char folder[PATH_MAX - 256];
	struct clickhouse_origin *own; // of what is put
	uint64_t max_bytes;
	struct clickhouse_spooled *file; // a ring of CLICKHOUSE_SPOOL_SLOTS
	unsigned first, count;
	bool is_first_held; // it is being sent: others go before it does
	uint64_t bytes;
	uint64_t dropped_files, dropped_rows, dropped_weight;
	struct clickhouse_spooled aside[CLICKHOUSE_ASIDE_MAX]; // oldest first
	unsigned aside_count;
	uint64_t aside_bytes;
};

// Makes the folder, reads what is there. -ENOMEM, -ENAMETOOLONG (of folder or box), -errno of the
// folder.
ATTR_MUST_CHECK int clickhouse_spool_open(
	struct clickhouse_spool *s, const char *folder, const char *box, uint64_t max_bytes);
void clickhouse_spool_close(struct clickhouse_spool *s); // the files stay

// Whether so many octets more would make nothing go. A body larger than the spool never has room.
bool clickhouse_spool_has_room(const struct clickhouse_spool *s, uint64_t bytes);
// By age, behind the one that is held. `origin` NULL: as we write it now. -EFBIG, -errno of the
// disk: nothing was kept of it, and none dropped for it but by size.
ATTR_MUST_CHECK int clickhouse_spool_put(struct clickhouse_spool *s,
	const struct clickhouse_spooled *what, const struct clickhouse_origin *origin,
	const void *body);
// Before all others, held: what was taken out of memory before they came. Nothing is dropped for
// it: -ENOSPC, -errno of the disk.
ATTR_MUST_CHECK int clickhouse_spool_put_first(struct clickhouse_spool *s,
	const struct clickhouse_spooled *what, const struct clickhouse_origin *origin,
	const void *body);
// The oldest; NULL: none.
const struct clickhouse_spooled *clickhouse_spool_first(const struct clickhouse_spool *s);
// Its body, to be freed, whose octets its entry knows from then on. *origin, to be freed too: who
// wrote it, NULL where that is as we would write it now. -ENOMEM, -errno of the disk, else as
// clickhouse_file_read.
ATTR_MUST_CHECK int clickhouse_spool_read(
	struct clickhouse_spool *s, void **body, struct clickhouse_origin **origin);
void clickhouse_spool_remove(struct clickhouse_spool *s); // the oldest, held or not
// The oldest, held or not, is nobody's any more: under another name, or gone.
void clickhouse_spool_put_aside(struct clickhouse_spool *s);
// Its two halves in the place of the oldest one, at once for whoever opens the folder later: until
// the whole is gone its pieces are none. `origin` as it was read. -errno of the disk, -ENOSPC:
// nothing is changed.
ATTR_MUST_CHECK int clickhouse_spool_cut(struct clickhouse_spool *s,
	const struct clickhouse_half half[2], const struct clickhouse_origin *origin);
