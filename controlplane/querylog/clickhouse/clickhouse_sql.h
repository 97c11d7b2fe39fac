// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Statements as they are put together, for clickhouse_schema.c, clickhouse_dedup.c,
// clickhouse_limits.c, clickhouse_rollup.c and clickhouse_tidy.c alone.

#include "clickhouse_schema.h"

struct clickhouse_sql {
	char text[CLICKHOUSE_SQL_MAX];
	size_t len;
};

// What has a server of that version or later.
enum {
	CLICKHOUSE_HAS_WORDS = 1904, // LowCardinality without asking for it
	CLICKHOUSE_HAS_TTL = 2003,
	CLICKHOUSE_HAS_ZSTD = 2100,
	CLICKHOUSE_HAS_WINDOW = 2109, // a MergeTree knows blocks that it has
	CLICKHOUSE_HAS_TOKEN = 2203,  // and the sender may name them
	CLICKHOUSE_HAS_TYPES = 2303,  // IPv6 that takes any text, DateTime64, codecs, skip indexes
};

// Every statement fits by the bounds of names; one that did not would be cut, and refused.
void clickhouse_sql_add(struct clickhouse_sql *q, const char *fmt, ...) ATTR_PRINTF(2, 3);

// Tables and views of TABLE_minute and TABLE_latency.
ATTR_MUST_CHECK enum clickhouse_end clickhouse_rollups_make(const struct clickhouse_schema *s,
	struct clickhouse_client *c, struct clickhouse_answer *out);

// Finds out s->dedups. A user who may not ask for it has it false.
ATTR_MUST_CHECK enum clickhouse_end clickhouse_dedup_look(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out);
// Leaves this box's limits in TABLE_limits and takes the widest of all boxes into s->limits.
ATTR_MUST_CHECK enum clickhouse_end clickhouse_limits_agree(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out);
