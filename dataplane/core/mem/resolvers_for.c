// SPDX-License-Identifier: BSD-3-Clause
#include "cpu_quota.h"

#include <weir/shm_abi.h>

enum { CPUS_A_RESOLVER = 2, QUOTA_A_CPU = 100 };

// CPUs that are not workers', and no more than the quota has whole ones.
static unsigned cpus_left(const struct config_dataplane *d, cpu_set_t left, unsigned quota)
{
	for (unsigned i = 0; i < d->worker_count; i++)
		CPU_CLR(d->worker_lcores[i], &left);
	const unsigned cpus = (unsigned)CPU_COUNT(&left);
	return quota && quota / QUOTA_A_CPU < cpus ? quota / QUOTA_A_CPU : cpus;
}

unsigned resolvers_for(const struct config *config, const cpu_set_t *cpus, unsigned quota)
{
	unsigned count = config->controlplane.resolvers;

	if (count == CONFIG_RESOLVERS_AUTO)
		count = cpus_left(&config->dataplane, *cpus, quota) / CPUS_A_RESOLVER;
	return count == 0 ? 1 : count < SHM_RESOLVERS_MAX ? count : SHM_RESOLVERS_MAX;
}
