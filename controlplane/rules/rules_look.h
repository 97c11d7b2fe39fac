// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Is there anything to build? A look at the files of the configuration tells without memory, thread
// or reading, where the last job noted what it read: each list and hosts file is the one that was
// hashed, and each list has its copy. Any doubt is a reason to build: a job then reads the files
// and compares contents.
//
// A look costs two calls of stat for each list and one for each hosts file, on the service loop.

#include "rules_sources.h"

struct rules_seen {
	// The configuration (rules_follow numbers them) whose rules are those of the image in force
	// if all these files are the same; 0: not known.
	uint64_t configuration;
	struct rule_known list[RULE_LISTS_MAX]; // by source; the first two have no file
	struct file_seen hosts[CONFIG_HOSTS_FILES_MAX];
};

// Hashes the sources, and notes in `seen` which files these are.
uint64_t rules_look_hash(struct rules_seen *seen, const struct rules_sources *s,
	struct rule_source_result *result, struct pace *pace);

// Are all files of configuration `c` as noted?
bool rules_look_same(const struct rules_seen *seen, const struct config *c);
