// SPDX-License-Identifier: BSD-3-Clause
// Quotas of cgroups as kernels write them, in a folder, and what is none.

#include "dataplane/core/mem/cpu_quota.h"
#include "tests/unit/unit.h"

#include <weir/attr.h>

// With the folders above it.
static void put(const char *name, const char *text)
{
	char path[512];
	int n = snprintf(path, sizeof(path), "%s/%s", own_folder, name);
	assert_true(n > 0 && (size_t)n < sizeof(path));
	for (char *at = path + strlen(own_folder) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		(void)mkdir(path, 0700);
		*at = '/';
	}
	text_to_file(path, text);
}

TEST_WITH(without_cgroups_there_is_none, own_folder_setup, own_folder_teardown)
{
	assert_int_equal(cpu_quota(own_folder), 0);
	put("proc/self/cgroup", "0::/\n");
	assert_int_equal(cpu_quota(own_folder), 0);
}

// As Linux 6.1 writes it, for a service.
TEST_WITH(of_version_2, own_folder_setup, own_folder_teardown)
{
	put("proc/self/cgroup", "0::/system.slice/weir-controlplane.service\n");
	put("sys/fs/cgroup/system.slice/weir-controlplane.service/cpu.max", "max 100000\n");
	assert_int_equal(cpu_quota(own_folder), 0);
	put("sys/fs/cgroup/system.slice/weir-controlplane.service/cpu.max", "250000 100000\n");
	assert_int_equal(cpu_quota(own_folder), 250);
	put("sys/fs/cgroup/system.slice/cpu.max", "400000 100000\n");
	assert_int_equal(cpu_quota(own_folder), 250);
	put("sys/fs/cgroup/system.slice/cpu.max", "20000 10000\n");
	assert_int_equal(cpu_quota(own_folder), 200);
	put("sys/fs/cgroup/system.slice/cpu.max", "1000 1000000\n");
	assert_int_equal(cpu_quota(own_folder), 1); // and not none
}

// In a container its own group is the root of the mount; without a namespace for cgroups the path
// is the host's.
TEST_WITH(in_a_container, own_folder_setup, own_folder_teardown)
{
	put("proc/self/cgroup", "0::/\n");
	put("sys/fs/cgroup/cpu.max", "150000 100000\n");
	assert_int_equal(cpu_quota(own_folder), 150);
	put("proc/self/cgroup", "0::/docker/0123456789abcdef\n");
	assert_int_equal(cpu_quota(own_folder), 150);
	put("proc/self/cgroup", "0::/../../other\n");
	assert_int_equal(cpu_quota(own_folder), 150);
}

// As Linux 4.19 does, with version 2 beside it, which has no CPU controller then.
TEST_WITH(of_version_1, own_folder_setup, own_folder_teardown)
{
	put("proc/self/cgroup", "11:cpuset:/a\n"
				"4:cpu,cpuacct:/system.slice/weir.service\n"
				"1:name=systemd:/system.slice/weir.service\n"
				"0::/system.slice/weir.service\n");
	const char *quota = "sys/fs/cgroup/cpu,cpuacct/system.slice/weir.service/cpu.cfs_quota_us";
	put(quota, "-1\n");
	put("sys/fs/cgroup/cpu,cpuacct/system.slice/weir.service/cpu.cfs_period_us", "100000\n");
	put("sys/fs/cgroup/cpuset/a/cpu.cfs_quota_us", "1000\n");
	put("sys/fs/cgroup/cpuset/a/cpu.cfs_period_us", "100000\n");
	assert_int_equal(cpu_quota(own_folder), 0);
	put(quota, "50000\n");
	assert_int_equal(cpu_quota(own_folder), 50);
}

TEST_WITH(nonsense_is_none, own_folder_setup, own_folder_teardown)
{
	static const char *const texts[] = {"", "\n", "max", "100000", "100000\n", "100000 \n",
		"100000 0\n", "0 100000\n", "-5 100000\n", "100000 -5\n", "1e5 100000\n",
		"100000x 100000\n", "99999999999999999999999 100000\n", "100000000000000 1\n"};
	char text[8192];

	put("proc/self/cgroup", "0::/a\n");
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		put("sys/fs/cgroup/a/cpu.max", texts[i]);
		assert_int_equal(cpu_quota(own_folder), 0);
	}
	memset(text, '7', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	put("sys/fs/cgroup/a/cpu.max", text);
	assert_int_equal(cpu_quota(own_folder), 0);
	put("sys/fs/cgroup/cpu.max", "150000 100000\n");
	static const char *const groups[] = {"0\n", "0:\n", "0:cpu\n", "0::a\n", ":::\n", "\n\n"};
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		put("proc/self/cgroup", groups[i]);
		assert_int_equal(cpu_quota(own_folder), 0);
	}
	memset(text, '/', sizeof(text) - 1);
	memcpy(text, "0::", 3);
	put("proc/self/cgroup", text); // longer than is read
	assert_int_equal(cpu_quota(own_folder), 0);
}

// Whole CPUs of it count, and never more than there are.
TEST(threads_within_it)
{
	struct config c = {.controlplane = {CONFIG_THREADS_AUTO, CONFIG_THREADS_AUTO}};
	cpu_set_t cpus;
	static const unsigned of_quota[][3] = {{0, 8, 4}, {1, 1, 1}, {399, 1, 1}, {400, 2, 1},
		{799, 3, 1}, {800, 4, 2}, {1600, 8, 4}, {100000, 8, 4}};

	CPU_ZERO(&cpus);
	for (unsigned i = 0; i < 16; i++)
		CPU_SET(i, &cpus);
	for (size_t i = 0; i < ARRAY_LEN(of_quota); i++) {
		assert_int_equal(threads_for_resolvers(&c, &cpus, of_quota[i][0]), of_quota[i][1]);
		assert_int_equal(threads_for_frontends(&c, &cpus, of_quota[i][0]), of_quota[i][2]);
	}
	c.controlplane.resolvers = c.controlplane.frontends = 3; // a number stands
	assert_int_equal(threads_for_resolvers(&c, &cpus, 100), 3);
	assert_int_equal(threads_for_frontends(&c, &cpus, 100), 3);
}
