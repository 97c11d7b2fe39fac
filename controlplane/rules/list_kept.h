// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Copies of each list from when it last gave rules, for builds that cannot read the list:
// <state_directory>/lists/<id>.kept. The id is a hash of the list's title and of its options, so a
// list keeps its copy when its path or URL changes, and a list to block is never read as one to
// allow. A fetched list's copy is a hard link to the stored file. A local list may be written in
// place, so its copy is a file of its own.
//
// The helper thread of a build makes copies and removes those of lists that left (rules_job.c), one
// build at a time. A copy is complete or missing: temporary name, fsync, rename. Costs one read and
// one write of a local list that changed. Blocking file I/O.

#include "lists/rule_compile.h"

#include <limits.h>

// -ENAMETOOLONG.
ATTR_MUST_CHECK int list_kept_path(
	char out[PATH_MAX], const char *state_directory, const struct rule_source *s);

// Do size and time say that the copy at `kept` is of the list's file?
bool list_kept_is(const char *path, const char *kept);

// The list's file becomes the copy, unless it is, if its content is the one that the build read.
// -ESTALE: it changed since; -ENOSPC: a copy that takes room would leave less than `spare` bytes of
// it; another -errno.
ATTR_MUST_CHECK int list_kept_take(const char *state_directory, const struct rule_source *s,
	uint64_t content_hash, uint64_t spare);

// Removes copies that none of these sources has.
void list_kept_prune(const char *state_directory, const struct rule_source *source, unsigned count);

// Of all copies together, by their sizes: that of a fetched list counts although it may share its
// blocks with the stored file. Reads the folder.
uint64_t list_kept_bytes(const char *state_directory);

uint64_t list_kept_unix_s(const char *path); // of when that content is; 0: no copy
