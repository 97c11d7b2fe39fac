// SPDX-License-Identifier: BSD-3-Clause
#include <dirent.h>
#include <weir/region_each.h>

void region_each(const struct shm_paths *paths, enum shm_where where,
	void (*each)(void *arg, const char *name), void *arg)
{
	const char *path = where == SHM_IN_HUGE ? paths->huge : paths->mem;
	DIR *d = path[0] ? opendir(path) : NULL;
	const struct dirent *e;

	for (unsigned i = 0; d && i < REGION_LOOKS_MAX && (e = readdir(d)); i++)
		each(arg, e->d_name);
	if (d)
		closedir(d);
}
