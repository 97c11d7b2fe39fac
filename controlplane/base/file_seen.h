// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which file was read, so that a later look tells without reading whether it is still that one.
//
// A file is the same while path, device, inode number, size and both times are. A write sets the
// time of change, which no program can set; but a second write in the same tick of the file
// system's clock sets it to what it was. So a state is kept only of a file that had not changed for
// FILE_SEEN_SETTLED_S when it was read. Blocks as stat does. Any thread.

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { FILE_SEEN_SETTLED_S = 2 };

struct file_seen {
	uint64_t path_hash; // 0: no state is known
	uint64_t device, inode, size;
	struct timespec changed, modified;
};

// The present state; all zero: there is no regular file at `path`.
struct file_seen file_seen_now(const char *path);
// The same of a folder: another state once a file came, went, or has another name.
struct file_seen file_seen_folder(const char *path);
bool file_seen_same(const struct file_seen *a, const struct file_seen *b); // false if one is zero

// After a read that began at `read_unix_s` and found the file in the state `before`: that state, or
// all zero if a later change might not show in it.
struct file_seen file_seen_settled(
	const struct file_seen *before, const char *path, time_t read_unix_s);
