// SPDX-License-Identifier: BSD-3-Clause

#include "eal_args.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The number in a file of one size of pages; 0 without a number.
static uint64_t number_in(const char *sysfs, const char *size, const char *file)
{
	char path[512], text[32] = "";
	snprintf(path, sizeof(path), "%s/%s/%s", sysfs, size, file);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	(void)fclose(f);
	return strtoull(text, NULL, 10);
}

int eal_pages_check(const char *sysfs, unsigned memory_mb, char why[EAL_PAGES_WHY_MAX])
{
	uint64_t reserved_kb = 0, left_kb = 0;
	DIR *sizes = opendir(sysfs);
	if (!sizes)
		return 0;
	for (const struct dirent *d; (d = readdir(sizes));) {
		uint64_t kb;
		if (sscanf(d->d_name, "hugepages-%" SCNu64 "kB", &kb) != 1)
			continue;
		// nr_hugepages counts those already taken beyond the reserve.
		uint64_t more = number_in(sysfs, d->d_name, "nr_overcommit_hugepages"),
			 taken = number_in(sysfs, d->d_name, "surplus_hugepages");
		more = more > taken ? more - taken : 0;
		reserved_kb += kb * (number_in(sysfs, d->d_name, "nr_hugepages") + more);
		left_kb += kb * (number_in(sysfs, d->d_name, "free_hugepages") + more);
	}
	closedir(sizes);
	if (left_kb >> 10 >= memory_mb)
		return 0;
	snprintf(why, EAL_PAGES_WHY_MAX,
		"dataplane.eal_hugepages: dataplane.memory_mb takes %u MiB, and of this machine's "
		"%" PRIu64 " MiB in huge pages %" PRIu64
		" MiB are free; reserve more (sysctl vm.nr_hugepages, or default_hugepagesz= and "
		"hugepages= of the kernel's command line), or set it to false",
		memory_mb, reserved_kb >> 10, left_kb >> 10);
	return -ENOMEM;
}
