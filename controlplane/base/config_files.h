// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The files that a configuration was read from: its own, those that it includes and the folders in
// which more could match a pattern of `include`, those of its secrets, the authorities of
// upstream servers, the trust anchors, and the root hints. While they are what they were, a reload
// has nothing to read. Lists and hosts files are not among them: the rules look at those themselves
// (struct rules_seen).
//
// By file_seen.h: a few calls of stat, no memory. Any thread, one at a time for each `f`.

#include "file_seen.h"

#include <weir/config.h>

enum {
	CONFIG_FILES_ALONE = 8,
	CONFIG_FILES_INCLUDED = CONFIG_FILES_ALONE + CONFIG_TSIG_KEYS_MAX, // where these begin
	CONFIG_FILES_FOLDERS = CONFIG_FILES_INCLUDED + CONFIG_INCLUDED_MAX,
	CONFIG_FILES = CONFIG_FILES_FOLDERS + CONFIG_INCLUDE_MAX
};

struct config_files {
	struct file_seen seen[CONFIG_FILES]; // all zero: nothing is known, so they are not the same
};

// After `c` was read by a load that began at `began_unix_s`. A file that may have changed since
// then is not known.
void config_files_note(struct config_files *f, const struct config *c, time_t began_unix_s);
// `c`: the same one.
bool config_files_same(const struct config_files *f, const struct config *c);
