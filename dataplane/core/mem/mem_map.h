// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One line of /proc/PID/maps, or the first one of a mapping in smaps.

#include <stddef.h>
#include <stdint.h>
#include <weir/mem_account.h>

enum { MEM_MAP_PATH = 512 };

struct mem_map {
	uint64_t start, end;
	uint64_t device, inode; // major << 32 | minor
	char perms[8];
	char path[MEM_MAP_PATH]; // cut; with " (deleted)" where the kernel says so
	bool guarded;            // right behind a guard page
};

// False: not such a line. `*guard_end`, 0 at first, is the end of the last guard page.
bool mem_map_parse(const char *line, uint64_t *guard_end, struct mem_map *out);
// All but MEM_MAP_huge, which only its device tells from regions.
enum mem_map_kind mem_map_kind(const struct mem_map *m);
