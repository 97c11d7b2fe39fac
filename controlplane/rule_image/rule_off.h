// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rules of one source that lines with $badfilter take away, as hashes of what tells a rule from
// the others of its source: its list, name, text and record. 8 bytes each. One thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { RULE_OFF_MAX = 1 << 16 };

struct rule_off {
	uint64_t *key;
	size_t count, room;
};

void rule_off_free(struct rule_off *o);

// `hash`: the fingerprint of the rule's name; 0: it has none. `text`: its pattern, glob or record.
// `type`: of that record; 0 without one.
uint64_t rule_off_key(unsigned list, uint64_t hash, unsigned type, const void *text, size_t len);

// -ENOSPC: there are too many, this one is left out; -ENOMEM.
ATTR_MUST_CHECK int rule_off_add(struct rule_off *o, uint64_t key);

void rule_off_sort(struct rule_off *o); // before rule_off_has
bool rule_off_has(const struct rule_off *o, uint64_t key);
