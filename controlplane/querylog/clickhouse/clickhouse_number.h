// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Numbers of chunks, and of the halves of one that a server finds too large.
//
// The lower CLICKHOUSE_NUMBER_BITS count up in a run. The upper bits are the place of a piece in
// the chunk: its place in a binary tree as in a heap, 1 the whole (written 0), 2 and 3 its halves,
// 4 and 5 those of 2. So a piece has a number that no other chunk of the run has, and the same one
// however often, and after whichever crash, the chunk is cut again: weir finds by count the rows
// that the server has, and never sends them twice. Pure.

#include <stdbool.h>
#include <stdint.h>

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

// The first (0) or second (1) half. 0: it is too small a piece to have any.
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

// In the order of their rows: under 0, 0, over 0. What holds another one comes before it.
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
