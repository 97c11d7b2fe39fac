// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Batches of rows for tests of the query log's sinks: made by the product's own pool, filled from a
// seed, the same for the same seed. No log thread runs; the test plays it.

#include "controlplane/querylog/querylog.h"

#include <string.h>

struct querylog_rig {
	struct querylog_pool *pool;
	uint64_t seed;
	uint64_t number;  // of the last batch
	uint64_t time_us; // of the last row; each is later than the one before
};

void querylog_rig_open(struct querylog_rig *rig, uint64_t seed);
void querylog_rig_close(struct querylog_rig *rig); // all batches are released

// A batch of `rows` rows, which the caller releases: names of every length, some with escapes, both
// address families, blocked ones with a list, failed ones with an EDE, weights 1 to 9.
const struct querylog_batch *querylog_rig_batch(struct querylog_rig *rig, unsigned rows);

static inline struct querylog_text querylog_rig_text(const char *s)
{
	return (struct querylog_text){.at = s, .len = (uint16_t)strlen(s)};
}

// One row of one's own in a batch of one. The texts are copied; NULL is an empty one.
const struct querylog_batch *querylog_rig_row(
	struct querylog_rig *rig, const struct querylog_row *row);

// An empty batch to be filled by querylog_batch_row and the like.
struct querylog_batch *querylog_rig_empty(struct querylog_rig *rig);
