// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files in a folder where another user makes files too, as the data plane's does in the runtime
// directory: what that one put in a file's place is neither waited for, nor followed, nor believed.
// Blocks as long as the disk does. Any thread.

#include "attr.h"

#include <sys/stat.h>

// Opens with `flags` of open(2) a regular file that has one name and is this user's or root's; root
// takes one of any user. -EPERM: something else is there; -errno.
ATTR_MUST_CHECK int own_file_open(const char *path, int flags, mode_t mode);
// A new file to write, in place of one of that name. -errno: what is there cannot be removed, or
// came back.
ATTR_MUST_CHECK int own_file_make(const char *path, mode_t mode);
