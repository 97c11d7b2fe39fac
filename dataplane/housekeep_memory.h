// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Writes the data plane's heap by account, and the unaccounted rest, into the statistics.
//
// DPDK, its drivers and libbpf allocate with malloc(3) without a hook, but only while they start.
// Bytes in no account before the workers run are theirs; later ones are unexplained, and over
// MEM_DATAPLANE_ALARM logged once. A thread's cache of freed blocks counts as handed out, hence the
// margin. Main lcore only, each ten seconds.

#include <weir/shm_stats.h>

enum { HOUSEKEEP_MEMORY_MS = 10000, MEM_DATAPLANE_ALARM = 1 << 20 };

void housekeep_memory_start(struct stats_memory *m);
void housekeep_memory_look(struct stats_memory *m);
