// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What this process warned of lately, into its statistics, for the control API. Main lcore.

#include <weir/shm_stats.h>

// Copies the newest kinds of log_recent.h when `*seen`, 0 at first, says that there is a new one.
void recent_errors_report(struct stats_errors *out, uint64_t *seen);
