// SPDX-License-Identifier: BSD-3-Clause
// The number of resolvers by the configuration and by the CPUs.

#include "tests/unit/dp/config/config_text.h"

#include <weir/shm_abi.h>

#define HEAD                                   \
	"dataplane:\n"                         \
	"  ports: [{device: net_null0}]\n"     \
	"  service_addresses: [198.18.0.53]\n" \
	"  worker_lcores: [1, 2]\n"            \
	"upstreams: {servers: [{address: 198.18.0.1}]}\n"

// With CPUs from 0 on.
static unsigned count_on(const char *resolvers, unsigned cpus)
{
	char text[512];
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned i = 0; i < cpus; i++)
		CPU_SET(i, &set);
	snprintf(text, sizeof(text), HEAD "controlplane: {resolvers: %s}\n", resolvers);
	struct config *c = config_text_load(text);
	unsigned count = config_resolvers(c, &set);
	config_free(c);
	return count;
}

static void a_number_stands_on_any_machine(void **)
{
	assert_int_equal(count_on("1", 64), 1);
	assert_int_equal(count_on("3", 1), 3);
	assert_int_equal(count_on("8", 2), SHM_RESOLVERS_MAX);
}

static void auto_counts_the_cpus_that_are_not_workers(void **)
{
	static const unsigned of_cpus[][2] = {
		{0, 1}, {1, 1}, {2, 1}, {5, 1}, {6, 2}, {7, 2}, {8, 3}, {18, 8}, {64, 8}};

	for (size_t i = 0; i < ARRAY_LEN(of_cpus); i++)
		assert_int_equal(count_on("auto", of_cpus[i][0]), of_cpus[i][1]);
}

static void the_shipped_configuration_has_one(void **)
{
	struct config *c = config_text_load(HEAD);
	assert_int_equal(config_resolvers(c, NULL), 1);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_stands_on_any_machine),
		cmocka_unit_test(auto_counts_the_cpus_that_are_not_workers),
		cmocka_unit_test(the_shipped_configuration_has_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
