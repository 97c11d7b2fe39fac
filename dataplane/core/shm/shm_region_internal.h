// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What making a region (shm_region.c) and mapping one (shm_attach.c) share.

#include <weir/shm_region.h>

// "<directory>/<name>", or an error when the name is not one that we would give.
ATTR_MUST_CHECK int region_path(char path[2 * SHM_PATH_MAX], const struct shm_paths *paths,
	enum shm_where where, const char *name, char why[SHM_WHY_MAX]);
// mmap(2) of a file from its start, where its pages can be huge ones. MAP_FAILED, errno.
void *region_map_file(int fd, enum shm_where where, size_t size, int prot, int flags);
uint64_t region_header_sum(const struct region_header *h);
