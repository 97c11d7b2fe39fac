// SPDX-License-Identifier: BSD-3-Clause

#include "eal_args.h"

#include <dirent.h>
#include <errno.h>
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

int eal_pages_check(const char *sysfs, char why[EAL_PAGES_WHY_MAX])
{
	uint64_t reserved = 0, left = 0;
	DIR *sizes = opendir(sysfs);
	if (!sizes)
		return 0;
	for (const struct dirent *d; (d = readdir(sizes));) {
		if (strncmp(d->d_name, "hugepages-", 10) != 0)
			continue;
		reserved += number_in(sysfs, d->d_name, "nr_hugepages")
			    + number_in(sysfs, d->d_name, "nr_overcommit_hugepages");
		left += number_in(sysfs, d->d_name, "free_hugepages")
			+ number_in(sysfs, d->d_name, "nr_overcommit_hugepages");
	}
	closedir(sizes);
	if (left > 0)
		return 0;
	snprintf(why, EAL_PAGES_WHY_MAX,
		"dataplane.eal_hugepages: %s; reserve some for dataplane.memory_mb (sysctl "
		"vm.nr_hugepages=512, or default_hugepagesz= and hugepages= of the kernel's "
		"command line), or set it to false",
		reserved ? "all huge pages of this machine are in use"
			 : "this machine has no huge pages reserved");
	return -ENOMEM;
}
