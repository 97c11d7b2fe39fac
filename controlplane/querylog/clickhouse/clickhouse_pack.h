// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Compression of a request body: zstd for a server that accepts it as Content-Encoding, gzip for
// Debian's 18.16, which accepts nothing else. weir uses the fastest level of each: the rate of rows
// matters, and rows of a log repeat so much that even this level reduces them to a quarter.
//
// A packer belongs to one thread and keeps its tables, 0.3 to 1 MiB, between bodies.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <weir/attr.h>

enum { CLICKHOUSE_PACK_RAW_MAX = 16 << 20 }; // bytes of rows in one body

enum clickhouse_coding { CLICKHOUSE_GZIP, CLICKHOUSE_ZSTD, CLICKHOUSE_CODINGS };
extern const char *const clickhouse_coding_names[CLICKHOUSE_CODINGS]; // values of Content-Encoding

struct clickhouse_packer;

ATTR_MUST_CHECK int clickhouse_packer_open(struct clickhouse_packer **out); // -ENOMEM
void clickhouse_packer_close(struct clickhouse_packer *p);                  // NULL is fine

// Most bytes that `len` bytes take, in either coding. `len` under 1 GiB.
size_t clickhouse_pack_max(size_t len);
// Compresses; the bytes written to `out`. -ENOSPC; -EIO: the library failed.
ATTR_MUST_CHECK ssize_t clickhouse_pack(struct clickhouse_packer *p, enum clickhouse_coding coding,
	const void *from, size_t len, void *out, size_t cap);
// Decompresses; the bytes written to `out`. -ENOSPC: the body has more than `cap`; -EBADMSG: it is
// not of that coding, or not whole; -ENOMEM. Any thread.
ATTR_MUST_CHECK ssize_t clickhouse_unpack(
	enum clickhouse_coding coding, const void *from, size_t len, void *out, size_t cap);
