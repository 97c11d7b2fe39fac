// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Folders with all that is below them: plain files and folders, nothing else.

#include <stdbool.h>
#include <weir/attr.h>

enum { FILE_TREE_MAX = 10000 };

// Removes the folder and all below it, without following links. Errors leave the rest there.
void file_tree_remove(const char *folder);

// Calls `each` for each plain file below, with its path relative to the folder, in no order; stops
// with the first result that is not 0. -ELOOP: there is something else than plain files and
// folders; -E2BIG: more than FILE_TREE_MAX. Not reentrant.
ATTR_MUST_CHECK int file_tree_walk(
	const char *folder, int (*each)(void *arg, const char *relative), void *arg);
