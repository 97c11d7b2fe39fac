// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A file of the request log on disk: whether a path still names it, and its torn end.
//
// Owned by the request log's thread. Blocking file I/O, 64 KiB at a time.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

// Does `path` name the file of `fd`? Then *size is its present size, smaller than before if another
// process has truncated it.
bool request_file_is_at(int fd, const char *path, uint64_t *size);
// Cuts the file back to the end of its last whole line: after a power cut it may end in half a
// line, or in NULs. *size: its size, before and after. 0 or -errno.
ATTR_MUST_CHECK int request_file_mend(int fd, uint64_t *size);
