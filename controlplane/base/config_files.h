// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The files that a configuration was read from: its own, those that it includes and the folders in
// which more could match a pattern of `include`, those of its secrets, the authorities of
// upstream servers, the trust anchors, and the root hints. While they are what they were, a reload
// has nothing to read. Lists and hosts files are not among them: the rules look at those themselves
// (struct rules_seen).
//
// A few calls of stat, no memory. Any thread, one at a time for each `f`.

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <weir/config.h>

// Which file was read, so that a later look tells without reading whether it is still that one.
//
// A file is the same while path, device, inode number, size and both times are. A write sets the
// time of change, which no program can set; but a second write in the same tick of the file
// system's clock sets it to what it was. So a state is kept only of a file that had not changed for
// FILE_SEEN_SETTLED_S when it was read. Blocks as stat does. Any thread.

enum { FILE_SEEN_SETTLED_S = 2 };

struct file_seen {
	uint64_t path_hash; // 0: no state is known
	uint64_t device, inode, size;
	struct timespec changed, modified;
};

// The present state; all zero: there is no regular file at `path`.
struct file_seen file_seen_now(const char *path);
bool file_seen_same(const struct file_seen *a, const struct file_seen *b); // false if one is zero

// After a read that began at `read_unix_s` and found the file in the state `before`: that state, or
// all zero if a later change might not show in it.
struct file_seen file_seen_settled(
	const struct file_seen *before, const char *path, time_t read_unix_s);

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
