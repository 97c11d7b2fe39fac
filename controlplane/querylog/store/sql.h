// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One SQLite database file. The one includer of sqlite3 in the control plane.
//
// A connection and its statements belong to one thread at a time. Statements are constants; text
// from outside is bound, never written into one. A file is not trusted: numbers may have any value,
// texts any bytes, and its schema may call no function with side effects. Errors are -errno:
// -ENOSPC disk full, -EUCLEAN damaged or no database, -EBUSY locked by another for SQL_BUSY_MS,
// -EROFS, -EACCES, -ENOENT, -ECANCELED stopped by its deadline, -ENOMEM, -EIO.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { SQL_BUSY_MS = 500, SQL_CACHE_KIB = 2048 };

struct sql;
struct sql_statement;

enum sql_mode {
	SQL_READ,  // the file must exist; undoes the unfinished work of a killed writer
	SQL_WRITE, // made if it is missing, 0600
};

// The last component of `path` must be no symbolic link.
ATTR_MUST_CHECK int sql_open(struct sql **out, const char *path, enum sql_mode mode);
// The caller has freed all statements. NULL is fine.
void sql_close(struct sql *s);
// How many files SQLite has open in this process. Any thread.
unsigned sql_files(void);

// From now on a statement of this connection ends with -ECANCELED once `stop` returns true; it is
// called each few thousand steps of SQLite's machine.
void sql_stop_when(struct sql *s, bool (*stop)(void *arg), void *arg);

// Runs one or more statements without parameters and results.
ATTR_MUST_CHECK int sql_run(struct sql *s, const char *constant);
// Runs a statement whose result is one number, such as a pragma.
ATTR_MUST_CHECK int sql_number(struct sql *s, const char *constant, int64_t *out);
// Makes a checkpoint: afterwards all that was committed is on the disk, in the file or, where a
// reader or another checkpoint prevents the copy, in the write-ahead log. Waits for the disk, but
// not for readers.
ATTR_MUST_CHECK int sql_checkpoint(struct sql *s);

ATTR_MUST_CHECK int sql_prepare(struct sql *s, const char *constant, struct sql_statement **out);
void sql_free(struct sql_statement *t); // NULL is fine

// Parameters count from 1. A binding stays; text and bytes must stay valid until sql_reset.
void sql_bind(struct sql_statement *t, int at, int64_t value);
void sql_bind_text(struct sql_statement *t, int at, const char *text, size_t len);
void sql_bind_bytes(struct sql_statement *t, int at, const void *bytes, size_t len);

// 1: a row; 0: done; -errno.
ATTR_MUST_CHECK int sql_step(struct sql_statement *t);
void sql_reset(struct sql_statement *t);
// Steps and resets a statement that has no rows.
ATTR_MUST_CHECK int sql_do(struct sql_statement *t);
int64_t sql_last_id(const struct sql *s); // id of the row inserted last

// Columns of the row count from 0. A text is cut to `cap` - 1 bytes; bytes that no text of weir has
// (under 0x20, 0x7f and over) become '?'.
int64_t sql_column(struct sql_statement *t, int at);
void sql_column_text(struct sql_statement *t, int at, char *out, size_t cap);
// Copies the column if it has `cap` bytes at most; else 0.
size_t sql_column_bytes(struct sql_statement *t, int at, void *out, size_t cap);
