// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Questions that could not be resolved, so that a dead name does not hammer the upstreams (RFC 9520
// 3.2: a failure is cached for at least 1 s, or what the operator says, and at most 5 min).
//
// Fixed table of 4-way buckets under the keyed 64-bit hash of the L0 key; a new failure replaces
// the failure of its bucket that ends first. The first failure lasts first_ms, each further one
// within memory_ms twice as long as the last, up to longest_ms; a success clears it. There are two
// such tables: clients' questions (1 to 8 s as shipped), and records that could not be refreshed
// (refresh.h). Resolver loop's thread only.

#include "base/table_registry.h"

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

enum {
	FAILURES_BUCKETS = 1024, // for clients' questions
	FAILURES_WAYS = 4,
	FAILURE_LONGEST_MS = 8000, // or first_ms, if that is longer
	FAILURE_MEMORY_MS = 60000,
};

struct failures;

struct failures_spans {
	uint32_t first_ms, longest_ms, memory_ms;
};

ATTR_MUST_CHECK int failures_new(
	struct failures **out, unsigned buckets, const struct failures_spans *spans); // -ENOMEM
// Existing entries do not change.
void failures_configure(struct failures *f, const struct failures_spans *spans);
void failures_free(struct failures *f); // NULL is fine

void failures_add(struct failures *f, uint64_t hash, uint64_t now_ms);
// Like failures_add, for a bogus answer; `ede` says why.
void failures_add_bogus(struct failures *f, uint64_t hash, int ede, uint64_t now_ms);
// The `ede` of a failure that failures_recent knows; DNS_EDE_NONE: the answer was not bogus.
int failures_bogus(const struct failures *f, uint64_t hash);
void failures_clear(struct failures *f, uint64_t hash);
void failures_clear_all(struct failures *f); // other servers may know better
bool failures_recent(const struct failures *f, uint64_t hash, uint64_t now_ms);

unsigned failures_used(const struct failures *f, uint64_t now_ms); // walks the table
// Fills in all but name and lifetime.
void failures_table(const struct failures *f, uint64_t now_ms, struct table_info *out);
