// SPDX-License-Identifier: BSD-3-Clause

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <weir/numa.h>

enum { CPULIST_MAX = 4096, PATH_TEXT_MAX = 512 };

bool numa_list_has(const char *list, unsigned cpu)
{
	while (*list >= '0' && *list <= '9') {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (cpu >= first && cpu <= last)
			return true;
		list = *end == ',' ? end + 1 : end;
	}
	return false;
}

// False: there is no such node.
static bool read_list(const char *sys, unsigned node, char list[CPULIST_MAX])
{
	char path[PATH_TEXT_MAX];
	snprintf(path, sizeof(path), "%s/node%u/cpulist", sys, node);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(list, CPULIST_MAX, f))
		list[0] = '\0'; // a node of memory alone
	fclose(f);
	return true;
}

uint64_t numa_nodes_of(const char *sys, const unsigned *cpus, unsigned count)
{
	char list[CPULIST_MAX];
	uint64_t nodes = 0;
	unsigned there = 0;
	for (unsigned node = 0; node < NUMA_NODES_MAX; node++) {
		if (!read_list(sys ? sys : "/sys/devices/system/node", node, list))
			continue;
		there++;
		for (unsigned i = 0; i < count; i++) {
			if (numa_list_has(list, cpus[i]))
				nodes |= UINT64_C(1) << node;
		}
	}
	return there > 1 ? nodes : 0;
}

int numa_place(uint64_t nodes)
{
	bool several = (nodes & (nodes - 1)) != 0;
	int mode = nodes == 0 ? MPOL_DEFAULT : several ? MPOL_INTERLEAVE : MPOL_PREFERRED;
	unsigned long mask[] = {nodes};
	// The kernel uses one bit less than the count it gets.
	long rc = nodes == 0 ? syscall(SYS_set_mempolicy, mode, NULL, 0)
			     : syscall(SYS_set_mempolicy, mode, mask, NUMA_NODES_MAX + 1);
	return rc < 0 ? -errno : 0;
}
