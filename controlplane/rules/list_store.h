// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Fetched lists on disk, <state_directory>/lists/: <id>.list as the server sent it, unpacked, and
// <id>.state with what a later request needs (state_file.h). The id is a hash of the URL.
//
// A download goes to <id>.tmp, is checked, synced and renamed, then the state is written: a crash
// between the two leaves validators of the previous file, with which the server sends it once more.
// A file that does not match its state counts as missing. Blocking file I/O.

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
