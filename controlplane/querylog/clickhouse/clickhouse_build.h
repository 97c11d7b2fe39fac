// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rows of batches into request bodies ("chunks") for ClickHouse.
//
// All rows of a chunk are of one hour, so that it is of one partition whether these are hours or
// days: the server then takes all of it or nothing. A chunk ends at its hour's end, `flush_ms`
// after its first row, or at as many rows as are wanted: CLICKHOUSE_ROWS_MIN at first, twice as
// many each time that a chunk fills within a second, for a server likes few large ones, half when
// one does not fill.
//
// Memory: rows not yet compressed, CLICKHOUSE_RAW_MAX bytes at most. It grows by doubling and
// shrinks again when CLICKHOUSE_SHRINK_AFTER chunks needed less than a quarter of it.
//
// One thread, the sink's. No clock: the caller says what time it is.

#include "clickhouse_spool.h"

enum {
	CLICKHOUSE_ROWS_MIN = 2000,
	CLICKHOUSE_ROWS_MAX = 65536,
	CLICKHOUSE_RAW_MIN = 512 * 1024,
	CLICKHOUSE_RAW_MAX = CLICKHOUSE_PACK_RAW_MAX,
	CLICKHOUSE_SHRINK_AFTER = 16,
};

struct clickhouse_builder {
	struct clickhouse_packer *packer;
	struct clickhouse_chunk chunk; // of the next to be sealed
	uint8_t *raw;
	size_t len, cap;
	uint32_t rows, hour;
	uint64_t weight, began_ms, used_ms; // used_ms: the last row
	unsigned flush_ms, wanted_rows;
	unsigned rows_max;                             // no more are wanted; the owner may lower it
	size_t needed;                                 // most bytes of the last chunks
	unsigned needed_chunks;                        // how many these are
	size_t cap_most;                               // high-water mark of cap
	uint64_t grown, shrunk;                        // how often
	uint64_t rows_in_all, raw_bytes, packed_bytes; // of sealed chunks
};

// `run` in chunk; -ENOMEM.
ATTR_MUST_CHECK int clickhouse_builder_open(
	struct clickhouse_builder *b, uint64_t run, unsigned flush_ms);
void clickhouse_builder_close(struct clickhouse_builder *b);

uint32_t clickhouse_row_hour(const struct querylog_row *row);
// -EAGAIN: the open chunk must be sealed first, it is full or of another hour; -ENOMEM.
ATTR_MUST_CHECK int clickhouse_builder_add(struct clickhouse_builder *b, const char *box,
	const struct querylog_row *row, uint64_t now_ms);
// A chunk is open and over its time.
bool clickhouse_builder_is_due(const struct clickhouse_builder *b, uint64_t now_ms);
// With no row for a while its buffer is as small as at the start again.
void clickhouse_builder_idle(struct clickhouse_builder *b, uint64_t now_ms);
// Ends the open chunk, compressed: *body is to be freed. -ENOENT: none is open; -ENOMEM, -EIO: it
// stays open.
ATTR_MUST_CHECK int clickhouse_builder_seal(struct clickhouse_builder *b,
	enum clickhouse_coding coding, uint64_t now_ms, struct clickhouse_spooled *what,
	void **body);
// Forgets the open chunk: *rows and *weight of it.
void clickhouse_builder_drop(struct clickhouse_builder *b, uint64_t *rows, uint64_t *weight);
