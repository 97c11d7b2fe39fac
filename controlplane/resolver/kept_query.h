// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Copies of queries, as received, of clients that wait for an answer: the query log records both
// (log_msg.h). The owner's thread only.
//
// There are at most KEPT_QUERIES_MAX copies with KEPT_QUERIES_BYTES. Without room or memory a query
// is not kept, and its log record lacks the query (counted). The last quarter is for
// kept_query_copy: a log that lags takes no room from clients.

#include "base/table_registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { KEPT_QUERIES_MAX = 81920, KEPT_QUERIES_BYTES = 8 << 20 };

struct kept_queries {
	bool is_on;
	unsigned count, count_most;
	size_t bytes, memory; // bytes of the queries; of their heap blocks
	uint64_t refused;
};

// Copies a query. NULL: `is_on` is false, `msg` is NULL, or there is no room.
ATTR_MUST_CHECK uint8_t *kept_query_new(struct kept_queries *k, const uint8_t *msg, uint16_t len);
// Copies bytes that a client's wait needs, whatever `is_on` says. NULL: no room.
ATTR_MUST_CHECK uint8_t *kept_query_copy(struct kept_queries *k, const void *msg, uint16_t len);
void kept_query_end(struct kept_queries *k, const uint8_t *msg, uint16_t len); // NULL is fine
// Registers the table; `t` has name, owner, and the age of the client that waits longest.
void kept_queries_table(
	const struct kept_queries *k, struct table_info t, struct table_registry *tables);
