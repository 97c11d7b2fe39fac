// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files beside the stored image: copies of the lists, and the image before the current one. On the
// helper thread of a job.

#include "rules_sources.h"

// Copies the lists for builds that cannot read them, after the image and with room left for the
// next one. Returns the bytes of all copies.
uint64_t rules_files_keep_lists(const struct rules_sources *s,
	const struct rule_source_result *result, uint64_t image_size);

// The file of the current image, which is about to be replaced, becomes the previous one, unless it
// has another image: one that was stored and not published is no rollback target.
void rules_files_keep_previous(
	const char *image, const char *previous, const struct rule_image_head *current);

// Both change names. -errno.
ATTR_MUST_CHECK int rules_files_swap(const char *image, const char *previous);
