// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Texts with counts, of which the most frequent are wanted: names, clients, lists, groups.
//
// When it is full, the half with the lower counts goes, and `left_out` says how many queries went
// with it. So counts of what is frequent are right, and those of what is rare may be too low or
// missing. Memory: the texts and about 80 bytes for each. Of one thread. Texts of one length class
// are untrusted: the hash has a key.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/keyhash.h>

struct query_tally {
	uint64_t queries, blocked, missing; // missing: answered with NXDOMAIN
	int64_t first_us, last_us;          // 0: none
};

struct query_bag_item {
	char *text;
	uint64_t hash;
	struct query_tally tally;
};

struct query_bag {
	struct query_bag_item *item;
	uint32_t *slot; // twice `cap` of them: number of an item, from 1
	unsigned count, cap;
	uint64_t left_out; // queries
	struct keyhash_secret secret;
};

// `cap`: a power of 2. -ENOMEM, -errno of getrandom.
ATTR_MUST_CHECK int query_bag_open(struct query_bag *b, unsigned cap);
void query_bag_close(struct query_bag *b); // all zero is fine
// Adds up. -ENOMEM.
ATTR_MUST_CHECK int query_bag_add(
	struct query_bag *b, const char *text, const struct query_tally *t);
void query_tally_add(struct query_tally *sum, const struct query_tally *t);

// The items in falling order of one of their counts; those that have none of it come last.
enum query_bag_order { QUERY_BAG_QUERIES, QUERY_BAG_BLOCKED, QUERY_BAG_MISSING, QUERY_BAG_ORDERS };
uint64_t query_tally_count(
	const struct query_tally *t, enum query_bag_order of); // its queries, or of these
// Good until the next addition.
void query_bag_sort(struct query_bag *b, enum query_bag_order order);
