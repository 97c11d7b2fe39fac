// SPDX-License-Identifier: BSD-3-Clause

#include "shm_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <weir/fault.h>
#include <weir/keyhash.h>
#include <weir/log.h>
#include <weir/page.h>
#include <weir/shm_region.h>

enum { RESERVE_TRIES = 16 };

#ifdef WEIR_LEAK_DEMO
bool shm_leaks(const char *what, uint32_t kind)
{
	const char *wanted = getenv("WEIR_LEAK");
	return wanted && kind == REGION_RULE_IMAGE && strstr(wanted, what);
}

// Maps without a reservation, so that it works also on a machine that has no huge page.
void shm_leak_huge(void)
{
	(void)mmap(NULL, page_huge(), PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);
}
#endif

// "<directory>/<name>", or an error when the name is not one that we would give.
int region_path(char path[2 * SHM_PATH_MAX], const struct shm_paths *paths, enum shm_where where,
	const char *name, char why[SHM_WHY_MAX])
{
	const enum shm_side own = paths->side == SHM_ANY_SIDE ? SHM_DATAPLANE : paths->side;
	const bool theirs = paths->other[0] && shm_maker(name) != own;
	const char *dir = where == SHM_IN_HUGE ? paths->huge : theirs ? paths->other : paths->mem;
	if (!dir[0])
		return shm_fail(why, ENOENT,
			"region %s: it is on hugetlbfs, of which this process sees none", name);
	if (!name[0] || name[0] == '.' || strchr(name, '/') || strstr(name, "map_")
		|| strlen(name) >= SHM_PATH_MAX)
		return shm_fail(why, EINVAL, "\"%s\" is not a name for a region", name);
	snprintf(path, 2 * SHM_PATH_MAX, "%s/%s", dir, name);
	return 0;
}

uint64_t region_header_sum(const struct region_header *h)
{
	size_t from = offsetof(struct region_header, abi_version);
	return contenthash((const uint8_t *)h + from, offsetof(struct region_header, sum) - from);
}

