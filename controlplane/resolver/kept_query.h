// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Queries as they came, of clients that wait for an answer, for the query log's record of both
// (log_msg.h). The owner's thread only.
//
// A copy each, KEPT_QUERIES_MAX of them with KEPT_QUERIES_BYTES; one for which there is no room or
// no memory is not kept, and its record goes without it (counted). The last quarter is for what a
// client's wait needs: a log that lags takes no room from clients.

#include "base/table_registry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { KEPT_QUERIES_MAX = 81920, KEPT_QUERIES_BYTES = 8 << 20 };

struct kept_queries {
	bool is_on;
	unsigned count, count_most;
	size_t bytes, memory; // of the queries; of their blocks
	uint64_t refused;
};

// A copy, or NULL: it is off, `msg` is NULL, or there is no room.
ATTR_MUST_CHECK uint8_t *kept_query_new(struct kept_queries *k, const uint8_t *msg, uint16_t len);
// Of any bytes that a client's wait needs, whether it is on or not. NULL: no room.
ATTR_MUST_CHECK uint8_t *kept_query_copy(struct kept_queries *k, const void *msg, uint16_t len);
void kept_query_end(struct kept_queries *k, const uint8_t *msg, uint16_t len); // NULL is fine
// Registers it; `t` has its name, its owner, and the age of the client that waits longest.
void kept_queries_table(
	const struct kept_queries *k, struct table_info t, struct table_registry *tables);
