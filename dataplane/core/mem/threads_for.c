// SPDX-License-Identifier: BSD-3-Clause
#include "cpu_quota.h"

#include <weir/shm_abi.h>
#include <weir/shm_epoch.h>

enum { CPUS_A_RESOLVER = 2, CPUS_A_FRONTEND = 4, QUOTA_A_CPU = 100 };

// CPUs that are not workers', and no more than the quota has whole ones.
static unsigned cpus_left(const struct config_dataplane *d, cpu_set_t left, unsigned quota)
{
	for (unsigned i = 0; i < d->worker_count; i++)
		CPU_CLR(d->worker_lcores[i], &left);
	const unsigned cpus = (unsigned)CPU_COUNT(&left);
	return quota && quota / QUOTA_A_CPU < cpus ? quota / QUOTA_A_CPU : cpus;
}

static unsigned count_of(unsigned wanted, unsigned by_cpus, unsigned most)
{
	unsigned count = wanted == CONFIG_THREADS_AUTO ? by_cpus : wanted;
	return count == 0 ? 1 : count < most ? count : most;
}

unsigned threads_for_resolvers(const struct config *c, const cpu_set_t *cpus, unsigned quota)
{
	return count_of(c->controlplane.resolvers,
		cpus_left(&c->dataplane, *cpus, quota) / CPUS_A_RESOLVER, SHM_RESOLVERS_MAX);
}

unsigned threads_for_frontends(const struct config *c, const cpu_set_t *cpus, unsigned quota)
{
	return count_of(c->controlplane.frontends,
		cpus_left(&c->dataplane, *cpus, quota) / CPUS_A_FRONTEND, EPOCH_OWN_MAX);
}
