// SPDX-License-Identifier: BSD-3-Clause
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <weir/mem_room.h>

enum { LINE_LEN = 512, FOLDER_LEN = 1024, FILE_LEN = FOLDER_LEN + 32 };

static bool number_read(const char *path, uint64_t *out)
{
	unsigned long long n;
	FILE *f = fopen(path, "re");
	bool good = f && fscanf(f, "%llu", &n) == 1;
	if (f)
		fclose(f);
	if (good)
		*out = n;
	return good;
}

// Octets of a group that give way before it meets its limit: files that can be read again. A group
// that has read or written enough of them is always full, and has room all the same. Shared memory
// is a file too and stays, so it is in none of these.
static uint64_t group_yields(const char *folder)
{
	static const char *const kinds[] = {"inactive_file", "active_file", "slab_reclaimable"};
	char file[FILE_LEN], line[LINE_LEN], kind[64];
	unsigned long long n;
	uint64_t sum = 0;
	snprintf(file, sizeof file, "%s/memory.stat", folder);
	FILE *f = fopen(file, "re");
	while (f && fgets(line, sizeof line, f)) {
		if (sscanf(line, "%63s %llu", kind, &n) != 2)
			continue;
		for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
			if (strcmp(kind, kinds[i]) == 0)
				sum += n;
	}
	if (f)
		fclose(f);
	return sum;
}

static uint64_t group_left(const char *folder)
{
	char file[FILE_LEN];
	uint64_t max, now;
	snprintf(file, sizeof file, "%s/memory.max", folder);
	if (!number_read(file, &max)) // "max", or no such thing here
		return UINT64_MAX;
	snprintf(file, sizeof file, "%s/memory.current", folder);
	if (!number_read(file, &now))
		return UINT64_MAX;
	const uint64_t yields = group_yields(folder);
	now = now > yields ? now - yields : 0;
	return max > now ? max - now : 0;
}

// The path of our group below the root, without a slash at its end. False: not of version 2.
static bool group_own(const char *own, char out[LINE_LEN])
{
	char line[LINE_LEN];
	bool found = false;
	FILE *f = fopen(own, "re");
	while (f && !found && fgets(line, sizeof line, f))
		found = strncmp(line, "0::/", 4) == 0 && strchr(line, '\n');
	if (f)
		fclose(f);
	if (!found)
		return false;
	line[strcspn(line, "\n")] = '\0';
	snprintf(out, LINE_LEN, "%s", line[4] ? line + 3 : "");
	return true;
}

// In a container the root is the container's own group, with a limit of its own.
uint64_t mem_room_group(const char *root, const char *own)
{
	char path[LINE_LEN], folder[FOLDER_LEN];
	uint64_t least = UINT64_MAX;
	if (!group_own(own, path))
		return least;
	for (char *end = path + strlen(path); end; end = strrchr(path, '/')) {
		*end = '\0';
		snprintf(folder, sizeof folder, "%s%s", root, path);
		const uint64_t left = group_left(folder);
		least = left < least ? left : least;
	}
	return least;
}

uint64_t mem_room_huge(const char *folder)
{
	uint64_t sum = 0;
	DIR *d = opendir(folder);
	for (const struct dirent *e; d && (e = readdir(d));) {
		char file[FILE_LEN];
		unsigned long long kib;
		uint64_t pages;
		if (sscanf(e->d_name, "hugepages-%llukB", &kib) != 1)
			continue;
		snprintf(file, sizeof file, "%.512s/%s/free_hugepages", folder, e->d_name);
		if (number_read(file, &pages))
			sum += (pages * kib) << 10;
	}
	if (d)
		closedir(d);
	return sum;
}

void mem_room_read(struct mem_room *out)
{
	unsigned long long kib;
	char line[128];
	*out = (struct mem_room){.available = UINT64_MAX,
		.huge = mem_room_huge("/sys/kernel/mm/hugepages"),
		.group = mem_room_group("/sys/fs/cgroup", "/proc/self/cgroup")};
	FILE *f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			out->available = kib << 10;
	if (f)
		fclose(f);
}

uint64_t mem_room_all(const struct mem_room *r)
{
	const uint64_t small = r->available < r->group ? r->available : r->group;
	return small > UINT64_MAX - r->huge ? UINT64_MAX : small + r->huge;
}
