// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The memory that a configuration takes at most, line by line, before anything is started: what
// `weirctl mem plan` prints and by which a process refuses to start.
//
// Regions are computed as they are made; tables of both processes from their caps with the most
// that an entry can take, buffers by their caps. Each table of the registry stands on one line
// (`tables`; tools/lint refuses one that does not). Rule images are as large as the lists need:
// what that is comes from the disk (mem_plan_lists.h), with both generations and the one being
// built.

#include "attr.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct shm_paths;

enum mem_plan_of { MEM_PLAN_CONTROLPLANE, MEM_PLAN_DATAPLANE, MEM_PLAN_PROCESSES };
enum { MEM_PLAN_LINES_MAX = 48, MEM_PLAN_WHY_MAX = 256 };

struct mem_plan_line {
	const char *what, *by; // by: the setting that decides; "": none
	const char *tables;    // of the registry, that lie in it; "": none
	enum mem_plan_of of;
	uint64_t bytes;
};
struct mem_plan {
	unsigned count;
	uint64_t total, of[MEM_PLAN_PROCESSES];
	uint64_t guess; // of the control plane's: for lists that were never fetched
	struct mem_plan_line line[MEM_PLAN_LINES_MAX];
};
void mem_plan_make(struct mem_plan *p, const struct config *c);

// May this process start? The memory of its part, less that of regions that it already has from an
// earlier run, must be free. A guessed size of lists never prevents a start. 0; -ENOMEM with `why`.
// With WEIR_MEMORY_CHECK=off in the environment a shortage is only logged.
ATTR_MUST_CHECK int mem_plan_check(const struct config *c, enum mem_plan_of of,
	const struct shm_paths *paths, char why[MEM_PLAN_WHY_MAX]);
