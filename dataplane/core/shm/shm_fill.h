// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Fills a new region (struct region_fill of <weir/shm_region.h>), from memory or from a file.

#include "shm_huge.h"

#include <weir/shm_region.h>

// On a tmpfs: writes all `size` bytes of the file, a page of zeros for the header first, so that
// each has its page, in `huge` ones as far as there are such. -errno; -EIO: the source file is
// shorter than it was.
ATTR_MUST_CHECK int shm_fill_file(
	int fd, size_t size, const struct region_fill *fill, struct shm_huge *huge);

// On hugetlbfs, which cannot be written to but in memory.
ATTR_MUST_CHECK int shm_fill_memory(uint8_t *to, const struct region_fill *fill);
