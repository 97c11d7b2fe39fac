// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Reads a file that has names of clients (client_lines.h) whole, CLIENT_FILE_BYTES_MAX at most.
// Blocks: for a helper thread.

#include "client_lines.h"

enum { CLIENT_FILE_BYTES_MAX = 8 << 20 };

// 0, or -errno of the file: -ENOENT: no such file, -EFBIG, -EINVAL: not a regular file.
ATTR_MUST_CHECK int client_file_read(struct client_book *b, enum client_file_kind kind,
	const char *path, uint32_t pass, int64_t now_s, struct client_file_counts *out);
