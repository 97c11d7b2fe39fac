// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Counts texts (names, clients, lists, groups), of which the most frequent are wanted.
//
// A full bag drops the half of its texts with the lower counts, and `left_out` counts their
// queries. So counts of frequent texts are right, and counts of rare ones may be too low or
// missing. Memory: the texts and about 80 bytes for each. One thread. Texts are untrusted, so the
// hash has a key.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/keyhash.h>

struct query_tally {
	uint64_t queries, blocked, missing; // missing: answered with NXDOMAIN
	int64_t first_us, last_us;          // 0: not known
};

struct query_bag_item {
	char *text;
	uint64_t hash;
	struct query_tally tally;
};

struct query_bag {
	struct query_bag_item *item;
	uint32_t *slot; // 2 * cap slots: number of an item, from 1; 0: free
	unsigned count, cap;
	uint64_t left_out; // queries
	struct keyhash_secret secret;
};

// `cap`: a power of 2. -ENOMEM, -errno of getrandom.
ATTR_MUST_CHECK int query_bag_open(struct query_bag *b, unsigned cap);
void query_bag_close(struct query_bag *b); // all zero is fine
// Adds `t` to the counts of a text. -ENOMEM.
ATTR_MUST_CHECK int query_bag_add(
	struct query_bag *b, const char *text, const struct query_tally *t);
void query_tally_add(struct query_tally *sum, const struct query_tally *t);

// Orders of the items: falling by one of their counts, so that items whose count is 0 come last.
enum query_bag_order { QUERY_BAG_QUERIES, QUERY_BAG_BLOCKED, QUERY_BAG_MISSING, QUERY_BAG_ORDERS };
uint64_t query_tally_count(
	const struct query_tally *t, enum query_bag_order of); // the count that `of` names
// Sorts the items; the order is valid until the next addition.
void query_bag_sort(struct query_bag *b, enum query_bag_order order);
