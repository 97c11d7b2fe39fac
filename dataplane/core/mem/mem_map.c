// SPDX-License-Identifier: BSD-3-Clause
#include "mem_map.h"

#include <stdio.h>
#include <string.h>

bool mem_map_parse(const char *line, uint64_t *guard_end, struct mem_map *out)
{
	unsigned long long start, end, inode;
	unsigned major, minor;
	int at = 0;
	// The rest of a line that was too long may begin with any byte.
	if (!((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f')))
		return false;
	*out = (struct mem_map){0};
	if (sscanf(line, "%llx-%llx %7s %*s %x:%x %llu %n", &start, &end, out->perms, &major,
		    &minor, &inode, &at)
		< 6)
		return false;
	out->start = start;
	out->end = end;
	out->device = (uint64_t)major << 32 | minor;
	out->inode = inode;
	if (at > 0)
		snprintf(out->path, sizeof(out->path), "%s", line + at);
	out->path[strcspn(out->path, "\n")] = '\0';
	out->guarded = *guard_end == out->start;
	if (strcmp(out->perms, "---p") == 0 && end - start == mem_map_guard())
		*guard_end = end;
	return true;
}

// A shared mapping of a file is a region; a private one is code and its data. Threads' stacks have
// no name, but a guard page below.
enum mem_map_kind mem_map_kind(const struct mem_map *m)
{
	bool shared = m->perms[3] == 's';
	if (m->path[0] == '/')
		return shared ? MEM_MAP_regions : MEM_MAP_code;
	if (strcmp(m->path, "[stack]") == 0)
		return MEM_MAP_stacks;
	if (strcmp(m->path, "[heap]") == 0)
		return MEM_MAP_anonymous;
	if (m->path[0] != '\0' && strncmp(m->path, "[anon", 5) != 0)
		return MEM_MAP_other;
	return m->guarded ? MEM_MAP_stacks : MEM_MAP_anonymous;
}
