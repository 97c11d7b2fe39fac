// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// DPDK's own messages, and those of its drivers, on the way of ours (log_out.h): none of them waits
// for the reader of stderr, which would hold up the main lcore. They are printed as they are, but
// for a few that say nothing about a data plane of one process (dpdk_log_is_noise).

#include <stdbool.h>

// Once, before EAL starts. Where that fails DPDK prints for itself, as without it.
void dpdk_log_take(void);

// A message that a sound start has in any case, and that nobody can do anything about.
bool dpdk_log_is_noise(const char *text);
