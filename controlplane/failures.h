// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Questions that could not be resolved, so that a dead name does not hammer the upstreams (RFC 9520
// 3.2: a failure is cached for at least 1 s and at most 5 min).
//
// Fixed table of 4-way buckets under the keyed 64-bit hash of the L0 key; a new failure replaces
// the one of its bucket that ends first. The first failure lasts 1 s, each further one within a
// minute twice as long as the last, up to 8 s; a success clears it. Resolver loop's thread only.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum {
	FAILURES_BUCKETS = 1024,
	FAILURES_WAYS = 4,
	FAILURE_FIRST_MS = 1000,
	FAILURE_LONGEST_MS = 8000,
	FAILURE_MEMORY_MS = 60000,
};

struct failures;

ATTR_MUST_CHECK int failures_new(struct failures **out); // -ENOMEM
void failures_free(struct failures *f);                  // NULL is fine

void failures_add(struct failures *f, uint64_t hash, uint64_t now_ms);
void failures_clear(struct failures *f, uint64_t hash);
void failures_clear_all(struct failures *f); // other servers may know better
bool failures_recent(const struct failures *f, uint64_t hash, uint64_t now_ms);

unsigned failures_used(const struct failures *f, uint64_t now_ms); // walks the table
size_t failures_memory(void);
