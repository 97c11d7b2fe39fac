// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The hash table and the Bloom filter of a rule image, made of its rows (rule_rows.h). One thread.

#include "rule_rows.h"

#include <weir/rule_image.h>

// Home buckets for the rows; 0: they never fit.
uint64_t rule_table_homes(const struct rule_rows *rows);
// `table` is zeroed, and has `homes` and RULE_WALK_MAX buckets; `homes` by rule_table_homes.
void rule_table_fill(const struct rule_rows *rows, uint64_t homes, struct rule_bucket *table);

uint64_t rule_bloom_blocks(const struct rule_rows *rows);
void rule_bloom_fill( // `bloom` is zeroed
	const struct rule_rows *rows, uint64_t blocks, struct rule_bloom_block *bloom);
