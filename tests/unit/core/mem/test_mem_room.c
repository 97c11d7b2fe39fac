// SPDX-License-Identifier: BSD-3-Clause
// The free memory, from the kernel's figures: here files of the same form in a folder.

#include "tests/unit/unit.h"

#include <weir/mem_plan.h>

static void put(const char *name, const char *text)
{
	text_to_file(text_from("%s/%s", own_folder, name), text);
}

static void below_make(const char *name)
{
	assert_int_equal(mkdir(text_from("%s/%s", own_folder, name), 0700), 0);
}

static uint64_t group(const char *own)
{
	put("own", own);
	return mem_room_group(own_folder, text_from("%s/own", own_folder));
}

static void limit(const char *folder, const char *max, const char *now)
{
	put(text_from("%s/memory.max", folder), max);
	put(text_from("%s/memory.current", folder), now);
}

TEST_WITH(the_least_from_our_group_to_the_root_counts, own_folder_setup, own_folder_teardown)
{
	below_make("a.slice");
	below_make("a.slice/b.service");
	assert_true(group("0::/a.slice/b.service\n") == UINT64_MAX);
	limit("a.slice/b.service", "9000\n", "2000\n");
	assert_int_equal(group("0::/a.slice/b.service\n"), 7000);
	limit("a.slice", "5000\n", "2000\n");
	assert_int_equal(group("0::/a.slice/b.service\n"), 3000);
	limit("a.slice", "max\n", "2000\n");
	assert_int_equal(group("0::/a.slice/b.service\n"), 7000);
	limit("a.slice/b.service", "1000\n", "2000\n");
	assert_int_equal(group("0::/a.slice/b.service\n"), 0);
}

// A container sees its own group as the root.
TEST_WITH(the_root_of_a_container_counts, own_folder_setup, own_folder_teardown)
{
	limit(".", "9000\n", "2000\n");
	assert_int_equal(group("0::/\n"), 7000);
	below_make("init");
	assert_int_equal(group("0::/init\n"), 7000);
	assert_int_equal(group("0::/nowhere/at.all\n"), 7000);
}

// A group fills up to its limit with files that were read once, and is none the worse for it.
TEST_WITH(page_cache_is_room, own_folder_setup, own_folder_teardown)
{
	below_make("g");
	limit("g", "100000\n", "100000\n");
	assert_int_equal(group("0::/g\n"), 0);
	put("g/memory.stat",
		"anon 9000\nfile 91000\nshmem 1000\ninactive_anon 10000\nactive_anon 0\n"
		"inactive_file 60000\nactive_file 30000\nslab_reclaimable 500\n");
	assert_int_equal(group("0::/g\n"), 90500);
	put("g/memory.stat", "inactive_file 200000\n"); // read later than the sum
	assert_int_equal(group("0::/g\n"), 100000);
}

static void limit_v1(const char *folder, const char *max, const char *now)
{
	put(text_from("%s/memory.limit_in_bytes", folder), max);
	put(text_from("%s/memory.usage_in_bytes", folder), now);
}

// The memory controller's own tree, wherever it stands among the lines.
TEST_WITH(version_1_counts_as_well, own_folder_setup, own_folder_teardown)
{
	static const char own[] = "5:cpuacct,cpu:/no\n4:memory:/docker/1\n1:name=memory:/no\n";
	below_make("memory");
	below_make("memory/docker");
	below_make("memory/docker/1");
	assert_true(group(own) == UINT64_MAX);
	limit_v1("memory/docker/1", "9000\n", "8000\n");
	assert_int_equal(group(own), 1000);
	put("memory/docker/1/memory.stat", "inactive_file 1\ntotal_inactive_file 2000\n"
					   "total_active_file 300\ntotal_cache 5000\n");
	assert_int_equal(group(own), 3300);
	limit_v1("memory/docker", "2000\n", "500\n");
	assert_int_equal(group(own), 1500);
	limit_v1("memory", "9223372036854771712\n", "500\n"); // none
	assert_int_equal(group(own), 1500);
	assert_int_equal(group("2:hugetlb,memory,pids:/docker/1\n"), 1500);
	assert_true(group("2:hugetlb,memory2,pids:/docker/1\n") == UINT64_MAX);
	// Both are there: the tighter one.
	limit(".", "800\n", "100\n");
	assert_int_equal(group("4:memory:/docker/1\n0::/\n"), 700);
}

TEST_WITH(a_kernel_that_says_nothing_limits_nobody, own_folder_setup, own_folder_teardown)
{
	limit(".", "9000\n", "2000\n");
	assert_true(group("12:memory:/docker/1\n1:name=systemd:/docker/1\n") == UINT64_MAX);
	assert_true(group("") == UINT64_MAX);
	assert_true(mem_room_group(own_folder, "/nowhere/own") == UINT64_MAX);
	assert_int_equal(mem_room_huge("/nowhere"), 0);
}

TEST_WITH(huge_pages_of_all_sizes_count, own_folder_setup, own_folder_teardown)
{
	below_make("hugepages-2048kB");
	below_make("hugepages-1048576kB");
	put("hugepages-2048kB/free_hugepages", "3\n");
	put("hugepages-1048576kB/free_hugepages", "2\n");
	assert_int_equal(mem_room_huge(own_folder), (UINT64_C(2) << 30) + (3u << 21));
}

// No limit of a group counts huge pages.
TEST(huge_pages_are_beside_both)
{
	struct mem_room r = {.available = 500, .huge = 4000, .group = 300};
	assert_int_equal(mem_room_all(&r), 4300);
	r.group = UINT64_MAX;
	assert_int_equal(mem_room_all(&r), 4500);
	r.available = UINT64_MAX;
	assert_true(mem_room_all(&r) == UINT64_MAX);
}
