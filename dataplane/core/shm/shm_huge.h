// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Huge pages for regions on a tmpfs. An operator must set up and fill a hugetlbfs mount; where
// there is none, a new file gets pages of 2 MiB before it has any of 4 KiB, which Linux does on
// demand since 6.1, whatever the settings for transparent ones. Reads then need a page walk of one
// step less and some five hundred times fewer TLB entries. Both processes must map the file at an
// address where a huge page can be.
//
// A page of 2 MiB is made from one small one, so that only zeros are copied: 0.12 to 0.16 ms of CPU
// each, a twentieth of what 512 small ones and putting them together take; 3 to 5 ms on a virtual
// machine whose host has yet to find the memory. weir stops at the first refusal, after a second of
// CPU and 6 ms more for each page of the file (the caller's time between them included), or after
// SHM_HUGE_MOST_MS of wall time. The rest gets small pages later, and works.

#include <stddef.h>
#include <stdint.h>
#include <weir/shm_abi.h>

enum { SHM_HUGE_PAGE = 2 << 20, SHM_HUGE_MOST_MS = 30000 };

// mmap(2) of a file from its start; from one huge page on at a multiple of that. MAP_FAILED, errno.
void *shm_huge_map(int fd, size_t size, int prot, int flags);

// A new file on a tmpfs that gets huge pages, from its start on. All zero, it makes none.
struct shm_huge {
	int fd;
	size_t size, made; // bytes; those in huge pages
	uint8_t *base;     // NULL: no more are made
	uint64_t until_ms; // of the thread's CPU time
	uint64_t late_ms;  // clock_mono_ms
};

// The file, which has no pages yet, has this size then.
void shm_huge_begin(struct shm_huge *h, int fd, size_t size);
// Pages for all before `end`, of which nothing behind `made` may be written yet. It takes memory at
// once, so a caller that frees its source as it copies asks for no more than the next part.
void shm_huge_make(struct shm_huge *h, size_t end);
// The pages made so far stay.
void shm_huge_end(struct shm_huge *h);
