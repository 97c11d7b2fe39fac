// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Collects the records of an image, and lays them out as <weir/rule_data.h> defines.
//
// Records are kept until the image is made, 24 bytes and their RDATA each. Then they are sorted,
// and two walks over them first count and then write, straight into the image. One thread.

#include "lists/list_rule.h"
#include "rule_off.h"

#include <weir/rule_data.h>

struct rule_record;

struct rule_records {
	struct rule_record *one;
	size_t count, room;
	uint8_t *text; // RDATA
	size_t text_len, text_room;
	uint64_t followed; // bytes of answers behind CNAMEs, more rather than fewer
	uint64_t dropped;  // were too many for an answer, or behind too many CNAMEs
};

// Where the parts are to be written; all NULL: only counted. The counts are set in any case.
struct rule_data_parts {
	uint32_t *index; // entries + 1 numbers
	struct rule_data_entry *entry;
	struct rule_data_answer *answer;
	uint8_t *bytes;
	uint64_t entries, answers, byte_count;
	uint64_t dropped; // records that were too long for an answer
};

void rule_records_free(struct rule_records *r);
size_t rule_records_bytes(const struct rule_records *r); // bytes of memory

// The record of a rule with rtype or chain. -ENOMEM; -E2BIG: over 4 GiB; -EINVAL: too long for an
// answer.
ATTR_MUST_CHECK int rule_records_add(
	struct rule_records *r, uint64_t hash, unsigned list, const struct list_rule *rule);

// Drops those that are `off` of all but the first `from` ones; `bare` gets the key of each name and
// list that has none left. -ENOMEM.
ATTR_MUST_CHECK int rule_records_take_off(
	struct rule_records *r, size_t from, const struct rule_off *off, struct rule_off *bare);

void rule_records_sort(struct rule_records *r); // sorts and drops repeated ones; before the walks
ATTR_MUST_CHECK int rule_records_walk(const struct rule_records *r, struct rule_data_parts *parts);
