// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Chunks: rows of the query log as request bodies for ClickHouse, each inserted whole or not at
// all. Here chunks are made of rows, numbered, cut in two, and compressed again.
//
// Only builder and packer have state, and each belongs to one thread. The caller passes the time.

#include "clickhouse_pack.h"
#include "clickhouse_row.h"

enum { CLICKHOUSE_BOX_MAX = 512 }; // bytes of a box's name, its NUL included

// Facts about a chunk.
struct clickhouse_spooled {
	struct clickhouse_chunk chunk;
	uint64_t weight;
	uint32_t rows;
	uint32_t hour;       // hour of all its rows, since 1970
	uint32_t bytes;      // bytes of its body
	uint32_t file_bytes; // bytes of its file; 0: it has no file
	uint32_t coding;     // enum clickhouse_coding
};

// The writer of a body and its format, where it is not this control plane with its present columns.
struct clickhouse_origin {
	char box[CLICKHOUSE_BOX_MAX];
	char columns[CLICKHOUSE_LAYOUT_MAX];
};

// Numbers of chunks, and of the halves of one that a server finds too large.
//
// The lower CLICKHOUSE_NUMBER_BITS count up in a run. The upper bits are the place of a piece in
// the chunk: its place in a binary tree as in a heap, 1 the whole (written 0), 2 and 3 its halves,
// 4 and 5 those of 2. So a piece has a number that no other chunk of the run has, and the same one
// however often, and after whichever crash, the chunk is cut again: weir finds by count the rows
// that the server has, and never sends them twice.
enum {
	CLICKHOUSE_NUMBER_BITS = 44, // a million chunks a second for half a year
	CLICKHOUSE_PLACE_BITS = 64 - CLICKHOUSE_NUMBER_BITS,
};

static inline uint64_t clickhouse_number_base(uint64_t number)
{
	return number & ((UINT64_C(1) << CLICKHOUSE_NUMBER_BITS) - 1);
}

static inline uint32_t clickhouse_number_place(uint64_t number)
{
	uint32_t place = (uint32_t)(number >> CLICKHOUSE_NUMBER_BITS);
	return place ? place : 1;
}

static inline bool clickhouse_number_is_piece(uint64_t number)
{
	return number >> CLICKHOUSE_NUMBER_BITS != 0;
}

// The first (0) or second (1) half. 0: the piece has been cut too often.
static inline uint64_t clickhouse_number_half(uint64_t number, unsigned which)
{
	uint64_t place = 2 * (uint64_t)clickhouse_number_place(number) + which;
	if (place >> CLICKHOUSE_PLACE_BITS)
		return 0;
	return place << CLICKHOUSE_NUMBER_BITS | clickhouse_number_base(number);
}

// Whether `piece` was cut out of `whole`, by however many cuts.
static inline bool clickhouse_number_has(uint64_t whole, uint64_t piece)
{
	uint32_t to = clickhouse_number_place(whole), from = clickhouse_number_place(piece);
	if (clickhouse_number_base(whole) != clickhouse_number_base(piece) || from <= to)
		return false;
	while (from > to)
		from /= 2;
	return from == to;
}

// Compares chunks by the order of their rows: under 0, 0, over 0. A chunk comes before its own
// pieces.
static inline int clickhouse_number_order(uint64_t a, uint64_t b)
{
	uint64_t x = clickhouse_number_base(a), y = clickhouse_number_base(b);
	uint32_t from = clickhouse_number_place(a), to = clickhouse_number_place(b);
	if (x != y)
		return x < y ? -1 : 1;
	while (from >> (CLICKHOUSE_PLACE_BITS - 1) == 0)
		from *= 2;
	while (to >> (CLICKHOUSE_PLACE_BITS - 1) == 0)
		to *= 2;
	if (from != to)
		return from < to ? -1 : 1;
	return clickhouse_number_place(a) < clickhouse_number_place(b)
		       ? -1
		       : clickhouse_number_place(a) > clickhouse_number_place(b);
}

