// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rows of the query log for ClickHouse: format RowBinary, and its columns.
//
// RowBinary is the cheapest format: integers little-endian, strings behind a LEB128 length, no
// names and no types. So the columns of the table, of the INSERT and of clickhouse_row_put stand in
// one order, here. An old server (18.16) has no time with microseconds: `time` is whole seconds,
// `time_us` the microseconds. A query without EDE has `ede` -1.
//
// `box`, `run` and `chunk` name the request that a row came in: by them the sink finds out, after
// an unclear end, whether the server stored a request (docs/how-to/clickhouse.md).
//
// Pure: no allocation, no state; tens of nanoseconds a row.

#include "querylog/querylog.h"

#include <sys/types.h>

// The columns in their order, for INSERT INTO t (...).
#define CLICKHOUSE_COLUMNS                                                                     \
	"time,time_us,box,run,chunk,weight,client,client_port,client_name,client_group,qname," \
	"qtype,qclass,transport,verdict,tier,list,upstream,answered,blocked,rcode,ede,"        \
	"dataplane_us,total_us,query_len,reply_len,validation"

// What names a request, the same in all its rows.
struct clickhouse_chunk {
	uint64_t run;    // microseconds since 1970 when this control plane began
	uint64_t number; // from 1 on
};

// Bytes that a row takes at most.
size_t clickhouse_row_max(const char *box, const struct querylog_row *row);

// Writes a row of clickhouse_row_max bytes or fewer. Bytes written, -ENOSPC.
ATTR_MUST_CHECK ssize_t clickhouse_row_put(uint8_t *out, size_t cap, const char *box,
	const struct clickhouse_chunk *chunk, const struct querylog_row *row);
