// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The most frequent names, clients and blocked names of all boxes that write one table, and their
// queries by box: read back from ClickHouse.
//
// Blocks, CLICKHOUSE_ASK_MS at most with all URLs together, and a second after *stop: for a helper
// thread. Bounds: CLICKHOUSE_TOP_BYTES of a reply; the reader takes no more items than it asked
// for. The server's bytes are untrusted.

#include "base/json.h"
#include "clickhouse_client.h"

enum {
	CLICKHOUSE_TOP_BYTES = 1 << 20,
	CLICKHOUSE_TOP_ITEMS_MAX = 256,
	CLICKHOUSE_TOP_SPLIT_MAX = 16, // boxes of an item, those with the most queries first
	CLICKHOUSE_TOP_SECONDS_MAX = 366 * 86400,
};

// X(name, expression of an item, expression of its name, condition). A row without a name or a
// client stands for unlogged queries, which count for their box alone.
#define CLICKHOUSE_TOPS(X)                                            \
	X(boxes, "box", "''", "")                                     \
	X(names, "qname", "''", " AND qname != ''")                   \
	X(clients, "client", "max(client_name)", " AND client != ''") \
	X(blocked, "qname", "max(list)", " AND blocked = 1 AND qname != ''")

enum clickhouse_top_of {
#define X(name, item, label, condition) CLICKHOUSE_TOP_##name,
	CLICKHOUSE_TOPS(X)
#undef X
		CLICKHOUSE_TOPS_COUNT
};
extern const char *const clickhouse_top_names[CLICKHOUSE_TOPS_COUNT];

struct clickhouse_top {
	struct json_in *list[CLICKHOUSE_TOPS_COUNT]; // replies
	char why[CLICKHOUSE_WHY_MAX];                // a sentence if the read ended in -EIO
};

struct clickhouse_top_wanted {
	const char *database, *table; // identifiers
	unsigned seconds, limit;      // span until now; items of each list
};

// Reads all lists. 0; -EIO with out->why; -ENOMEM; -EINVAL (settings); -ECANCELED.
ATTR_MUST_CHECK int clickhouse_top_read(const struct clickhouse_client_settings *s,
	const struct clickhouse_top_wanted *w, struct clickhouse_top *out);
void clickhouse_top_free(struct clickhouse_top *t);

struct clickhouse_top_item {
	const char *text, *name; // valid as long as the lists are
	uint64_t queries, blocked;
	unsigned boxes;
	struct {
		const char *box;
		uint64_t queries;
	} by[CLICKHOUSE_TOP_SPLIT_MAX];
};
// Reads item `i` of a list. False: the list has no item `i`.
bool clickhouse_top_item(const struct clickhouse_top *t, enum clickhouse_top_of of, unsigned i,
	struct clickhouse_top_item *out);
