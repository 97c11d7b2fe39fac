// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The columns of the query log in ClickHouse: X(name, type, is_word), in the order of
// CLICKHOUSE_COLUMNS and of clickhouse_row_put. A word repeats, and is LowCardinality where the
// server has that.

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
