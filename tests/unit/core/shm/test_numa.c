// SPDX-License-Identifier: BSD-3-Clause

// Nodes of CPUs by a made-up machine, and what the kernel then says of this thread's memory.

#include "tests/unit/unit.h"

#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <weir/numa.h>

static char dir[64];

static void make_node(unsigned node, const char *cpus)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/node%u", dir, node);
	assert_int_equal(mkdir(path, 0700), 0);
	strcat(path, "/cpulist");
	text_to_file(path, cpus);
}

static void forget_node(unsigned node)
{
	const char *path = text_from("%s/node%u/cpulist", dir, node);
	unlink(path);
	path = text_from("%s/node%u", dir, node);
	rmdir(path);
}

static int setup(void **)
{
	strcpy(dir, "/tmp/weir-test-numa-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **)
{
	for (unsigned node = 0; node < NUMA_NODES_MAX; node++)
		forget_node(node);
	return rmdir(dir);
}

static uint64_t nodes_of(unsigned a, unsigned b)
{
	return numa_nodes_of(dir, (const unsigned[]){a, b}, 2);
}

TEST_WITH(finds_the_nodes_of_cpus, setup, teardown)
{
	make_node(0, "0-3,8-11\n");
	make_node(2, "4-7,12\n"); // numbers may have gaps
	make_node(5, "\n");       // memory alone
	assert_true(nodes_of(0, 3) == 1);
	assert_true(nodes_of(9, 11) == 1);
	assert_true(nodes_of(4, 12) == 4);
	assert_true(nodes_of(1, 5) == 5);
	assert_true(nodes_of(13, 99) == 0);
	assert_true(numa_nodes_of(dir, NULL, 0) == 0);
}

TEST_WITH(one_node_is_no_choice, setup, teardown)
{
	assert_true(nodes_of(0, 1) == 0); // the kernel does not tell
	make_node(0, "0-1\n");
	assert_true(nodes_of(0, 1) == 0);
	make_node(1, "2-3\n");
	assert_true(nodes_of(0, 1) == 1);
}

TEST_WITH(nonsense_is_no_node, setup, teardown)
{
	make_node(0, "x0-3\n");
	make_node(1, "0-\n");
	assert_true(nodes_of(1, 2) == 0);
}

static int mode_now(unsigned long *mask)
{
	int mode = -1;
	*mask = 0;
	if (syscall(SYS_get_mempolicy, &mode, mask, sizeof(*mask) * 8 + 1, NULL, 0) != 0)
		return -1;
	return mode;
}

TEST(the_kernel_takes_the_policy)
{
	unsigned long mask;
	if (mode_now(&mask) < 0 || numa_place(1) == -EPERM)
		skip(); // a sandbox that knows no memory policies
	assert_int_equal(numa_place(1), 0);
	assert_int_equal(mode_now(&mask), MPOL_PREFERRED);
	assert_int_equal(mask, 1);
	assert_int_equal(numa_place(0), 0);
	assert_int_equal(mode_now(&mask), MPOL_DEFAULT);
	// Nodes that are not there are refused when none of them is.
	assert_int_equal(numa_place(UINT64_C(3) << 62), -EINVAL);
	assert_int_equal(mode_now(&mask), MPOL_DEFAULT);
	// Of several those that exist are used.
	assert_int_equal(numa_place(1 | UINT64_C(1) << 63), 0);
	assert_int_equal(mode_now(&mask), MPOL_INTERLEAVE);
	assert_true(mask & 1);
	assert_int_equal(numa_place(0), 0);
}
