// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Sends messages of DPDK and its drivers through weir's log (log.h): no message waits for the
// reader of stderr, which would delay the main lcore. They are printed unchanged, except a few that
// do not apply to a data plane of one process (dpdk_log_is_noise).

#include <stdbool.h>

// Once, before EAL starts. Where that fails DPDK prints for itself, as without it.
void dpdk_log_take(void);

// A message that appears at every sound start and that an operator cannot act on.
bool dpdk_log_is_noise(const char *text);
