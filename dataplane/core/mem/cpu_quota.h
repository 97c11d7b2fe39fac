// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How many CPUs the cgroup of this process may use: the smallest quota of the group and of those
// above it, of cgroup v2 (cpu.max) or v1 (cpu.cfs_quota_us, cpu.cfs_period_us).
//
// Reads a few small files of the kernel's, at the start and at each reload or check of a
// configuration with `auto`.
// What is missing, or not as the kernel writes it, is no quota. In a container the path of the
// group may be that of the host; the root of the mount is then all that there is, and is looked at
// too.

#include <weir/config.h>

// `root`: "" for this machine; a test's folder has proc/self/cgroup and sys/fs/cgroup. In
// hundredths of a CPU, 1 at least; 0: no quota.
unsigned cpu_quota(const char *root);

// What config_resolvers and config_frontends say on these CPUs and with this quota (threads_for.c).
unsigned threads_for_resolvers(const struct config *c, const cpu_set_t *cpus, unsigned quota);
unsigned threads_for_frontends(const struct config *c, const cpu_set_t *cpus, unsigned quota);
