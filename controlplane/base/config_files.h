// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The files that a configuration was read from: the main file, included files and the folders in
// which more files could match a pattern of `include`, files of secrets, the authorities of
// upstream servers, the trust anchors, the root hints, and the time zones of schedules. While these
// files have not changed, a reload has nothing to read. Lists and hosts files are not among them:
// the rules check those (struct rules_seen).
//
// A few calls of stat, no memory. Any thread, but one at a time for each `f`.

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <weir/config_tools.h>

// The state of a file that was read, by which a later check tells without reading whether the file
// has changed.
//
// A file is unchanged if path, device, inode number, size and both times are. A write sets the time
// of change, which no program can set; but a second write in the same tick of the file system's
// clock leaves that time as it is. So a state is kept only of a file that had not changed for
// FILE_SEEN_SETTLED_S when it was read. Blocks as stat does. Any thread.

enum { FILE_SEEN_SETTLED_S = 2 };

struct file_seen {
	uint64_t path_hash; // 0: no state is known
	uint64_t device, inode, size;
	struct timespec changed, modified;
};

// The present state; all zero: there is no regular file at `path`.
struct file_seen file_seen_now(const char *path);
bool file_seen_same(const struct file_seen *a, const struct file_seen *b); // false for a zero state

// The state to keep after a read that began at `read_unix_s` and found the state `before`; all zero
// if a later change might not show in it.
struct file_seen file_seen_settled(
	const struct file_seen *before, const char *path, time_t read_unix_s);

enum {
	CONFIG_FILES_ALONE = 1 + CONFIG_KEY_FILES, // the main file, and those of keys
	CONFIG_FILES_ZONES = CONFIG_FILES_ALONE + CONFIG_TSIG_KEYS_MAX,     // first time zone
	CONFIG_FILES_INCLUDED = CONFIG_FILES_ZONES + CONFIG_TIME_ZONES_MAX, // first included file
	CONFIG_FILES_FOLDERS = CONFIG_FILES_INCLUDED + CONFIG_INCLUDED_MAX,
	CONFIG_FILES = CONFIG_FILES_FOLDERS + CONFIG_INCLUDE_MAX
};

struct config_files {
	struct file_seen seen[CONFIG_FILES]; // a zero state: not known, so it differs
};

// Notes the states of the files of `c`, after a load that began at `began_unix_s` has read them.
// The state of a file that may have changed since then is not known.
void config_files_note(struct config_files *f, const struct config *c, time_t began_unix_s);
// Whether no file has changed. `c`: the configuration of config_files_note.
bool config_files_same(const struct config_files *f, const struct config *c);
