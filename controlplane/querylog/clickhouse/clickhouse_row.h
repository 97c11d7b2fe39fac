// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rows of the query log for ClickHouse in format RowBinary, and the columns that they have.
//
// RowBinary is the cheapest format: integers little-endian, strings behind a LEB128 length, no
// names and no types. So the columns of the table, of the INSERT and of clickhouse_row_put have
// one order, that of CLICKHOUSE_COLUMN_LIST. An old server (18.16) has no time with microseconds:
// `time` is whole seconds, `time_us` the microseconds. A query without EDE has `ede` -1.
//
// `box`, `run` and `chunk` name the request that a row came in: by them the sink finds out, after
// an unclear end, whether the server stored a request (docs/how-to/clickhouse.md).
//
// Pure: no allocation, no state; tens of nanoseconds a row.

#include "querylog/querylog.h"

#include <sys/types.h>
#include <weir/bytes.h>

// The columns in their order, for INSERT INTO t (...).
#define CLICKHOUSE_COLUMNS                                                                     \
	"time,time_us,box,run,chunk,weight,client,client_port,client_name,client_group,qname," \
	"qtype,qclass,transport,verdict,tier,list,upstream,answered,blocked,rcode,ede,"        \
	"dataplane_us,total_us,query_len,reply_len,validation"

// Identifies a request; all its rows have both numbers.
struct clickhouse_chunk {
	uint64_t run;    // microseconds since 1970 when this control plane began
	uint64_t number; // counts up from 1
};

// Bytes that a row takes at most.
size_t clickhouse_row_max(const char *box, const struct querylog_row *row);

// Writes a row of at most clickhouse_row_max bytes. Returns the bytes written, or -ENOSPC.
ATTR_MUST_CHECK ssize_t clickhouse_row_put(uint8_t *out, size_t cap, const char *box,
	const struct clickhouse_chunk *chunk, const struct querylog_row *row);

// The columns: X(name, type, is_word). A word is a text that repeats: LowCardinality if the server
// has that type.

#define CLICKHOUSE_COLUMN_LIST(X)         \
	X(time, "DateTime('UTC')", false) \
	X(time_us, "UInt32", false)       \
	X(box, "String", true)            \
	X(run, "UInt64", false)           \
	X(chunk, "UInt64", false)         \
	X(weight, "UInt64", false)        \
	X(client, "String", false)        \
	X(client_port, "UInt16", false)   \
	X(client_name, "String", true)    \
	X(client_group, "String", true)   \
	X(qname, "String", false)         \
	X(qtype, "UInt16", false)         \
	X(qclass, "UInt16", false)        \
	X(transport, "String", true)      \
	X(verdict, "String", true)        \
	X(tier, "String", true)           \
	X(list, "String", true)           \
	X(upstream, "String", true)       \
	X(answered, "UInt8", false)       \
	X(blocked, "UInt8", false)        \
	X(rcode, "UInt16", false)         \
	X(ede, "Int32", false)            \
	X(dataplane_us, "UInt32", false)  \
	X(total_us, "UInt32", false)      \
	X(query_len, "UInt16", false)     \
	X(reply_len, "UInt16", false)     \
	X(validation, "String", true)

// The layout of a body: its columns as text in their order, "time DateTime('UTC'),time_us
// UInt32,...". Every spool file has it (clickhouse_spool.h), so that rows that one build spooled
// and another sends can be read; the INSERT names the columns after the server has confirmed that
// it has them. The text may come from a damaged or foreign file: only known identifiers and types
// are accepted.

enum {
	CLICKHOUSE_COLUMNS_MAX = 64,
	CLICKHOUSE_COLUMN_NAME_MAX = 32, // bytes of a name, its NUL included
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
	unsigned count, chunk, weight; // number of columns; which of them hold chunk and weight
	struct {
		char name[CLICKHOUSE_COLUMN_NAME_MAX];
		enum clickhouse_type type;
	} column[CLICKHOUSE_COLUMNS_MAX];
};

// The layouts of this build, and of builds whose spool files have no layout.
extern const char clickhouse_layout_own[];
extern const char clickhouse_layout_first[];

// -EINVAL: the text is no layout, or lacks time, box, run, chunk or weight, which weir needs to
// find a chunk.
ATTR_MUST_CHECK int clickhouse_layout_read(
	const char *text, size_t len, struct clickhouse_layout *out);

// Reads the next row: the offset of its chunk, and its weight. False: `r` ends within a row.
ATTR_MUST_CHECK bool clickhouse_layout_row(
	const struct clickhouse_layout *l, struct rd *r, size_t *chunk_at, uint64_t *weight);
