// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A Bloom filter of the names and clients of a query store file, so that a search for a name or
// client that the file does not have need not read its rows.
//
// The filter is in pages of 4 KiB, a row each of the table `absent`; a text is in one page, so a
// look reads one row. It has two bytes for each name of the file and four for each client, 1 MiB
// at most. The writer stores it when it closes the file, and drops it when it opens the file again
// for rows. A file that a kill left open therefore has none, and a search reads it whole. A forged
// filter does no more than hide rows of its file from a search.
//
// A name is in it with all its parents, in lower case, so that "it or below it" is one look.

#include "sql.h"

enum { QUERY_ABSENT_PAGE = 4096, QUERY_ABSENT_PAGES_MAX = 256 };

// Writes the filter in a transaction of its own. -errno: the file has no filter.
ATTR_MUST_CHECK int query_absent_write(struct sql *db);
ATTR_MUST_CHECK int query_absent_drop(struct sql *db);

// False: the file has no such name, nor one below it, or no such client; "": any will do. True:
// perhaps, or the file has no filter.
bool query_absent_may_have(struct sql *db, const char *name, const char *client);
