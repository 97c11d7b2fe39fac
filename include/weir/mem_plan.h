// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The memory that a configuration takes at most, line by line, before anything is started: what
// `weirctl mem plan` prints and by which a process refuses to start.
//
// Regions are computed as they are made; tables of the control plane from their caps with the most
// that an entry can take, buffers by their caps. Rule images are as large as the lists need, which
// nobody knows before they are read (a build is bounded by itself), so they are not in the bill.

#include "attr.h"

#include <stdbool.h>
#include <stdint.h>

struct config;
struct shm_paths;

enum mem_plan_of { MEM_PLAN_CONTROLPLANE, MEM_PLAN_DATAPLANE, MEM_PLAN_PROCESSES };
enum { MEM_PLAN_LINES_MAX = 24, MEM_PLAN_WHY_MAX = 256 };

struct mem_plan_line {
	const char *what, *by; // by: the setting that decides; "": none
	enum mem_plan_of of;
	uint64_t bytes;
};
struct mem_plan {
	unsigned count;
	uint64_t total, of[MEM_PLAN_PROCESSES];
	struct mem_plan_line line[MEM_PLAN_LINES_MAX];
};
void mem_plan_make(struct mem_plan *p, const struct config *c);

// May this process start? What its part takes, less what its regions of a life before have already,
// must be free. 0; -ENOMEM with `why`. With WEIR_MEMORY_CHECK=off in the environment it is only
// logged.
ATTR_MUST_CHECK int mem_plan_check(const struct config *c, enum mem_plan_of of,
	const struct shm_paths *paths, char why[MEM_PLAN_WHY_MAX]);
