// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The latest questions whose answers were bogus, with the validator's reason, for `weirctl why`.
// Nothing is answered from here (failures.h).
//
// Fixed table of 4-way buckets under the keyed 64-bit hash of the L0 key; a new one replaces the
// oldest of its bucket. An entry leaves after BOGUS_NAME_MS, and with an answer to its question.
// Resolver loop's thread only. Some 110 KiB for each resolver, taken with the first bogus answer.

#include "base/table_registry.h"
#include "validator.h"

enum {
	BOGUS_NAMES_BUCKETS = 64,
	BOGUS_NAMES_WAYS = 4,
	BOGUS_NAME_MS = 300000,
};

struct bogus_names {
	struct bogus_table *table; // NULL: there was none yet
	unsigned entries;          // counts those that are over, too
	unsigned entries_most;
	uint64_t evicted;
};

void bogus_names_free(struct bogus_names *b); // what it holds

struct bogus_question {
	uint64_t hash;
	const struct dns_name *name;
	uint16_t qtype, view;
};
// `why` is kept in printable ASCII. Without memory nothing is kept.
void bogus_names_add(struct bogus_names *b, const struct bogus_question *q, int ede,
	const char *why, uint64_t now_ms);
void bogus_names_clear(struct bogus_names *b, uint64_t hash);
void bogus_names_clear_all(struct bogus_names *b);

struct bogus_found {
	uint16_t qtype, view;
	int ede;
	uint64_t age_ms;
	char why[VALIDATOR_WHY_MAX];
};
// Finds the entries of the name; qtype 0: of any type. Returns their number, `most` at most. Walks
// the table.
unsigned bogus_names_find(const struct bogus_names *b, const struct dns_name *name, uint16_t qtype,
	uint64_t now_ms, struct bogus_found *out, unsigned most);

void bogus_names_table(const struct bogus_names *b, uint64_t now_ms, struct table_registry *tables);
