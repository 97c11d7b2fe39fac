// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The memory that the kernel says is available. An unknown figure never prevents a start: a process
// that does not start on a sound machine is worse than one that runs out of memory later.

#include <stdint.h>

struct mem_room {
	uint64_t available; // without swapping
	uint64_t huge;      // in free huge pages of all sizes, beside that
	// Up to the limit of this process' cgroup (version 1 or 2) or of one above it; UINT64_MAX:
	// no limit. The group's page cache counts as available, and huge pages do not count towards
	// such a limit.
	uint64_t group;
};
// Of this machine and process; `available` is UINT64_MAX where the kernel does not say.
void mem_room_read(struct mem_room *out);
uint64_t mem_room_all(const struct mem_room *r);

// Its parts, for tests. `own`: /proc/self/cgroup; `root`: where cgroups are mounted.
uint64_t mem_room_group(const char *root, const char *own);
uint64_t mem_room_huge(const char *folder); // of /sys/kernel/mm/hugepages
