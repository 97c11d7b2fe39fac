// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Runs a scene once for each fault site of its groups and each passage: a child works and dies at
// the site, then the parent, its successor, audits what it left. A site that the work does not pass
// three times fails. A few late passages, in tables long in use, are tried as far as they come.
//
// In a build without fault points the work runs to its end, once, and is audited.
//
// Arguments: none (all), "--list" (the sites of every scene), or SITE PASSAGE (that one).

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <weir/fault.h>
#include <weir/shm_region.h>

struct fault_scene {
	const char *name;
	unsigned groups;                        // bit fault_group: its sites
	void (*prepare)(void);                  // in the parent
	void (*work)(void);                     // in the child
	void (*peer)(pid_t child);              // in the parent, while the child works; may be NULL
	void (*audit)(enum fault_site died_at); // in the parent; FAULT_SITES_COUNT: it did not die
};

int fault_run(const struct fault_scene *scene, int argc, char **argv);

// A program: `first`, then a scene of its prepare(), work() and audit().
#define FAULT_MAIN(title, its_groups, first)                            \
	int main(int argc, char **argv)                                 \
	{                                                               \
		static const struct fault_scene scene = {.name = title, \
			.groups = its_groups,                           \
			.prepare = prepare,                             \
			.work = work,                                   \
			.audit = audit};                                \
		first;                                                  \
		return fault_run(&scene, argc, argv);                   \
	}

// Ends the program, naming site and passage, unless the condition holds.
#define FAULT_CHECK(cond)                                      \
	do {                                                   \
		if (!(cond))                                   \
			fault_fail(__FILE__, __LINE__, #cond); \
	} while (0)
__attribute__((noreturn)) void fault_fail(const char *file, int line, const char *what);
enum fault_group fault_group_of(enum fault_site site);

// Zeroed memory that a child shares with its parent.
void *fault_shared(size_t size);
// Runtime folders of this program, new and empty each time; removed at the end of fault_run.
const struct shm_paths *fault_folders(void);
