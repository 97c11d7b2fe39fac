// SPDX-License-Identifier: BSD-3-Clause
#include "shm_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/page.h>
#include <weir/shm_lost.h>
#include <weir/shm_stats.h>

const char *const region_kind_names[REGION_KINDS] = {[REGION_NONE] = "other",
	[REGION_DIRECTORY] = "directory",
	[REGION_L0] = "l0",
	[REGION_RULE_IMAGE] = "rule_image",
	[REGION_RINGS] = "rings",
	[REGION_MARKS] = "marks",
	[REGION_STATS] = "stats",
	[REGION_POLICY] = "policy",
	[REGION_HOPS] = "hops",
	[REGION_ANSWERS] = "answers",
	[REGION_READER] = "reader"};

// Checks the header at `base`, of a file of `size` bytes at `path`. Works on a copy, so that all
// checks see the same header even while another process writes. -EPROTO with `why`.
// "unknown" for one that is none
static const char *region_kind_name(uint32_t kind)
{
	return kind > REGION_NONE && kind < REGION_KINDS ? region_kind_names[kind] : "unknown";
}

// Checks the header at `base`, of a file of `size` bytes at `path`. Works on a copy, so that all
// checks see the same header even while another process writes. -EPROTO with `why`.
static int region_header_check(const uint8_t *base, size_t size, enum region_kind kind,
	uint64_t instance, const char *path, char why[SHM_WHY_MAX])
{
	const struct region_header *shared = (const struct region_header *)(const void *)base;
	uint64_t magic = atomic_load_explicit(&shared->magic, memory_order_acquire);
	if (magic == 0)
		return shm_fail(why, EPROTO, "%s: still being made", path);
	if (magic != SHM_MAGIC)
		return shm_fail(why, EPROTO,
			"%s: not a weir region (magic %016" PRIx64 ", not %016" PRIx64 ")", path,
			magic, SHM_MAGIC);
	struct region_header h;
	memcpy(&h, base, sizeof(h));
	if (h.abi_version != SHM_ABI_VERSION)
		return shm_fail(why, EPROTO,
			"%s: made by a build with ABI version %" PRIu32 ", this one has %d: "
			"both processes must be of one build",
			path, h.abi_version, SHM_ABI_VERSION);
	uint64_t sum = region_header_sum(&h);
	if (h.sum != sum)
		return shm_fail(why, EPROTO,
			"%s: damaged header (sum %016" PRIx64 ", not %016" PRIx64 ")", path, h.sum,
			sum);
	if (h.instance != instance)
		return shm_fail(why, EPROTO,
			"%s: belongs to another weir (identity %016" PRIx64 ", ours is %016" PRIx64
			")",
			path, h.instance, instance);
	if (h.kind != (uint32_t)kind)
		return shm_fail(why, EPROTO, "%s: is a region of kind %s (%" PRIu32 "), not %s",
			path, region_kind_name(h.kind), h.kind, region_kind_name(kind));
	if (h.total_size != size)
		return shm_fail(why, EPROTO, "%s: has %zu bytes, its header says %" PRIu64, path,
			size, h.total_size);
	return 0;
}

// The other of two users is any that is neither us nor root: the folder keeps out all others.
// So a process that was broken into can leave nothing that passes, after its restart, for the other
// one's.
static int maker_check(const struct stat *st, const struct shm_paths *paths, const char *path,
	char why[SHM_WHY_MAX])
{
	const char *name = strrchr(path, '/') + 1;
	const bool ours = shm_maker(name) == paths->side, marks = strncmp(name, "marks.", 6) == 0;
	if (st->st_mode & (marks ? S_IWOTH : S_IWGRP | S_IWOTH))
		return shm_fail(why, EPERM, "%s: others than its owner may write it (mode %04o)",
			path, st->st_mode & 07777);
	if (st->st_uid == 0 || paths->side == SHM_ANY_SIDE || ours == (st->st_uid == geteuid()))
		return 0;
	if (st->st_uid == geteuid())
		return shm_fail(why, EPERM,
			"both processes run as uid %u, and their folder is set up for two users: "
			"run "
			"each as its user, or give uid %u the folder (mode 0750): %s",
			st->st_uid, st->st_uid, path);
	return shm_fail(why, EPERM,
		"%s: belongs to uid %u, but only %s makes it; see who put it there, and remove it "
		"as root",
		path, st->st_uid, ours ? "this process, as another user," : "the other process");
}

static int owner_check(const struct stat *st, const struct shm_paths *paths, const char *path,
	char why[SHM_WHY_MAX])
{
	struct stat run;
	if (paths->two_users)
		return maker_check(st, paths, path, why);
	if (st->st_uid == geteuid() || st->st_uid == 0
		|| (stat(paths->run, &run) == 0 && st->st_uid == run.st_uid))
		return 0;
	return shm_fail(why, EPERM,
		"%s: belongs to uid %u, not to us (%u), root or the owner of %s", path, st->st_uid,
		geteuid(), paths->run);
}

