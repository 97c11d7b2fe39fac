// SPDX-License-Identifier: BSD-3-Clause
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <weir/mem_plan.h>

enum { LINE_LEN = 512, FOLDER_LEN = 1024, FILE_LEN = FOLDER_LEN + 32 };

// Where each version of cgroups says what.
struct group_files {
	const char *max, *now;
	const char *yields[3]; // words of memory.stat: files that can be read again
};
static const struct group_files version2 = {
	"memory.max", "memory.current", {"inactive_file", "active_file", "slab_reclaimable"}};
// No limit is a number of that size there.
static const struct group_files version1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
	{"total_inactive_file", "total_active_file", NULL}};
static const uint64_t version1_unlimited = UINT64_C(1) << 62;

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

// Bytes of a group that give way before it meets its limit: files that can be read again. A group
// that has read or written enough of them is always full, and has room all the same. Shared memory
// is a file too and stays, so it is in none of these.
static uint64_t group_yields(const char *folder, const struct group_files *v)
{
	char file[FILE_LEN], line[LINE_LEN], kind[64];
	unsigned long long n;
	uint64_t sum = 0;
	snprintf(file, sizeof(file), "%s/memory.stat", folder);
	FILE *f = fopen(file, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %llu", kind, &n) != 2)
			continue;
		for (unsigned i = 0; i < sizeof(v->yields) / sizeof(*v->yields); i++)
			if (v->yields[i] && strcmp(kind, v->yields[i]) == 0)
				sum += n;
	}
	if (f)
		fclose(f);
	return sum;
}

static uint64_t group_left(const char *folder, const struct group_files *v)
{
	char file[FILE_LEN];
	uint64_t max, now;
	snprintf(file, sizeof(file), "%s/%s", folder, v->max);
	// "max", or no such thing here
	if (!number_read(file, &max) || (v == &version1 && max >= version1_unlimited))
		return UINT64_MAX;
	snprintf(file, sizeof(file), "%s/%s", folder, v->now);
	if (!number_read(file, &now))
		return UINT64_MAX;
	const uint64_t yields = group_yields(folder, v);
	now = now > yields ? now - yields : 0;
	return max > now ? max - now : 0;
}

// Is the memory controller among those of a line "N:a,b,c:/path"? The path, or NULL.
static const char *version1_path(const char *line)
{
	static const char name[] = "memory";
	const char *at = strchr(line, ':'), *path = at ? strchr(at + 1, ':') : NULL;
	while (path && at < path) {
		size_t n = strcspn(++at, ",:");
		if (n == sizeof(name) - 1 && strncmp(at, name, n) == 0)
			return path + 1;
		at += n;
	}
	return NULL;
}

static const char *version2_path(const char *line)
{
	return strncmp(line, "0::", 3) == 0 ? line + 3 : NULL;
}

// The path of this process' group below the root, without a final slash. False: no group of that
// version.
static bool group_own(const char *own, const struct group_files *v, char out[LINE_LEN])
{
	const char *path = NULL;
	char line[LINE_LEN];
	FILE *f = fopen(own, "re");
	while (f && !path && fgets(line, sizeof(line), f)) {
		path = v == &version1 ? version1_path(line) : version2_path(line);
		if (path && (*path != '/' || !strchr(path, '\n')))
			path = NULL;
	}
	if (f)
		fclose(f);
	if (!path)
		return false;
	line[strcspn(line, "\n")] = '\0';
	snprintf(out, LINE_LEN, "%s", path[1] ? path : "");
	return true;
}

// The root in a container is the container's group, which has a limit.
static uint64_t version_left(
	const char *root, const char *below, const char *own, const struct group_files *v)
{
	char path[LINE_LEN], folder[FOLDER_LEN];
	uint64_t least = UINT64_MAX;
	if (!group_own(own, v, path))
		return least;
	for (char *end = path + strlen(path); end; end = strrchr(path, '/')) {
		*end = '\0';
		if (snprintf(folder, sizeof(folder), "%s%s%s", root, below, path)
			>= (int)sizeof(folder))
			continue;
		const uint64_t left = group_left(folder, v);
		least = left < least ? left : least;
	}
	return least;
}

// A machine may have both versions, each with its own controllers.
uint64_t mem_room_group(const char *root, const char *own)
{
	const uint64_t one = version_left(root, "/memory", own, &version1);
	const uint64_t two = version_left(root, "", own, &version2);
	return one < two ? one : two;
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
		snprintf(file, sizeof(file), "%.512s/%s/free_hugepages", folder, e->d_name);
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
	while (f && fgets(line, sizeof(line), f))
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
