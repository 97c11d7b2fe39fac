// SPDX-License-Identifier: BSD-3-Clause
#include "mem_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/heap_site.h>
#include <weir/shm_region.h>

#define X(name, text) [MEM_MAP_##name] = #name,
const char *const mem_map_names[MEM_MAPS] = {MEM_MAP_LIST(X)};
#undef X
#define X(name, text) [MEM_MAP_##name] = text,
const char *const mem_map_texts[MEM_MAPS] = {MEM_MAP_LIST(X)};
#undef X
#define X(name) [MEM_FD_##name] = #name,
const char *const mem_fd_names[MEM_FDS] = {MEM_FD_LIST(X)};
#undef X

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

// The devices of the mounts of hugetlbfs: "36 35 0:33 / /dev/hugepages rw - hugetlbfs ...".
static void huge_read(struct mem_look *l)
{
	char *line = NULL;
	size_t cap = 0;
	unsigned major, minor;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	l->knows_huge = true;
	while (f && l->huge_count < MEM_LOOK_HUGE && getline(&line, &cap, f) > 0)
		if (strstr(line, " - hugetlbfs ")
			&& sscanf(line, "%*u %*u %u:%u ", &major, &minor) == 2)
			l->huge[l->huge_count++] = (uint64_t)major << 32 | minor;
	heap_free(line);
	if (f)
		fclose(f);
}

static bool is_huge(const struct mem_look *l, const struct mem_map *m)
{
	if (m->path[0] != '/')
		return false;
	// DPDK's huge pages with --in-memory are a memfd each, on a mount that no list of mounts
	// has.
	if (has_prefix(m->path, "/anon_hugepage") || has_prefix(m->path, "/memfd:seg_"))
		return true;
	for (unsigned i = 0; i < l->huge_count; i++)
		if (l->huge[i] == m->device)
			return true;
	return false;
}

// The kind that a file's name says; *generation is 0 for a kind without generations.
static enum region_kind region_of(const char *path, uint64_t *generation)
{
	const char *name = strrchr(path, '/');
	*generation = 0;
	name = name ? name + 1 : path;
	for (unsigned k = REGION_NONE + 1; k < REGION_KINDS; k++) {
		size_t len = strlen(region_kind_names[k]);
		if (!has_prefix(name, region_kind_names[k]) || !strchr(". ", name[len]))
			continue;
		const char *number = k == REGION_MARKS && name[len] == '.'
					     ? strchr(name + len + 1, '.')
					     : name + len;
		if (k != REGION_RINGS && k != REGION_ANSWERS && number && *number == '.')
			*generation = strtoull(number + 1, NULL, 10);
		return (enum region_kind)k;
	}
	return REGION_NONE;
}

// Parts of one file follow each other, so one that protects its pages counts once.
static void file_take(struct mem_look *l, const struct mem_map *m)
{
	static const char gone[] = " (deleted)";
	size_t len = strlen(m->path);
	uint64_t generation, bytes = m->end - m->start;
	enum region_kind kind = region_of(m->path, &generation);
	l->now.regions[kind] += bytes;
	if (generation > l->newest[kind])
		l->newest[kind] = generation;
	if (len < sizeof(gone) || strcmp(m->path + len - (sizeof(gone) - 1), gone) != 0)
		return;
	struct mem_look_file *last = l->deleted ? &l->file[l->deleted - 1] : NULL;
	struct mem_deleted *d = &l->now.deleted[kind];
	d->bytes += bytes;
	if (last && last->inode == m->inode && last->kind == (uint64_t)kind
		&& last->generation == generation) {
		last->bytes += bytes;
		return;
	}
	d->files++;
	if (l->deleted < MEM_LOOK_DELETED)
		l->file[l->deleted++] = (struct mem_look_file){kind, generation, bytes, m->inode};
}

static void map_take(struct mem_look *l, const char *line)
{
	struct mem_map m;
	if (!mem_map_parse(line, &l->guard_end, &m) || has_prefix(m.perms, "---"))
		return;
	enum mem_map_kind kind = is_huge(l, &m) ? MEM_MAP_huge : mem_map_kind(&m);
	l->now.maps[kind]++;
	l->now.bytes[kind] += m.end - m.start;
	if (m.path[0] == '/' && m.perms[3] == 's')
		file_take(l, &m);
}

static void least_set(uint64_t *now, uint64_t *last)
{
	uint64_t seen = *now;
	*now = seen < *last ? seen : *last;
	*last = seen;
}

