// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Memory nodes (NUMA) of the memory that workers read.
//
// Memory of one worker (packet pool, its struct, rings, marks) is on that worker's node. The
// control plane makes the memory that all workers read (L0, images, policy). It prefers the
// workers' node for all of its memory, or interleaves over their nodes when there are several. So
// each worker pays the same share of distant lines, and no link carries them all. Preferred, never
// bound: a full node is slower, no memory is down. On a machine of one node, or where the kernel
// refuses, nothing happens. A memory policy belongs to a thread; threads that it starts inherit it.
// Start-up and tables' creation only: files and system calls.

#include "attr.h"

#include <stdbool.h>
#include <stdint.h>

enum { NUMA_NODES_MAX = 64 };

// The nodes that have memory of their own and these CPUs, one bit each. 0: at most one node, or the
// kernel does not say. `sys`: NULL, or a directory in place of /sys/devices/system/node.
uint64_t numa_nodes_of(const char *sys, const unsigned *cpus, unsigned count);

// Where this thread's next pages come from: a node, several in turn, or anywhere (0). 0 or -errno.
int numa_place(uint64_t nodes);

// Is this CPU in a list as the kernel writes them, "0-3,8,10-11"? What follows other text is not
// read.
bool numa_list_has(const char *list, unsigned cpu);
