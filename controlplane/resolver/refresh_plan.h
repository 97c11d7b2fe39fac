// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Records to renew, the most urgent first. A sorted array of fixed size: when it is full a new
// entry replaces the least urgent, or is rejected. Entries are small and checked again when they
// are due, so one for a deleted record does no harm. Putting one in moves some 20 KB at worst with
// 2,000 of them. One owner, one thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

struct refresh_planned {
	uint64_t due_ms;
	uint32_t record;   // of L0
	uint32_t hash_low; // its key's: the number may be another record's by then
};

struct refresh_plan {
	struct refresh_planned *entry; // the most urgent last
	uint32_t used, limit, cap, most;
	uint64_t dropped; // dropped because there was no room
};

ATTR_MUST_CHECK int refresh_plan_init(struct refresh_plan *p, uint32_t cap); // -ENOMEM
void refresh_plan_destroy(struct refresh_plan *p);

// False: this or another entry was dropped because there was no room. An existing entry is not
// added again.
bool refresh_plan_put(struct refresh_plan *p, const struct refresh_planned *e);
// The most urgent, if it is due. False: none.
bool refresh_plan_take(struct refresh_plan *p, uint64_t now_ms, struct refresh_planned *out);
void refresh_plan_limit(struct refresh_plan *p, uint32_t limit); // up to cap; drops what is over