// Reserves the space now, so that no later touch can raise SIGBUS. tmpfs gives up with EINTR when
// a signal comes in the middle. A mapping of a hugetlbfs reserves all pages or none, where
// fallocate(2) would clear those that are free before it finds that they are too few.
static int reserve(int fd, enum shm_where where, size_t size)
{
	if (where == SHM_IN_HUGE) {
		void *all = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (all == MAP_FAILED)
			return -errno;
		munmap(all, size);
	}
	for (unsigned i = 0; i < RESERVE_TRIES; i++) {
		if (fallocate(fd, 0, 0, (off_t)size) == 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	return -EINTR;
}

// A hugetlbfs finds a place that suits its pages, which may be larger than those of shm_internal.h.
void *region_map_file(int fd, enum shm_where where, size_t size, int prot, int flags)
{
	void *base = where == SHM_IN_HUGE ? mmap(NULL, size, prot, flags, fd, 0)
					  : shm_huge_map(fd, size, prot, flags);
	// A core dump has none of it: secrets of cookies and what clients asked are here.
	if (base != MAP_FAILED)
		(void)madvise(base, size, MADV_DONTDUMP);
	return base;
}

// Fails before it takes memory for a region that does not fit. A mount without a limit of its own
// reports nothing; there the reservation decides.
static bool has_room(int fd, size_t size)
{
	struct statfs fs;
	return fstatfs(fd, &fs) < 0 || fs.f_blocks == 0
	       || (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= size;
}

// A mount without a limit of its own does not say how much is free.
static int no_room(int fd, const char *path, size_t size, int err, char why[SHM_WHY_MAX])
{
	struct statfs fs;
	char left[48] = "";
	if (fstatfs(fd, &fs) == 0 && fs.f_blocks > 0)
		snprintf(left, sizeof(left), ", %" PRIu64 " KiB are free",
			(uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >> 10);
	return shm_fail(why, err, "%s: cannot reserve %zu KiB%s: %s", path, size >> 10, left,
		strerror(err));
}

static mode_t mode_of(const struct shm_paths *paths, const struct region_spec *spec)
{
	if (paths->two_users)
		return spec->kind == REGION_MARKS ? 0660 : 0640;
	return spec->kind == REGION_STATS ? 0640 : 0600;
}

static int map_new_file(int fd, const char *path, const struct shm_paths *paths,
	const struct region_spec *spec, enum shm_where where, size_t size, struct region *out,
	char why[SHM_WHY_MAX])
{
	struct stat st;
	if (fchmod(fd, mode_of(paths, spec)) < 0 || fstat(fd, &st) < 0) // the umask must not decide
		return shm_fail(why, errno, "%s: cannot set its mode: %s", path, strerror(errno));
	// A region that is written as a whole needs no reservation.
	bool filled = spec->fill.len > 0 && where == SHM_IN_MEM;
	struct shm_huge huge = {.fd = -1};
	if (where == SHM_IN_MEM && has_room(fd, size))
		shm_huge_begin(&huge, fd, size);
	if (!filled)
		shm_huge_make(&huge, size);
	int err = filled ? -shm_fill_file(fd, size, &spec->fill, &huge) : -reserve(fd, where, size);
	shm_huge_end(&huge);
	if (err)
		return no_room(fd, path, size, err, why);
	if (where == SHM_IN_MEM && size >= page_huge())
		log_info("%s: %zu KiB, %zu of them in huge pages", path, size >> 10,
			huge.made >> 10);
	void *m = region_map_file(
		fd, where, size, PROT_READ | PROT_WRITE, MAP_SHARED | (filled ? 0 : MAP_POPULATE));
	if (m == MAP_FAILED)
		return shm_fail(why, errno, "%s: cannot map %zu KiB: %s", path, size >> 10,
			strerror(errno));
	err = spec->fill.len > 0 && !filled ? -shm_fill_memory((uint8_t *)m + SHM_PAGE, &spec->fill)
					    : 0;
	if (err) {
		munmap(m, size);
		return shm_fail(why, err, "%s: cannot fill it: %s", path, strerror(err));
	}
	*out = (struct region){.base = m, .size = size, .inode = st.st_ino};
	return 0;
}

// The size of the file that will hold the region, or an error: whole pages of that file system,
// and on hugetlbfs as many as are free.
static int size_for(const struct shm_paths *paths, const struct region_spec *spec,
	enum shm_where where, size_t *size, char why[SHM_WHY_MAX])
{
	size_t page = page_size();
	struct statfs fs = {0};
	if (where == SHM_IN_HUGE) {
		if (statfs(paths->huge, &fs) < 0)
			return shm_fail(why, errno, "%s: %s", paths->huge, strerror(errno));
		page = (size_t)fs.f_bsize;
	}
	if (spec->data_size > SIZE_MAX / 2 || page == 0)
		return shm_fail(why, EINVAL, "region %s: impossible size", spec->name);
	*size = (SHM_PAGE + spec->data_size + page - 1) / page * page;
	// A mount without a limit of its own reports no blocks at all; there the reservation
	// decides.
	if (where == SHM_IN_HUGE && fs.f_blocks > 0 && (uint64_t)fs.f_bavail < *size / page)
		return shm_fail(why, ENOSPC,
			"%s: region %s needs %zu huge pages, %" PRIu64 " are free", paths->huge,
			spec->name, *size / page, (uint64_t)fs.f_bavail);
	return 0;
}

// Nobody can remove from a sticky directory what another user made.
static int left_in_place(const char *path, int err, char why[SHM_WHY_MAX])
{
	struct stat st;
	if ((err == EPERM || err == EACCES) && lstat(path, &st) == 0 && st.st_uid != geteuid())
		return shm_fail(why, err,
			"%s: belongs to uid %u, but only this process (uid %u) makes it; see who "
			"put it there, and remove it as root",
			path, st.st_uid, geteuid());
	return shm_fail(why, err, "%s: cannot remove it: %s", path, strerror(err));
}

static int create_in(const struct shm_paths *paths, const struct region_spec *spec,
	enum shm_where where, struct region *out, char why[SHM_WHY_MAX])
{
	char path[2 * SHM_PATH_MAX];
	size_t size = 0;
	int err = region_path(path, paths, where, spec->name, why);
	// Unlinked before the free pages are counted: the old file may hold them.
	if (err == 0 && unlink(path) < 0 && errno != ENOENT)
		return left_in_place(path, errno, why);
	FAULT_POINT(region_name_free);
	if (err == 0)
		err = size_for(paths, spec, where, &size, why);
	if (err)
		return err;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return shm_fail(why, errno, "%s: cannot create it: %s", path, strerror(errno));
	FAULT_POINT(region_file_made);
	struct region r;
	err = map_new_file(fd, path, paths, spec, where, size, &r, why);
	if (!shm_leaks("files", spec->kind))
		close(fd);
	if (err) {
		unlink(path);
		return err;
	}
	FAULT_POINT(region_space_reserved);
	r.where = where;
	*out = r;
	return 0;
}

int region_create(const struct shm_paths *paths, const struct region_spec *spec, struct region *out,
	char why[SHM_WHY_MAX])
{
	assert(paths->instance);
	int err = -ENOENT;
	if (spec->need_huge || (spec->want_huge && paths->huge[0]))
		err = create_in(paths, spec, SHM_IN_HUGE, out, why);
	else if (paths->huge[0])
		(void)region_unlink(paths, SHM_IN_HUGE, spec->name);
	if (!err)
		(void)region_unlink(paths, SHM_IN_MEM, spec->name);
	else if (!spec->need_huge)
		err = create_in(paths, spec, SHM_IN_MEM, out, why);
	if (err)
		return err;
	struct region_header *h = (struct region_header *)(void *)out->base;
	h->abi_version = SHM_ABI_VERSION;
	h->kind = spec->kind;
	h->total_size = out->size;
	h->generation = spec->generation;
	h->incarnation = spec->incarnation;
	h->instance = paths->instance;
	h->index = spec->index;
	memcpy(h->geometry, spec->geometry, sizeof(h->geometry));
	FAULT_POINT(region_header_written);
	return 0;
}

void region_publish(struct region *r)
{
	struct region_header *h = (struct region_header *)(void *)r->base;
	h->sum = region_header_sum(h);
	FAULT_POINT(region_sum_stored);
	// A process that sees the magic (acquire) sees the header and all data written before.
	atomic_store_explicit(&h->magic, SHM_MAGIC, memory_order_release);
	FAULT_POINT(region_magic_stored);
}

void region_unmap(struct region *r)
{
	if (r->base && shm_leaks("huge", region_header_of(r)->kind))
		shm_leak_huge();
	if (r->base && !shm_leaks("regions", region_header_of(r)->kind))
		munmap(r->base, r->size);
	*r = (struct region){0};
}

int region_unlink(const struct shm_paths *paths, enum shm_where where, const char *name)
{
	char path[2 * SHM_PATH_MAX], why[SHM_WHY_MAX];
	int err = region_path(path, paths, where, name, why);
	if (err)
		return err;
	return unlink(path) < 0 ? -errno : 0;
}
