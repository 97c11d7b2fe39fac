// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The columns of the rows of a body: "time DateTime('UTC'),time_us UInt32,...", in their order.
//
// RowBinary does not describe itself, so rows that one build spooled and another sends can only be
// read with the columns of the first. Every spool file has them as this text (clickhouse_file.h).
// The INSERT names them, after the server has confirmed that it has them. The text may come from a
// damaged or foreign file: only known identifiers and types are accepted. Pure, no allocation.

#include "clickhouse_row.h"

#include <weir/bytes.h>

enum {
	CLICKHOUSE_COLUMNS_MAX = 64,
	CLICKHOUSE_COLUMN_NAME_MAX = 32, // its NUL included
	CLICKHOUSE_LAYOUT_MAX = 2048,    // bytes of the text, its NUL included
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
