// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rule image of the workers (rule_image.h) for a thread other than the service loop's, which
// maps it by itself: a frontend for its clients, the log thread for its counts. One thread, which
// looks often: when another image is current it is mapped, page by page as it is read, and the one
// before is unmapped aside. If it cannot be mapped the previous one stays; before the first there
// are no rules.

#include "publish.h"

#include <weir/shm_region.h>

enum { MAPPED_RULES_RETRY_MS = 100 };

struct mapped_rules {
	uint64_t word;     // of directory.current that `reader` stands for; 0: there are none
	uint64_t tried_ms; // in vain; not again in the same MAPPED_RULES_RETRY_MS
	struct region region;
	struct rule_reader reader;
	uint64_t allowing[4]; // lists whose rules allow (rule_mask_blocks)
};

void mapped_rules_look(struct mapped_rules *fr, struct publisher *publisher, uint64_t now_ms);
void mapped_rules_close(struct mapped_rules *fr);

// NULL: there are no rules yet.
ATTR_INLINE const struct rule_reader *mapped_rules_reader(const struct mapped_rules *fr)
{
	return fr->word ? &fr->reader : NULL;
}
