// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Huge pages for regions on a tmpfs. A hugetlbfs mount must be set up and filled by somebody; where
// there is none, a region's pages of 4 KiB are put together to such of 2 MiB after it was made,
// which Linux does on demand since 6.1, whatever the settings for transparent ones. Readers' tables
// then cost a page walk of one step less and some five hundred times fewer entries of the TLB; both
// processes have to map the file where a huge page can lie.
//
// It costs a copy of the region, under a millisecond for each huge page, and is given up after
// a second or at the first refusal: what is left stays in small pages, and works.

#include <stddef.h>
#include <stdint.h>
#include <weir/shm_abi.h>

enum { SHM_HUGE_PAGE = 2 << 20 };

// mmap(2) of a file from its start; from one huge page on at a multiple of that. MAP_FAILED, errno.
void *shm_huge_map(int fd, size_t size, int prot, int flags);

// Octets from `base`, which is mapped as above, that lie in huge pages now.
size_t shm_huge_collapse(uint8_t *base, size_t size);
