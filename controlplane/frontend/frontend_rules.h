// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rules for a frontend's clients, by the rule image of the workers (rule_image.h), which the
// frontend maps by itself. One loop's thread, which looks each 100 ms and before each question:
// when another image is current it is mapped, page by page as it is read, and the one before is
// unmapped aside. If it cannot be mapped the previous one stays; before the first there are no
// rules.

#include "shm/publish.h"

#include <weir/shm_region.h>

enum { FRONTEND_RULES_RETRY_MS = 100 };

struct frontend_rules {
	uint64_t word;     // of directory.current that `reader` stands for; 0: there are none
	uint64_t tried_ms; // in vain; not again in the same FRONTEND_RULES_RETRY_MS
	struct region region;
	struct rule_reader reader;
	uint64_t allowing[4]; // lists whose rules allow (rule_mask_blocks)
};

void frontend_rules_look(struct frontend_rules *fr, struct publisher *publisher, uint64_t now_ms);
void frontend_rules_close(struct frontend_rules *fr);

// NULL: there are no rules yet.
ATTR_INLINE const struct rule_reader *frontend_rules_reader(const struct frontend_rules *fr)
{
	return fr->word ? &fr->reader : NULL;
}
