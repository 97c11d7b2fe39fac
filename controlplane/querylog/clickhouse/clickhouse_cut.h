// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A chunk that is too large for a server, or for a proxy before it, in two halves of its rows.
//
// The body is unpacked, read row by row by its columns (clickhouse_layout.h), and made into two
// bodies whose rows have the number of their half (clickhouse_number.h) in place of that of the
// chunk. The chunk may come from a file: it is refused unless its rows and weight match its head.
//
// Takes 16 MiB for some 0.1 s with the largest chunk. One thread, the sender's.

#include "clickhouse_file.h"

struct clickhouse_half {
	struct clickhouse_spooled what;
	void *body; // to be freed
};

// `columns` NULL: of this build. -EINVAL: it has one row; -EBADMSG: it is not what it says;
// -E2BIG: cut too often; -ENOMEM, -EIO.
ATTR_MUST_CHECK int clickhouse_cut(const char *columns, const struct clickhouse_spooled *what,
	const void *body, struct clickhouse_half half[2]);
// The same rows, compressed otherwise: for a server that does not know the coding of before. *body
// is freed and replaced. -EBADMSG: it is not what it says; -ENOMEM, -EIO: nothing is changed.
ATTR_MUST_CHECK int clickhouse_recode(
	struct clickhouse_spooled *what, void **body, enum clickhouse_coding coding);
