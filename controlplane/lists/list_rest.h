// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Numbers of lists that left the rule image. A row of the query log that still lies in a ring names
// its list by such a number, so no other list gets the number for LIST_REST_MS, however many images
// come in that time. One thread.

#include <stdint.h>
#include <weir/rule_image.h>

enum {
	LIST_REST_MS = 60000,
	// Lists and resting numbers together. With more lists, numbers rest for one image.
	LIST_REST_NUMBERS_MAX = RULE_LISTS_MAX / 2,
};

struct list_rest {
	struct rule_list_info list[RULE_LISTS_MAX]; // kind.covers 0: none
	uint64_t left_ms[RULE_LISTS_MAX];
};

// These lists of an image are about to be replaced by those of the next one.
void list_rest_note(
	struct list_rest *r, const struct rule_list_info *lists, unsigned count, uint64_t now_ms);

// Adds the resting lists to the `count` lists of the current image, where those have no number.
// Returns the new count.
ATTR_MUST_CHECK unsigned list_rest_add(const struct list_rest *r,
	struct rule_list_info lists[RULE_LISTS_MAX], unsigned count, uint64_t now_ms);
