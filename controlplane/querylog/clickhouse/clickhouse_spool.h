// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The spool: chunks for ClickHouse on disk until a server has taken them, a folder with a file for
// each, oldest first, bounded in bytes and in files.
//
// A file is written whole under another name, synced and renamed, so the files are complete after a
// power cut. Its name has run, number, hour, rows, weight and coding; its head has these, the
// writer and the columns (clickhouse_outbox.h). A body that does not fit evicts the oldest file,
// which is counted; so do files over CLICKHOUSE_SPOOL_FILES_MAX when the folder is opened. A body
// that is larger than the whole spool, or that the disk does not accept, is refused. Files of other
// names are not touched; unfinished ones are removed at open.
//
// A file that cannot be read, or whose columns the server does not have, is kept under another name
// for the operator: at most CLICKHOUSE_ASIDE_MAX of them, and at most a quarter of the bytes of the
// spool in addition to it; the oldest are deleted. The caller counts its rows as lost.
//
// A spool belongs to one thread. Its list of files is in memory: CLICKHOUSE_SPOOL_SLOTS of 48
// bytes.

#include "clickhouse_chunk.h"

#include <limits.h>

enum {
	CLICKHOUSE_SPOOL_FILES_MAX = 16384,
	// Each cut of a chunk in two makes one more file, while its pieces are sent.
	CLICKHOUSE_SPOOL_SLOTS = CLICKHOUSE_SPOOL_FILES_MAX + 32,
	CLICKHOUSE_ASIDE_MAX = 16,
};

// Compares two chunks for qsort: the one whose rows are older comes first.
int clickhouse_spooled_order(
	const struct clickhouse_spooled *a, const struct clickhouse_spooled *b);

struct clickhouse_spool {
	char folder[PATH_MAX - 256];
	struct clickhouse_origin *own; // box and columns of chunks put without an origin
	uint64_t max_bytes;
	struct clickhouse_spooled *file; // a ring of CLICKHOUSE_SPOOL_SLOTS
	unsigned first, count;
	bool is_first_held; // the oldest is being sent; others are deleted before it
	uint64_t bytes;
	uint64_t dropped_files, dropped_rows, dropped_weight;
	struct clickhouse_spooled aside[CLICKHOUSE_ASIDE_MAX]; // oldest first
	unsigned aside_count;
	uint64_t aside_bytes;
};

// Creates the folder and reads its files. -ENOMEM, -ENAMETOOLONG (of folder or box), -errno of the
// folder.
ATTR_MUST_CHECK int clickhouse_spool_open(
	struct clickhouse_spool *s, const char *folder, const char *box, uint64_t max_bytes);
void clickhouse_spool_close(struct clickhouse_spool *s); // the files stay

// Whether `bytes` more fit without an eviction. A body larger than the spool never has room.
bool clickhouse_spool_has_room(const struct clickhouse_spool *s, uint64_t bytes);
// Puts a chunk among the others by age, behind the one that is held. `origin` NULL: this control
// plane's. -EFBIG, -errno of the disk: the chunk was not kept, although older ones may have been
// evicted for it.
ATTR_MUST_CHECK int clickhouse_spool_put(struct clickhouse_spool *s,
	const struct clickhouse_spooled *what, const struct clickhouse_origin *origin,
	const void *body);
// Puts a chunk that is older than all others first, held. Evicts nothing: -ENOSPC, -errno of the
// disk.
ATTR_MUST_CHECK int clickhouse_spool_put_first(struct clickhouse_spool *s,
	const struct clickhouse_spooled *what, const struct clickhouse_origin *origin,
	const void *body);
// The oldest; NULL: the spool is empty.
const struct clickhouse_spooled *clickhouse_spool_first(const struct clickhouse_spool *s);
// Reads the body of the oldest chunk, which the caller frees, and records its length in the chunk's
// entry. *origin, which the caller frees too: the writer and format; NULL: this control plane with
// its present columns. -ENOMEM, -errno of the disk, else as clickhouse_file_read.
ATTR_MUST_CHECK int clickhouse_spool_read(
	struct clickhouse_spool *s, void **body, struct clickhouse_origin **origin);
void clickhouse_spool_remove(struct clickhouse_spool *s); // the oldest, held or not
// Moves the oldest, held or not, aside under another name, or deletes it.
void clickhouse_spool_put_aside(struct clickhouse_spool *s);
// Replaces the oldest by its two halves, atomically for a later open: while the whole is there its
// pieces do not count. `origin` as it was read. -errno of the disk, -ENOSPC: nothing is changed.
ATTR_MUST_CHECK int clickhouse_spool_cut(struct clickhouse_spool *s,
	const struct clickhouse_half half[2], const struct clickhouse_origin *origin);

enum { CLICKHOUSE_INSTANCE_MAX = 17 };

// Distinguishes boxes of one name in TABLE_limits: the machine's id (machine-id(5)), hashed with
// the folder of the spool, as several control planes may run on one machine. 16 hexadecimal digits;
// "": the machine has no id.
void clickhouse_spool_instance(
	const char *machine_file, const char *folder, char out[CLICKHOUSE_INSTANCE_MAX]);
