// SPDX-License-Identifier: BSD-3-Clause
#include <sched.h>
#include <weir/config.h>
#include <weir/shm_abi.h>

enum { CPUS_A_RESOLVER = 2 };

static unsigned count_on(const struct config_dataplane *d, cpu_set_t left)
{
	for (unsigned i = 0; i < d->worker_count; i++)
		CPU_CLR(d->worker_lcores[i], &left);
	return (unsigned)CPU_COUNT(&left) / CPUS_A_RESOLVER;
}

unsigned config_resolvers(const struct config *config, const cpu_set_t *cpus)
{
	unsigned count = config->controlplane.resolvers;
	cpu_set_t own = {0};

	if (count == CONFIG_RESOLVERS_AUTO) {
		if (!cpus)
			(void)sched_getaffinity(0, sizeof(own), &own);
		count = count_on(&config->dataplane, cpus ? *cpus : own);
	}
	return count == 0 ? 1 : count < SHM_RESOLVERS_MAX ? count : SHM_RESOLVERS_MAX;
}
