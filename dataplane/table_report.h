// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The figures of the data plane's tables (stats_tables.h), into the statistics.
//
// Main lcore only. Each look reads words that others write anyway (indices of rings, free buffers
// of pools) and takes nothing from a worker but a share of some cache lines, a few thousand in a
// second at most; no worker counts anything for it. The asked keys of a worker (dedup.h) are
// walked by parts, one a second, so their number is that of the last whole walk.

#include "state/dedup.h"

#include <weir/shm_stats.h>

struct housekeep;

enum { TABLE_REPORT_PARTS = 16, TABLE_REPORT_SETS = DEDUP_SETS / TABLE_REPORT_PARTS };

// Of one worker's asked keys, by part.
struct asked_walk {
	unsigned next;
	uint16_t live[TABLE_REPORT_PARTS];
};

// Each 100 ms: how full rings and pools are, for their high water.
void table_report_look(struct housekeep *h);
// Each second: all of it.
void table_report_write(struct housekeep *h, uint64_t now_ms);
