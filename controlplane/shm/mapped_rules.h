// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rule image of the workers (rule_image.h), mapped by a thread other than the service loop's: a
// frontend for its clients, the log thread for its counts. One thread, which calls
// mapped_rules_look often. A new current image is mapped, page by page as it is read, and the
// previous one is unmapped on another thread. If an image cannot be mapped the previous one stays;
// before the first image there are no rules.

#include "publish.h"

#include <weir/shm_region.h>

enum { MAPPED_RULES_RETRY_MS = 100 };

struct mapped_rules {
	uint64_t word;     // the word of directory.current whose image `reader` has; 0: no image
	uint64_t tried_ms; // when an image could not be mapped; a retry waits MAPPED_RULES_RETRY_MS
	struct region region;
	struct rule_reader reader;
	uint64_t allowing[4]; // lists whose rules allow (rule_mask_blocks)
};

void mapped_rules_look(struct mapped_rules *fr, struct publisher *publisher, uint64_t now_ms);
void mapped_rules_close(struct mapped_rules *fr);

// The mapped image; NULL: there are no rules yet.
ATTR_INLINE const struct rule_reader *mapped_rules_reader(const struct mapped_rules *fr)
{
	return fr->word ? &fr->reader : NULL;
}
