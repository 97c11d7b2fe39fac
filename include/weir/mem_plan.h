// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The memory that a configuration takes at most, line by line, before anything is started: what
// `weirctl mem plan` prints and by which a process refuses to start.
//
// Regions are computed as they are made; tables of both processes from their caps with the most
// that an entry can take, buffers by their caps. Each table of the registry stands on one line
// (`tables`; tools/lint refuses one that does not). Rule images are as large as the lists need:
// what that is comes from the disk (below), with both generations and the one being
// built.

#include "attr.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct shm_paths;

enum mem_plan_of { MEM_PLAN_CONTROLPLANE, MEM_PLAN_DATAPLANE, MEM_PLAN_PROCESSES };
enum { MEM_PLAN_LINES_MAX = 48, MEM_PLAN_WHY_MAX = 256 };

struct mem_plan_line {
	const char *what, *by; // what decides: a setting, or ""
	const char *tables;    // tables of the registry that lie in it, or ""
	enum mem_plan_of of;
	uint64_t bytes;
};
struct mem_plan {
	unsigned count;
	uint64_t total, of[MEM_PLAN_PROCESSES];
	uint64_t guess; // the control plane's part for lists that were never fetched
	struct mem_plan_line line[MEM_PLAN_LINES_MAX];
};
void mem_plan_make(struct mem_plan *p, const struct config *c);

// May this process start? The memory of its part, less that of regions that it already has from an
// earlier run, must be free. A guessed size of lists never prevents a start. 0; -ENOMEM with `why`.
// With WEIR_MEMORY_CHECK=off in the environment a shortage is only logged.
ATTR_MUST_CHECK int mem_plan_check(const struct config *c, enum mem_plan_of of,
	const struct shm_paths *paths, char why[MEM_PLAN_WHY_MAX]);

// The memory that the kernel says is available. An unknown figure never prevents a start: a process
// that does not start on a sound machine is worse than one that runs out of memory later.

struct mem_room {
	uint64_t available; // what is there without swapping
	uint64_t huge;      // free huge pages of all sizes, in addition
	uint64_t group;
};
// Reads the room of this machine and process; `available` is UINT64_MAX where the kernel does not
// say.
void mem_room_read(struct mem_room *out);
uint64_t mem_room_all(const struct mem_room *r);

// Parts of mem_room_read, for tests. `own`: /proc/self/cgroup; `root`: where cgroups are mounted.
uint64_t mem_room_group(const char *root, const char *own);
uint64_t mem_room_huge(const char *folder); // reads /sys/kernel/mm/hugepages

// Estimates the size of the rule image of a configuration from the files on disk.
//
// The last good image is the best estimate, with a quarter more for lists that grow. Without one
// the estimate is from the lists' texts, local and fetched: 17 bytes a name are at most one and a
// half times the text of names of 11 bytes and more, the mean of names in lists. A list that was
// never fetched counts MEM_PLAN_LIST_USUAL, or its cap where that is less (max_mb is a bound
// against hostile servers; few lists come near it). Reads names and sizes of files alone.

enum { MEM_PLAN_LIST_USUAL = 8 << 20 };

struct mem_plan_lists {
	unsigned unfetched;
	uint64_t text;  // bytes of lists, those that were never fetched reckoned
	uint64_t image; // size of the image on disk; 0 without one
	uint64_t bytes; // that the next image may have; 0: no lists
	uint64_t guess; // the part of these for lists that were never fetched
};
