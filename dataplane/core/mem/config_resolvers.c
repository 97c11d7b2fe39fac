// SPDX-License-Identifier: BSD-3-Clause
#include "cpu_quota.h"

#include <sched.h>

unsigned config_resolvers(const struct config *config, const cpu_set_t *cpus)
{
	cpu_set_t own = {0};
	unsigned quota = 0;

	if (!cpus && config->controlplane.resolvers == CONFIG_RESOLVERS_AUTO) {
		(void)sched_getaffinity(0, sizeof(own), &own);
		quota = cpu_quota("");
	}
	return resolvers_for(config, cpus ? cpus : &own, quota);
}
