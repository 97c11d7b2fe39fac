// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One line of /proc/PID/maps, or the first one of a mapping in smaps.

#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/mem_account.h>
#include <weir/page.h>

enum { MEM_MAP_PATH = 512 };

struct mem_map {
	uint64_t start, end;
	uint64_t device, inode; // major << 32 | minor
	char perms[8];
	char path[MEM_MAP_PATH]; // cut; with " (deleted)" where the kernel says so
	bool guarded;            // right behind a guard
};

// Bytes without rights below a thread's stack. On arm64 glibc leaves 64 KiB at least, whatever a
// program wants (its ARCH_MIN_GUARD_SIZE).
ATTR_INLINE uint64_t mem_map_guard(void)
{
#ifdef __aarch64__
	const uint64_t least = 64 << 10;
	return page_size() > least ? page_size() : least;
#else
	return page_size();
#endif
}

// False: not such a line. `*guard_end`, 0 at first, is the end of the last guard.
bool mem_map_parse(const char *line, uint64_t *guard_end, struct mem_map *out);
// All but MEM_MAP_huge, which only its device tells from regions.
enum mem_map_kind mem_map_kind(const struct mem_map *m);
