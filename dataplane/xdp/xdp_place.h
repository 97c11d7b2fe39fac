// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Paths for an interface: of its claim, and of the pins of its steering program. Any thread; one
// system call.

#include <stdio.h>
#include <sys/stat.h>

enum { XDP_PLACE_MAX = 96 };

// Each network namespace has its own interface numbers.
static inline const char *xdp_place(const char *folder, unsigned ifindex, char out[XDP_PLACE_MAX])
{
	struct stat ns = {0};
	(void)stat("/proc/self/ns/net", &ns);
	snprintf(out, XDP_PLACE_MAX, "%s/weir_%llu_%u", folder, (unsigned long long)ns.st_ino,
		ifindex);
	return out;
}
