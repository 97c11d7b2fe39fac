// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Replaces a file as a whole: writes it beside the old one, syncs it and renames it over the old
// one. So a crash or a full disk at any moment leaves the old file or the new one. Blocking file
// I/O: helper threads, or before the loops run. One writer of a path at a time.

#include <stddef.h>
#include <weir/attr.h>

enum { FILE_WRITE_WHY_MAX = 256 };

// The file is readable by its owner alone. -errno (disk full, no folder, ...) with `why`: the old
// file is still there.
ATTR_MUST_CHECK int file_write(
	const char *path, const void *bytes, size_t size, char why[FILE_WRITE_WHY_MAX]);
// file_write with a file that its group may read, too.
ATTR_MUST_CHECK int file_write_shared(
	const char *path, const void *bytes, size_t size, char why[FILE_WRITE_WHY_MAX]);
// Writes all bytes to an open file. -errno.
ATTR_MUST_CHECK int file_write_fd(int fd, const void *bytes, size_t size);
