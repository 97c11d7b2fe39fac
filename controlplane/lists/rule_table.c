// SPDX-License-Identifier: BSD-3-Clause
#include "rule_table.h"

enum {
	BLOOM_BITS_PER_NAME = 23, // 21 give 0.1 % false positives, 23 give 0.06 %
	TABLE_LOAD_PERCENT = 75,
	TABLE_TRIES_MAX = 32,
};

// Puts the rows into the table in their order: each into its home bucket, or where that is full
// into the next one with room. With `table` NULL it only tries. False: a walk gets too long.
static bool fill_table(const struct rule_rows *rows, uint64_t homes, struct rule_bucket *table)
{
	uint64_t at = 0;
	unsigned slot = 0;
	for (size_t i = 0; i < rows->count; i++) {
		uint64_t hash = rows->hash[i];
		uint64_t home = rule_slot_of(hash, homes);
		if (slot == RULE_BUCKET_SLOTS || home > at) {
			at = home > at ? home : at + 1;
			slot = 0;
		}
		if (at - home > RULE_WALK_MAX)
			return false;
		if (table) {
			table[at].fingerprint[slot] = hash;
			table[at].set[slot] = rows->set[i];
			if (i + 1 < rows->count && rows->hash[i + 1] == hash)
				table[at].more |= (uint16_t)(1U << slot);
			table[home].walk = (uint16_t)(at - home);
		}
		slot++;
	}
	return true;
}

// Evenly spread fingerprints walk five buckets at most; with many split names it may be more, and
// a larger table helps.
uint64_t rule_table_homes(const struct rule_rows *rows)
{
	uint64_t per_bucket = RULE_BUCKET_SLOTS * TABLE_LOAD_PERCENT;
	uint64_t homes = (rows->count * 100 + per_bucket - 1) / per_bucket;
	for (unsigned tries = 0; tries < TABLE_TRIES_MAX; tries++) {
		if (homes > 0 && fill_table(rows, homes, NULL))
			return homes;
		homes += homes / 8 + 1;
	}
	return 0;
}

void rule_table_fill(const struct rule_rows *rows, uint64_t homes, struct rule_bucket *table)
{
	(void)fill_table(rows, homes, table);
}

uint64_t rule_bloom_blocks(const struct rule_rows *rows)
{
	return rows->names * BLOOM_BITS_PER_NAME / 128 + 1;
}

void rule_bloom_fill(const struct rule_rows *rows, uint64_t blocks, struct rule_bloom_block *bloom)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct rule_bloom_block *block = &bloom[rule_slot_of(rows->hash[i], blocks)];
		for (unsigned w = 0; w < 2; w++)
			block->word[w] |= rule_bloom_bits(rows->hash[i], w);
	}
}
