// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files of a spool's folder: their names, and how they are written and read. For clickhouse_spool.c
// alone, which knows which there are.

#include "clickhouse_number.h"
#include "clickhouse_spool.h"

#include <fcntl.h>

// Reads a name; false unless the same fields give exactly that name.
ATTR_MUST_CHECK bool clickhouse_spool_name_read(
	const char *name, struct clickhouse_spooled *out, bool *is_aside);
void clickhouse_spool_tidy(const char *folder); // deletes unfinished files
void clickhouse_spool_unlink(const char *folder, const struct clickhouse_spooled *f, bool is_aside);
ATTR_MUST_CHECK int clickhouse_spool_rename_aside(
	const char *folder, const struct clickhouse_spooled *f); // -errno
ATTR_MUST_CHECK int clickhouse_spool_sync(const char *folder);   // -errno

// Bytes that a file has with its head.
uint32_t clickhouse_spool_file_bytes(
	const struct clickhouse_origin *origin, const struct clickhouse_spooled *what);
// Writes head and body under another name, syncs, renames and syncs. -errno: no file is left.
ATTR_MUST_CHECK int clickhouse_spool_write(const char *folder, const struct clickhouse_spooled *f,
	const struct clickhouse_origin *origin, const void *body);
// *body is to be freed; f->bytes is its length then. -ENOMEM, -errno of the disk, else as
// clickhouse_file_read.
ATTR_MUST_CHECK int clickhouse_spool_file_read(const char *folder, struct clickhouse_spooled *f,
	struct clickhouse_origin *origin, void **body);
