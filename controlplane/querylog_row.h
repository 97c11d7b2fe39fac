// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A record of a log ring as a row of a batch. Log thread only.

#include "querylog_batch.h"
#include "querylog_hide.h"
#include "querylog_names.h"

#include <weir/log_msg.h>

// Verdicts that only the resolver loop gives, above those of workers.
enum log_verdict {
	LOG_VERDICT_RESOLVED = 240, // answered by an upstream or L1
	LOG_VERDICT_SERVFAIL,
	LOG_VERDICT_UNANSWERED, // too late, or too many wait
};

enum querylog_made {
	QUERYLOG_MADE,
	QUERYLOG_EXCLUDED, // *weight is what it stands for
	QUERYLOG_BAD,      // no record: a wrong length, number, time or name
	QUERYLOG_FULL,     // the batch: again with another one
};

// `wall_us` is added to the record's time.
ATTR_MUST_CHECK enum querylog_made querylog_row_make(struct querylog_batch *b,
	const struct querylog_names *n, const struct querylog_hide *h, int64_t wall_us,
	const uint8_t *msg, size_t len, uint64_t *weight);
// A row for `weight` queries of which nothing is known. False: the batch is full.
ATTR_MUST_CHECK bool querylog_row_rest(struct querylog_batch *b, uint64_t time_us, uint64_t weight);
