// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The file of the query store that is being written: one hour's rows, or a part of them.
//
// Owned by the store's thread. Rows gather in one transaction, which query_file_commit ends; a kill
// before it loses these rows and nothing else. The journal is a WAL, so searches can read during a
// write, and a commit does not wait for the disk. Only checkpoints do (synchronous=NORMAL): those
// of query_file_sync, and one each 4 MiB. So a power cut costs the rows committed since the last
// checkpoint, and leaves a sound file. After any failure the file must be closed.

#include "querylog/querylog.h"
#include "sql.h"

// A Bloom filter of the names and clients of a query store file, so that a search for a name or
// client that the file does not have need not read its rows.
//
// The filter is in pages of 4 KiB, a row each of the table `absent`; a text is in one page, so a
// lookup reads one row. It has two bytes for each name of the file and four for each client, 1 MiB
// at most. The writer stores it when it closes the file, and drops it when it opens the file again
// for rows. A file that a kill left open therefore has none, and a search reads it whole. A forged
// filter does no more than hide rows of its file from a search.
//
// The filter has each name and all its parents, in lower case, so that a search for a name and all
// names below it is one lookup.

enum { QUERY_ABSENT_PAGE = 4096, QUERY_ABSENT_PAGES_MAX = 256 };

// False: the file has neither the name nor one below it, or not the client; "": any. True: it may
// have them, or has no filter.
bool query_absent_may_have(struct sql *db, const char *name, const char *client);

enum { QUERY_NAMES_CACHED = 1 << 16, QUERY_CLIENTS_CACHED = 1 << 12, QUERY_KINDS_CACHED = 1 << 12 };

struct query_file;

// Makes a writer, which opens one file after the other. -ENOMEM, -errno of getrandom(2).
ATTR_MUST_CHECK int query_file_new(struct query_file **out);
void query_file_free(struct query_file *f); // closes the file. NULL is fine

// `hour`: hours since 1970. Continues an existing file of that hour. -EUCLEAN: damaged or foreign;
// other -errno of sql.h.
ATTR_MUST_CHECK int query_file_open(struct query_file *f, const char *path, int64_t hour);
// Closes without a commit: rows since the last commit are lost.
void query_file_close(struct query_file *f);

ATTR_MUST_CHECK int query_file_put(
	struct query_file *f, const char *box, const struct querylog_row *row, uint64_t weight);
ATTR_MUST_CHECK int query_file_commit(struct query_file *f); // does nothing if no row was put
// Makes a checkpoint: afterwards all committed rows are on the disk, also while others read the
// file. Waits for the disk twice. -errno of sql.h.
ATTR_MUST_CHECK int query_file_sync(struct query_file *f);

// Removes the journal of a file that is not open for writing, which a reader prevented at its end
// or a kill left. If a reader still prevents it, the journal stays. Waits for the disk.
void query_file_settle(const char *path);

uint64_t query_file_memory(void); // bytes of the caches of a query_file
// Number of texts whose numbers are cached, and of texts evicted from the cache.
void query_file_texts(const struct query_file *f, uint64_t *used, uint64_t *evicted);
