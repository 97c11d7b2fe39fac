// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What a file of the query store has not: a Bloom filter of its names and clients, so that a search
// for one that is not there need not read the rows.
//
// The filter is in pages of 4 KiB, a row each of the table `absent`; a text is in one page, so a
// look reads one row. It has two octets for each name of the file and four for each client, 1 MiB
// at most. It is written when the file is closed and dropped when it is opened again for rows, so a
// file that a kill left open has none, and is read whole. Of one that a stranger wrote nothing
// follows but that a search finds less in that file.
//
// A name is in it with all its parents, in lower case, so that "it or below it" is one look.

#include "sql.h"

enum { QUERY_ABSENT_PAGE = 4096, QUERY_ABSENT_PAGES_MAX = 256 };

// In a transaction of its own. -errno; then there is none.
ATTR_MUST_CHECK int query_absent_write(struct sql *db);
ATTR_MUST_CHECK int query_absent_drop(struct sql *db);

// False: the file has no such name, nor one below it, or no such client; "": any will do. True:
// perhaps, or there is no filter.
bool query_absent_may_have(struct sql *db, const char *name, const char *client);