// Once all mappings are known: how far behind each deleted one is. What the look before this one
// did not see may be on its way out.
static void ages_take(struct mem_look *l)
{
	for (unsigned i = 0; i < l->deleted; i++) {
		const struct mem_look_file *f = &l->file[i];
		struct mem_deleted *d = &l->now.deleted[f->kind];
		uint64_t behind = f->generation ? l->newest[f->kind] - f->generation : 0;
		if (behind > d->behind)
			d->behind = behind;
		if (behind < MEM_STALE)
			continue;
		d->stale++;
		d->stale_bytes += f->bytes;
	}
	for (unsigned k = 0; k < REGION_KINDS; k++) {
		least_set(&l->now.deleted[k].stale, &l->last[k].stale);
		least_set(&l->now.deleted[k].stale_bytes, &l->last[k].bytes);
	}
}

int mem_look_begin(struct mem_look *l)
{
	if (l->stage != MEM_LOOK_IDLE)
		return 0;
	if (!l->knows_huge)
		huge_read(l);
	int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	l->fd = fd;
	l->stage = MEM_LOOK_FDS;
	l->len = 0;
	l->guard_end = 0;
	l->deleted = 0;
	l->now = (struct mem_kinds){0};
	memset(l->newest, 0, sizeof(l->newest));
	return 0;
}

void mem_look_end(struct mem_look *l)
{
	if (l->stage != MEM_LOOK_IDLE)
		close(l->fd);
	l->stage = MEM_LOOK_IDLE;
}

static int fail(struct mem_look *l, int err)
{
	mem_look_end(l);
	return -err;
}

static int maps_begin(struct mem_look *l)
{
	mem_look_end(l);
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	l->fd = fd;
	l->stage = MEM_LOOK_MAPS;
	return 0;
}

static int look_done(struct mem_look *l, struct mem_kinds *out)
{
	mem_look_end(l);
	ages_take(l);
	*out = l->now;
	return 1;
}

// A line that fills the whole room is no path of weir's: its end is read as lines that are none.
static int maps_step(struct mem_look *l, struct mem_kinds *out)
{
	size_t room = sizeof(l->text) - 1 - l->len;
	ssize_t n = read(l->fd, l->text + l->len, room < MEM_LOOK_READ ? room : MEM_LOOK_READ);
	if (n < 0)
		return errno == EINTR ? 0 : fail(l, errno);
	if (n == 0)
		return look_done(l, out);
	l->len += (size_t)n;
	l->text[l->len] = '\0';
	char *line = l->text, *end;
	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		map_take(l, line);
	}
	l->len = strlen(line);
	if (l->len == sizeof(l->text) - 1)
		l->len = 0;
	memmove(l->text, line, l->len);
	return 0;
}

static enum mem_fd_kind fd_kind(const char *target)
{
	static const struct {
		const char *prefix;
		enum mem_fd_kind kind;
	} kinds[] = {{"socket:", MEM_FD_socket}, {"pipe:", MEM_FD_pipe},
		{"anon_inode:[eventfd", MEM_FD_eventfd}, {"anon_inode:[eventpoll", MEM_FD_epoll},
		{"anon_inode:[timerfd", MEM_FD_timerfd}, {"/memfd:", MEM_FD_memfd},
		{"/", MEM_FD_file}};
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (has_prefix(target, kinds[i].prefix))
			return kinds[i].kind;
	return MEM_FD_other;
}

// One that was closed meanwhile has no target and counts no more.
static void fd_take(struct mem_look *l, const char *name)
{
	char target[32];
	if (name[0] < '0' || name[0] > '9' || strtol(name, NULL, 10) == l->fd)
		return;
	ssize_t n = readlinkat(l->fd, name, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = '\0';
	l->now.descriptors[fd_kind(target)]++;
}

static int fds_step(struct mem_look *l)
{
	ssize_t n = getdents64(l->fd, l->text, sizeof(l->text));
	if (n < 0)
		return fail(l, errno);
	if (n == 0)
		return maps_begin(l);
	for (ssize_t at = 0; at < n;) {
		const struct dirent64 *e = (const void *)(l->text + at);
		fd_take(l, e->d_name);
		at += e->d_reclen;
	}
	return 0;
}

int mem_look_step(struct mem_look *l, struct mem_kinds *out)
{
	if (l->stage == MEM_LOOK_FDS)
		return fds_step(l);
	return l->stage == MEM_LOOK_MAPS ? maps_step(l, out) : 0;
}
