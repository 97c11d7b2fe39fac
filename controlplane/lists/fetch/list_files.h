// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Fetched lists on disk, <state_directory>/lists/: <id>.list as the server sent it, unpacked, and
// <id>.state with what a later request needs (state_file.h). The id is a hash of the URL.
//
// A download goes to <id>.tmp, is checked, synced and renamed, then the state is written: a crash
// between the two leaves validators of the previous file, with which the server sends it once more.
// A file that does not match its state counts as missing. Blocking file I/O.

#include "rule_image/rule_compile.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

enum { LIST_STORE_WHY_MAX = 256 };

struct list_store_paths {
	char list[PATH_MAX], state[PATH_MAX], temporary[PATH_MAX];
};
// -ENAMETOOLONG.
ATTR_MUST_CHECK int list_store_paths(
	struct list_store_paths *out, const char *state_directory, const char *url);
// list_store_paths of the list with this id (weir/list_file.h).
ATTR_MUST_CHECK int list_store_paths_of(
	struct list_store_paths *out, const char *state_directory, uint64_t id);
// Makes the folder. -errno.
ATTR_MUST_CHECK int list_store_open(const char *state_directory, char why[LIST_STORE_WHY_MAX]);

struct list_stored {
	char etag[256], last_modified[64]; // "": the server gave none
	uint64_t good_unix_s;              // when the server last confirmed the list
	uint64_t size, content_hash;
};
// -ENOENT: there is no file or none to use. `whole`: its content is read and compared as well.
ATTR_MUST_CHECK int list_store_read(
	const struct list_store_paths *p, bool whole, struct list_stored *out);
ATTR_MUST_CHECK int list_store_write_state(const struct list_store_paths *p,
	const struct list_stored *stored, char why[LIST_STORE_WHY_MAX]);
// The temporary file, open and synced here, becomes the list, with its state.
ATTR_MUST_CHECK int list_store_take(const struct list_store_paths *p, int fd,
	const struct list_stored *stored, char why[LIST_STORE_WHY_MAX]);

// Size and content hash of a file. -errno.
ATTR_MUST_CHECK int list_store_hash(int fd, uint64_t *size, uint64_t *content_hash);

// Removes the files of URLs that are not among these.
void list_store_prune(const char *state_directory, const char *const *url, unsigned count);

// Copies of each list from when it last gave rules, for builds that cannot read the list:
// <state_directory>/lists/<id>.kept. The id is a hash of the list's title and of its options, so a
// list keeps its copy when its path or URL changes, and a list to block is never read as one to
// allow. A fetched list's copy is a hard link to the stored file. A local list may be written in
// place, so its copy is a file of its own.
//
// The helper thread of a build makes copies and removes those of lists that left (rules_job.c), one
// build at a time. A copy is complete or missing: temporary name, fsync, rename. Costs one read and
// one write of a local list that changed. Blocking file I/O.

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

// The sum of the sizes of all copies: that of a fetched list counts although it may share its
// blocks with the stored file. Reads the folder.
uint64_t list_kept_bytes(const char *state_directory);

uint64_t list_kept_unix_s(const char *path); // the date of that content; 0: no copy