// The builder makes chunks of rows.
//
// All rows of a chunk are of one hour, so that it is of one partition, whether partitions are hours
// or days: the server then takes all of it or nothing. A chunk ends at its hour's end, `flush_ms`
// after its first row, or at as many rows as are wanted: CLICKHOUSE_ROWS_MIN at first, twice as
// many each time that a chunk fills within a second, because a server prefers few large inserts,
// and half as many when a chunk does not fill.
//
// Memory: rows not yet compressed, CLICKHOUSE_RAW_MAX bytes at most. It grows by doubling and
// shrinks again when CLICKHOUSE_SHRINK_AFTER chunks needed less than a quarter of it.
enum {
	CLICKHOUSE_ROWS_MIN = 2000,
	CLICKHOUSE_ROWS_MAX = 65536,
	CLICKHOUSE_RAW_MIN = 512 * 1024,
	CLICKHOUSE_RAW_MAX = CLICKHOUSE_PACK_RAW_MAX,
	CLICKHOUSE_SHRINK_AFTER = 16,
};

struct clickhouse_builder {
	struct clickhouse_packer *packer;
	struct clickhouse_chunk chunk; // run and number of the next chunk to be sealed
	uint8_t *raw;
	size_t len, cap;
	uint32_t rows, hour;
	uint64_t weight, began_ms, used_ms; // used_ms: the last row
	unsigned flush_ms, wanted_rows;
	unsigned rows_max;      // most rows of a chunk; the owner may lower it
	size_t needed;          // most bytes of the last chunks
	unsigned needed_chunks; // number of these chunks
	size_t cap_most;        // high-water mark of cap
	uint64_t grown, shrunk; // resizes of the buffer
	uint64_t rows_in_all, raw_bytes, packed_bytes; // rows and bytes of sealed chunks
};

// `run`: that of its chunks. -ENOMEM.
ATTR_MUST_CHECK int clickhouse_builder_open(
	struct clickhouse_builder *b, uint64_t run, unsigned flush_ms);
void clickhouse_builder_close(struct clickhouse_builder *b);

uint32_t clickhouse_row_hour(const struct querylog_row *row);
// -EAGAIN: the open chunk must be sealed first, it is full or of another hour; -ENOMEM.
ATTR_MUST_CHECK int clickhouse_builder_add(struct clickhouse_builder *b, const char *box,
	const struct querylog_row *row, uint64_t now_ms);
// Whether the open chunk is older than flush_ms.
bool clickhouse_builder_is_due(const struct clickhouse_builder *b, uint64_t now_ms);
// Makes the buffer as small as at the start again when no row has come for a while.
void clickhouse_builder_idle(struct clickhouse_builder *b, uint64_t now_ms);
// Ends the open chunk, compressed: *body is to be freed. -ENOENT: no chunk is open; -ENOMEM, -EIO:
// the chunk stays open.
ATTR_MUST_CHECK int clickhouse_builder_seal(struct clickhouse_builder *b,
	enum clickhouse_coding coding, uint64_t now_ms, struct clickhouse_spooled *what,
	void **body);
// Drops the open chunk; *rows and *weight are what it had.
void clickhouse_builder_drop(struct clickhouse_builder *b, uint64_t *rows, uint64_t *weight);

// Halves of a chunk that is too large for a server, or for a proxy before it. clickhouse_cut
// unpacks the body, reads it row by row by its columns, and makes two bodies whose rows have their
// half's number in place of the chunk's. The chunk may come from a file: it is refused unless its
// rows and weight match its head. Cutting the largest chunk takes 16 MiB for some 0.1 s.
struct clickhouse_half {
	struct clickhouse_spooled what;
	void *body; // to be freed
};

// `columns` NULL: those of this build. -EINVAL: the chunk has one row; -EBADMSG: its body does not
// match `what`; -E2BIG: it was cut too often; -ENOMEM, -EIO.
ATTR_MUST_CHECK int clickhouse_cut(const char *columns, const struct clickhouse_spooled *what,
	const void *body, struct clickhouse_half half[2]);
// Compresses a chunk again, for a server that does not know its coding. *body is freed and
// replaced. -EBADMSG: the body does not match `what`; -ENOMEM, -EIO: nothing is changed.
ATTR_MUST_CHECK int clickhouse_recode(
	struct clickhouse_spooled *what, void **body, enum clickhouse_coding coding);
