// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Where a rule image is: in memory, and on disk, so that a start blocks at once, before any
// network.
//
// The file is written by file_write (file_write.h). What cannot be used is renamed to <path>.bad,
// for someone to look at, and never tried again. Blocking file I/O: helper threads, or before the
// loops run.

#include <stddef.h>
#include <weir/attr.h>
#include <weir/rule_image.h>

// An image in memory of its own, aligned to a page; or inside a mapping that is freed with it.
struct rule_arena {
	void *base;
	size_t size;
	void *map; // NULL: just these bytes
	size_t map_size;
};
ATTR_MUST_CHECK int rule_arena_new(struct rule_arena *a, size_t size); // zeroed; -ENOMEM
void rule_arena_free(struct rule_arena *a);                            // an empty one is fine

enum { RULE_STORE_WHY_MAX = 256 };
#define RULE_STORE_SIZE_MAX (UINT64_C(1) << 32) // a larger file is refused unread

// Makes the copy of `size` bytes of the open file that is verified and used, so that no other
// process can truncate or change it. -errno.
typedef int (*rule_store_place)(void *arg, int fd, size_t size, struct rule_arena *out);

// Reads and verifies the whole image; with `place` NULL into memory of its own. -ENOENT: no image;
// -EPROTO: refused; other -errno: could not be read. `why` in all cases.
ATTR_MUST_CHECK int rule_store_read(const char *path, rule_store_place place, void *arg,
	struct rule_arena *out, struct rule_reader *reader, char why[RULE_STORE_WHY_MAX]);

// Loads an image; a file that is refused is moved aside.
ATTR_MUST_CHECK int rule_store_load(const char *path, rule_store_place place, void *arg,
	struct rule_arena *out, struct rule_reader *reader, char why[RULE_STORE_WHY_MAX]);
