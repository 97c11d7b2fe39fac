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
// Cuts the file back to the end of its last whole line. After a power cut it may end in half a line
// or in NULs, or have NULs in the middle of what was written last: ext4 writes a new block before
// the rest of the one before it, which it had written when that was half full. From the first of
// these on the lines go, which are of the time that a power cut may lose. *size: its size, before
// and after. 0 or -errno.
enum { REQUEST_MEND_MAX = 64 << 20 }; // so far back it looks
ATTR_MUST_CHECK int request_file_mend(int fd, uint64_t *size);
