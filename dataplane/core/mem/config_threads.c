// SPDX-License-Identifier: BSD-3-Clause
#include "cpu_quota.h"

#include <sched.h>

typedef unsigned count_fn(const struct config *c, const cpu_set_t *cpus, unsigned quota);

static unsigned here(const struct config *c, unsigned wanted, count_fn *count)
{
	cpu_set_t own = {0};

	if (wanted != CONFIG_THREADS_AUTO)
		return count(c, &own, 0);
	(void)sched_getaffinity(0, sizeof(own), &own);
	return count(c, &own, cpu_quota(""));
}

unsigned config_resolvers(const struct config *c, const cpu_set_t *cpus)
{
	return cpus ? threads_for_resolvers(c, cpus, 0)
		    : here(c, c->controlplane.resolvers, threads_for_resolvers);
}

unsigned config_frontends(const struct config *c, const cpu_set_t *cpus)
{
	return cpus ? threads_for_frontends(c, cpus, 0)
		    : here(c, c->controlplane.frontends, threads_for_frontends);
}

bool config_has_streams(const struct config *c)
{
	return c->tcp.enabled || c->dot.enabled || c->doh.enabled;
}

unsigned config_servers_most(const struct config_upstream *server, unsigned count)
{
	unsigned most = 0;

	for (unsigned i = 0; i < count; i++)
		most += server[i].host[0] ? 2 * CONFIG_HOST_ADDRESSES : 1;
	return most < CONFIG_UPSTREAMS_MAX ? most : CONFIG_UPSTREAMS_MAX;
}
