// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Bytes that the process has mapped, read without anything that maps memory itself. Of maps and not
// of statm, which under qemu's user mode has the emulator's too.

#include "tests/unit/unit.h"

static inline uint64_t mapped_bytes(void)
{
	static char text[1 << 16];
	size_t len = 0;
	uint64_t bytes = 0;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (ssize_t n; (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0;)
		len += (size_t)n;
	close(fd);
	assert_in_range(len, 1, sizeof(text) - 2);
	text[len] = '\0';
	for (char *line = text; *line; line = strchr(line, '\n') + 1) {
		char *dash;
		const uint64_t from = strtoull(line, &dash, 16);
		bytes += strtoull(dash + 1, NULL, 16) - from;
	}
	return bytes;
}
