// SPDX-License-Identifier: BSD-3-Clause
// Whether there are huge pages for DPDK, by a folder that stands in for sysfs.
#include "dataplane/port/eal_args.h"
#include "tests/unit/unit.h"

static char sysfs[] = "/tmp/weir-pages-XXXXXX";

static void pages_set(const char *size, const char *file, unsigned n)
{
	const char *path = text_from("%s/%s", sysfs, size);
	(void)mkdir(path, 0700);
	path = text_from("%s/%s/%s", sysfs, size, file);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%u\n", n);
	assert_int_equal(fclose(f), 0);
}

TEST(test_pages)
{
	char why[EAL_PAGES_WHY_MAX] = "";
	assert_int_equal(eal_pages_check("/nonexistent", 64, why), 0); // nobody says
	assert_non_null(mkdtemp(sysfs));
	pages_set("hugepages-2048kB", "nr_hugepages", 0);
	pages_set("hugepages-2048kB", "free_hugepages", 0);
	pages_set("hugepages-1048576kB", "nr_hugepages", 0);
	assert_int_equal(eal_pages_check(sysfs, 64, why), -ENOMEM);
	assert_non_null(strstr(why, "takes 64 MiB, and of this machine's 0 MiB"));
	pages_set("hugepages-2048kB", "nr_hugepages", 2);
	assert_int_equal(eal_pages_check(sysfs, 64, why), -ENOMEM);
	assert_non_null(strstr(why, "4 MiB in huge pages 0 MiB are free"));
	pages_set("hugepages-2048kB", "nr_hugepages", 32);
	pages_set("hugepages-2048kB", "free_hugepages", 31);
	assert_int_equal(eal_pages_check(sysfs, 64, why), -ENOMEM);
	pages_set("hugepages-2048kB", "free_hugepages", 32);
	assert_int_equal(eal_pages_check(sysfs, 64, why), 0);
	pages_set("hugepages-2048kB", "free_hugepages", 0);
	pages_set("hugepages-1048576kB", "free_hugepages", 1);
	assert_int_equal(eal_pages_check(sysfs, 64, why), 0);
	pages_set("hugepages-1048576kB", "free_hugepages", 0);
	pages_set("hugepages-2048kB", "nr_overcommit_hugepages", 40);
	assert_int_equal(eal_pages_check(sysfs, 64, why), 0);
	pages_set("hugepages-2048kB", "surplus_hugepages", 9); // another program has them
	assert_int_equal(eal_pages_check(sysfs, 64, why), -ENOMEM);
	assert_int_equal(system(text_from("rm -r %s", sysfs)), 0);
}
