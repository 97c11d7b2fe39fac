// SPDX-License-Identifier: BSD-3-Clause
#include "mem_process.h"

#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/mem_account.h>

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

enum { LINE_LEN = 512 };

struct map { // a mapping of /proc/PID/smaps
	struct mem_map m;
	uint64_t rss, huge, swap;
};

struct walk {
	FILE *f;
	char line[LINE_LEN]; // first line of the next mapping, if there is one
	bool more;
	uint64_t guard_end; // end of the last guard page
};

static bool is_first_line(const char *line)
{
	uint64_t guard_end = 0;
	struct mem_map m;
	return mem_map_parse(line, &guard_end, &m);
}

static int walk_open(struct walk *w, unsigned pid)
{
	char path[64] = "/proc/self/smaps";
	if (pid)
		snprintf(path, sizeof(path), "/proc/%u/smaps", pid);
	*w = (struct walk){.f = fopen(path, "re")};
	if (!w->f)
		return -errno;
	w->more = fgets(w->line, sizeof(w->line), w->f) != NULL;
	return 0;
}

static void map_field(struct map *m, const char *line)
{
	unsigned long long kib;
	if (sscanf(line, "Rss: %llu kB", &kib) == 1)
		m->rss = kib << 10;
	else if (sscanf(line, "Swap: %llu kB", &kib) == 1)
		m->swap = kib << 10;
	else if (sscanf(line, "Shared_Hugetlb: %llu kB", &kib) == 1
		 || sscanf(line, "Private_Hugetlb: %llu kB", &kib) == 1)
		m->huge += kib << 10;
}

static bool walk_next(struct walk *w, struct map *m)
{
	*m = (struct map){0};
	if (!w->more || !mem_map_parse(w->line, &w->guard_end, &m->m))
		return false;
	w->more = false;
	while (fgets(w->line, sizeof(w->line), w->f)) {
		if (is_first_line(w->line)) {
			w->more = true;
			break;
		}
		map_field(m, w->line);
	}
	return true;
}

static unsigned entries_in(const char *folder)
{
	unsigned n = 0;
	DIR *d = opendir(folder);
	if (!d)
		return 0;
	for (const struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

void mem_allocator_read(struct mem_process *p)
{
	struct mallinfo2 m = mallinfo2();
	p->allocated = m.uordblks + m.hblkhd;
	p->held = m.arena + m.hblkhd;
}

int mem_process_of(unsigned pid, struct mem_process *out)
{
	struct mem_process p = {0};
	struct walk w;
	struct map m;

	int rc = walk_open(&w, pid);
	if (rc < 0)
		return rc;
	while (walk_next(&w, &m)) {
		uint64_t *of_kind[] = {
			[MEM_MAP_anonymous] = &p.rss_heap,
			[MEM_MAP_code] = &p.rss_code,
			[MEM_MAP_regions] = &p.rss_regions,
			[MEM_MAP_stacks] = &p.rss_stacks,
			[MEM_MAP_other] = &p.rss_other,
		};
		*of_kind[mem_map_kind(&m.m)] += m.rss;
		p.rss += m.rss;
		p.huge += m.huge;
		p.swapped += m.swap;
		p.maps++;
	}
	fclose(w.f);
	*out = p;
	return 0;
}

int mem_process_read(struct mem_process *out)
{
	int rc = mem_process_of(0, out);
	if (rc < 0)
		return rc;
	mem_allocator_read(out);
	out->threads = entries_in("/proc/self/task");
	out->files = entries_in("/proc/self/fd");
	return 0;
}

static const char *short_name(const char *path)
{
	const char *at = strrchr(path, '/');
	while (at && at > path && at[-1] != '/')
		at--;
	return at && at > path ? at : path + (path[0] == '/');
}

static void region_add(struct mem_region out[MEM_REGIONS_MAX], unsigned *n, const struct map *m)
{
	char name[MEM_REGION_NAME];
	unsigned i = 0;

	snprintf(name, sizeof(name), "%.*s", MEM_REGION_NAME - 1, short_name(m->m.path));
	while (i < *n && strcmp(out[i].name, name) != 0)
		i++;
	if (i == MEM_REGIONS_MAX)
		i--;
	if (i == *n) {
		*n += 1;
		out[i] = (struct mem_region){0};
		memcpy(out[i].name, name, sizeof(name));
	}
	out[i].bytes += m->m.end - m->m.start;
	out[i].resident += m->rss + m->huge;
	out[i].huge |= m->huge > 0;
}

static int larger_first(const void *a, const void *b)
{
	const struct mem_region *x = a, *y = b;
	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

int mem_regions_read(unsigned pid, struct mem_region out[MEM_REGIONS_MAX])
{
	struct walk w;
	struct map m;
	unsigned n = 0;

	int rc = walk_open(&w, pid);
	if (rc < 0)
		return rc;
	while (walk_next(&w, &m)) {
		if (m.m.path[0] == '/' && m.m.perms[3] == 's')
			region_add(out, &n, &m);
	}
	fclose(w.f);
	qsort(out, n, sizeof(*out), larger_first);
	return (int)n;
}
