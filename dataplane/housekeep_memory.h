// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane's heap by account, and what no account knows, into the statistics.
//
// DPDK, its drivers and libbpf allocate with malloc(3) and do not say so; they do it while they
// start. What is handed out and in no account when the workers are about to run is theirs; what
// comes to it later is unexplained, and over MEM_DATAPLANE_ALARM it is told in the log once. A
// thread's cache of freed blocks counts as handed out, hence so much. Main lcore only, each ten
// seconds.

#include <weir/shm_stats.h>

enum { HOUSEKEEP_MEMORY_MS = 10000, MEM_DATAPLANE_ALARM = 1 << 20 };

void housekeep_memory_start(struct stats_memory *m);
void housekeep_memory_look(struct stats_memory *m);