// Is the open file one that only we or a trusted owner can have put there?
static int file_check(int fd, const struct shm_paths *paths, const char *path, struct stat *st,
	char why[SHM_WHY_MAX])
{
	if (fstat(fd, st) < 0)
		return shm_fail(why, errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st->st_mode))
		return shm_fail(why, EPROTO, "%s: not a regular file", path);
	int err = owner_check(st, paths, path, why);
	if (err)
		return err;
	if (st->st_size < SHM_PAGE)
		return shm_fail(why, EPROTO,
			"%s: has only %" PRId64 " bytes: cut off or still being made", path,
			(int64_t)st->st_size);
	return 0;
}

// Bytes of a file at most, but for its last block or page; 0: as many as the configuration asks
// for.
static const size_t region_most[REGION_KINDS] = {
	[REGION_DIRECTORY] = SHM_PAGE + sizeof(struct directory),
	[REGION_READER] = SHM_PAGE + sizeof(struct reader_page),
	[REGION_RINGS] = RINGS_MISS_RING + (RINGS_MISS_UNITS + RINGS_LOG_UNITS) * RING_UNIT,
	[REGION_ANSWERS] = ANSWERS_SIZE,
	[REGION_STATS] = SHM_PAGE + sizeof(struct stats_region)
			 + SHM_WORKERS_MAX * sizeof(struct stats_worker),
};

// Before the file is mapped, which makes a page for each hole in it, on our account. Its maker has
// reserved them all. It can give some back at any time, but had the memory for them.
static int pages_check(int fd, const struct stat *st, enum region_kind kind, uint64_t instance,
	const char *path, char why[SHM_WHY_MAX])
{
	struct region_header h;
	if (pread(fd, &h, sizeof(h), 0) != sizeof(h))
		return shm_fail(why, EPROTO, "%s: cannot read its header", path);
	int err = region_header_check(
		(const uint8_t *)&h, (size_t)st->st_size, kind, instance, path, why);
	if (err)
		return err;
	// The maker of a region has rounded it up to pages (size_for), of which a block may be a
	// part.
	const size_t block = (size_t)st->st_blksize, page = page_size();
	const size_t unit = block > page ? block : page, most = region_most[kind];
	if (most && (size_t)st->st_size > (most + unit - 1) / unit * unit)
		return shm_fail(why, EPROTO,
			"%s: has %" PRId64 " bytes, a region of kind %s at most %zu", path,
			(int64_t)st->st_size, region_kind_name(kind), most);
	if (st->st_blocks * 512 < st->st_size)
		return shm_fail(why, EPROTO, "%s: has %" PRId64 " bytes, but pages for %" PRId64,
			path, (int64_t)st->st_size, (int64_t)st->st_blocks * 512);
	return 0;
}

// A folder in a shared place may be one that a stranger made before the other process.
static bool folder_check(const struct shm_paths *paths, const char *path)
{
	char folder[2 * SHM_PATH_MAX];
	snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(path, '/') - path), path);
	return !paths->two_users || strcmp(folder, paths->run) == 0
	       || shm_folder_is_theirs(paths, folder);
}

// The file of a region that may be mapped: its size and inode are in `out`. The descriptor or
// -errno.
static int file_open(const struct shm_paths *paths, enum shm_where where, const char *path,
	enum region_kind kind, bool writable, struct region *out, char why[SHM_WHY_MAX])
{
	if (!folder_check(paths, path))
		return shm_fail(why, EPERM, "%s: its folder belongs to a stranger", path);
	// O_NONBLOCK: a FIFO planted there must not stop us.
	int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return shm_fail(why, errno, "%s: %s", path, strerror(errno));
	struct stat st;
	int err = file_check(fd, paths, path, &st, why);
	if (err == 0)
		err = pages_check(fd, &st, kind, paths->instance, path, why);
	if (err)
		close(fd);
	else
		*out = (struct region){
			.where = where, .size = (size_t)st.st_size, .inode = st.st_ino};
	return err ? err : fd;
}

static int attach(const struct shm_paths *paths, enum shm_where where, const char *name,
	enum region_kind kind, bool writable, int flags, struct region *out, char why[SHM_WHY_MAX])
{
	char path[2 * SHM_PATH_MAX];
	struct region r;
	int err = region_path(path, paths, where, name, why);
	if (err)
		return err;
	int fd = file_open(paths, where, path, kind, writable, &r, why);
	if (fd < 0)
		return fd;
	void *base = region_map_file(fd, where, r.size,
		writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED | flags);
	if (base == MAP_FAILED)
		err = shm_fail(why, errno, "%s: cannot map %zu KiB: %s", path, r.size >> 10,
			strerror(errno));
	if (!shm_leaks("files", kind))
		close(fd);
	if (err)
		return err;
	err = region_header_check(base, r.size, kind, paths->instance, path, why);
	if (err) {
		munmap(base, r.size);
		return err;
	}
	r.base = base;
	*out = r;
	return 0;
}

