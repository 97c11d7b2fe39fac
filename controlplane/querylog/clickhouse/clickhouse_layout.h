// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which columns the rows of a body have: "time DateTime('UTC'),time_us UInt32,...", in their order.
//
// RowBinary says nothing of itself, so rows that were spooled by one build and sent by another can
// only be read with the columns of the build that wrote them. Every spool file has them as that
// text (clickhouse_file.h); the INSERT names them, and the server is asked first whether it still
// has them. The text may come from a damaged or foreign file: nothing but identifiers and types
// known here is accepted. Pure, no allocation.

#include "clickhouse_row.h"

#include <weir/bytes.h>

enum {
	CLICKHOUSE_COLUMNS_MAX = 64,
	CLICKHOUSE_COLUMN_NAME_MAX = 32, // its NUL included
	CLICKHOUSE_LAYOUT_MAX = 2048,    // octets of the text, its NUL included
};

enum clickhouse_type {
	CLICKHOUSE_UINT8,
	CLICKHOUSE_UINT16,
	CLICKHOUSE_UINT32,
	CLICKHOUSE_UINT64,
	CLICKHOUSE_INT32,
	CLICKHOUSE_TIME, // DateTime('UTC')
	CLICKHOUSE_STRING,
	CLICKHOUSE_TYPES
};
extern const char *const clickhouse_type_names[CLICKHOUSE_TYPES];

struct clickhouse_layout {
	unsigned count, chunk, weight; // columns; which of them hold chunk and weight
	struct {
		char name[CLICKHOUSE_COLUMN_NAME_MAX];
		enum clickhouse_type type;
	} column[CLICKHOUSE_COLUMNS_MAX];
};

// Of this build; and of the builds whose spool files did not say theirs.
extern const char clickhouse_layout_own[];
extern const char clickhouse_layout_first[];

// -EINVAL: no such text, or without time, box, run, chunk or weight, by which chunks are known.
ATTR_MUST_CHECK int clickhouse_layout_read(
	const char *text, size_t len, struct clickhouse_layout *out);

// The next row: where its chunk stands, and its weight. False: `r` ends in the midst of one.
ATTR_MUST_CHECK bool clickhouse_layout_row(
	const struct clickhouse_layout *l, struct rd *r, size_t *chunk_at, uint64_t *weight);
