// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A file of the spool: a head, then the body of a chunk.
//
//   "weirrows"  version u16 = 1  coding u8  0 u8  bytes of the head u32
//   run u64  number u64  weight u64  hour u32  rows u32  bytes of the body u64
//   contenthash of the body u64
//   length u16 and box   length u16 and columns (a layout)
//   contenthash of the head up to here u64
//
// in network byte order. A file may be of another build, truncated, or foreign: it is read within
// bounds, and refused unless its sums and its name match. Files of builds without this head are the
// body alone; they begin as gzip or zstd does, and have the columns of clickhouse_layout_first.
// Pure, no allocation.

#include "clickhouse_chunk.h"

enum {
	CLICKHOUSE_FILE_BODY_MAX = 20 << 20, // over what a builder's 16 MiB can become
	CLICKHOUSE_FILE_HEAD_MAX = 128 + CLICKHOUSE_BOX_MAX + CLICKHOUSE_LAYOUT_MAX,
	CLICKHOUSE_FILE_MAX = CLICKHOUSE_FILE_HEAD_MAX + CLICKHOUSE_FILE_BODY_MAX,
};

// The head for `body` (what->bytes bytes) of this build. 0: `box` is too long.
size_t clickhouse_file_head(uint8_t out[CLICKHOUSE_FILE_HEAD_MAX],
	const struct clickhouse_spooled *what, const struct clickhouse_origin *origin,
	const void *body);

// Bytes of that head, by `origin` alone.
uint32_t clickhouse_file_head_bytes(const struct clickhouse_origin *origin);

// Reads all of a file. *body_at, *body_len: its body. *origin: from the head; its box is "" in a
// file without one. -EBADMSG: no such file, truncated, damaged, or different from `named`, its
// name. -EPROTONOSUPPORT: whole, of a version or with columns that this build does not know.
ATTR_MUST_CHECK int clickhouse_file_read(const void *bytes, size_t len,
	const struct clickhouse_spooled *named, struct clickhouse_origin *origin, size_t *body_at,
	size_t *body_len);
