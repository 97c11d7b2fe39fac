// SPDX-License-Identifier: BSD-3-Clause
// The numbers of resolvers and frontends by the configuration and by the CPUs.

#include "tests/unit/core/config/config_text.h"

#include <weir/shm_abi.h>
#include <weir/shm_epoch.h>

#define HEAD PORTS ADDRESSES "  worker_lcores: [1, 2]\n" SERVERS

struct counts {
	unsigned resolvers, frontends;
};

// With CPUs from 0 on, and this number of both.
static struct counts counts_on(const char *number, unsigned cpus)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned i = 0; i < cpus; i++)
		CPU_SET(i, &set);
	struct config *c = config_text_load(
		text_from(HEAD "controlplane: {resolvers: %s, frontends: %s}\n", number, number));
	return (struct counts){config_resolvers(c, &set), config_frontends(c, &set)};
}

static void are(struct counts counts, unsigned resolvers, unsigned frontends)
{
	assert_int_equal(counts.resolvers, resolvers);
	assert_int_equal(counts.frontends, frontends);
}

TEST(a_number_stands_on_any_machine)
{
	are(counts_on("1", 64), 1, 1);
	are(counts_on("3", 1), 3, 3);
	are(counts_on("8", 2), SHM_RESOLVERS_MAX, EPOCH_OWN_MAX);
}

TEST(auto_counts_the_cpus_that_are_not_workers)
{
	static const unsigned of_cpus[][3] = {{0, 1, 1}, {1, 1, 1}, {2, 1, 1}, {5, 1, 1}, {6, 2, 1},
		{7, 2, 1}, {8, 3, 1}, {10, 4, 2}, {18, 8, 4}, {33, 8, 7}, {34, 8, 8}, {64, 8, 8}};

	for (size_t i = 0; i < ARRAY_LEN(of_cpus); i++)
		are(counts_on("auto", of_cpus[i][0]), of_cpus[i][1], of_cpus[i][2]);
}

TEST(the_shipped_configuration_has_one)
{
	struct config *c = config_text_load(HEAD);
	assert_int_equal(config_resolvers(c, NULL), 1);
	assert_int_equal(config_frontends(c, NULL), 1);
}