int region_attach(const struct shm_paths *paths, enum shm_where where, const char *name,
	enum region_kind kind, bool writable, struct region *out, char why[SHM_WHY_MAX])
{
	return attach(paths, where, name, kind, writable, MAP_POPULATE, out, why);
}

int region_attach_lazily(const struct shm_paths *paths, enum shm_where where, const char *name,
	enum region_kind kind, struct region *out, char why[SHM_WHY_MAX])
{
	return attach(paths, where, name, kind, false, 0, out, why);
}

int region_place(size_t size, struct region *out, char why[SHM_WHY_MAX])
{
	size = page_up(size); // the size of the file (size_for)
	void *m = shm_huge_map(-1, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
	if (m == MAP_FAILED)
		return shm_fail(why, errno, "no address space: %s", strerror(errno));
	*out = (struct region){.base = m, .size = size};
	return 0;
}

// All threads see what was there before or what is there now. Where the kernel finds no memory it
// may have unmapped the former region already: zeros go there, as in a new place. If there is no
// memory for those either, the threads that read there cannot go on.
static int put_over(
	const struct region *r, struct region *at, const char *path, char why[SHM_WHY_MAX])
{
	if (mremap(r->base, r->size, r->size, MREMAP_MAYMOVE | MREMAP_FIXED, at->base)
		!= MAP_FAILED)
		return 0;
	const int rc =
		shm_fail(why, errno, "%s: cannot put it in place: %s", path, strerror(errno));
	const void *zeros = mmap(at->base, at->size, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (zeros == MAP_FAILED && errno != EEXIST)
		region_lost_end(why);
	if (zeros == at->base)
		at->inode = 0;
	return rc;
}

int region_attach_over(const struct shm_paths *paths, const char *name, enum region_kind kind,
	const uint64_t geometry[SHM_GEOMETRY_WORDS], struct region *at, char why[SHM_WHY_MAX])
{
	char path[2 * SHM_PATH_MAX];
	struct stat st;
	struct region r;
	int rc = region_path(path, paths, SHM_IN_MEM, name, why);
	if (rc == 0 && lstat(path, &st) < 0)
		rc = shm_fail(why, errno, "%s: %s", path, strerror(errno));
	if (rc == 0 && at->inode && st.st_ino == at->inode)
		return 0;
	if (rc == 0)
		rc = region_attach(paths, SHM_IN_MEM, name, kind, false, &r, why);
	if (rc)
		return rc;
	if (r.size != at->size)
		rc = shm_fail(why, EPROTO, "%s: has %zu bytes, not %zu", path, r.size, at->size);
	else if (geometry
		 && memcmp(region_header_of(&r)->geometry, geometry,
			    SHM_GEOMETRY_WORDS * sizeof(*geometry))
			    != 0)
		rc = shm_fail(why, EAGAIN, "%s: of another run", path);
	else
		rc = put_over(&r, at, path, why);
	if (rc) {
		munmap(r.base, r.size);
		return rc;
	}
	at->inode = r.inode;
	return 1;
}

// Reads the whole file, whose size is known. -EIO: it was truncated meanwhile.
static int read_all(int fd, uint8_t *to, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = pread(fd, to + at, size - at, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}

int region_load(const struct shm_paths *paths, enum shm_where where, const char *name,
	enum region_kind kind, struct region *out, char why[SHM_WHY_MAX])
{
	char path[2 * SHM_PATH_MAX];
	struct region r;
	int err = region_path(path, paths, where, name, why);
	if (err)
		return err;
	int fd = file_open(paths, where, path, kind, false, &r, why);
	if (fd < 0)
		return fd;
	uint8_t *base = MAP_FAILED;
	if (r.size <= REGION_LOAD_MAX)
		base = mmap(
			NULL, r.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	else
		errno = EFBIG;
	if (base != MAP_FAILED)
		(void)madvise(base, r.size, MADV_DONTDUMP); // no core dump has it (region_map_file)
	if (base == MAP_FAILED)
		err = -errno;
	else if ((err = read_all(fd, base, r.size)) == 0 && mprotect(base, r.size, PROT_READ) < 0)
		err = -errno;
	close(fd);
	if (err)
		err = shm_fail(why, -err, "%s: cannot read %zu KiB: %s", path, r.size >> 10,
			strerror(-err));
	else
		err = region_header_check(base, r.size, kind, paths->instance, path, why);
	if (err) {
		if (base != MAP_FAILED)
			munmap(base, r.size);
		return err;
	}
	r.base = base;
	*out = r;
	return 0;
}

bool region_is_cut(const struct shm_paths *paths, const struct region *r, const char *name)
{
	char path[2 * SHM_PATH_MAX], why[SHM_WHY_MAX];
	struct stat st;
	return r->base && region_path(path, paths, r->where, name, why) == 0 && stat(path, &st) == 0
	       && st.st_ino == r->inode && (uint64_t)st.st_size < r->size;
}
