// SPDX-License-Identifier: BSD-3-Clause

#include "shm_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const region_kind_names[REGION_KINDS] = {[REGION_NONE] = "other",
	[REGION_DIRECTORY] = "directory",
	[REGION_L0] = "l0",
	[REGION_RULE_IMAGE] = "rule_image",
	[REGION_RINGS] = "rings",
	[REGION_MARKS] = "marks",
	[REGION_STATS] = "stats",
	[REGION_POLICY] = "policy",
	[REGION_HOPS] = "hops"};

static const char *kind_name(uint32_t kind)
{
	return kind > REGION_NONE && kind < REGION_KINDS ? region_kind_names[kind] : "unknown";
}

// Checks the header of a mapped file of `size` bytes. Works on a copy, so that all checks see the
// same header even while another process writes.
static int header_check(const uint8_t *base, size_t size, enum region_kind kind, uint64_t instance,
	const char *path, char why[SHM_WHY_MAX])
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
			path, kind_name(h.kind), h.kind, kind_name(kind));
	if (h.total_size != size)
		return shm_fail(why, EPROTO, "%s: has %zu bytes, its header says %" PRIu64, path,
			size, h.total_size);
	return 0;
}

// Is the open file one that only we or a trusted owner can have put there?
static int file_check(int fd, const struct shm_paths *paths, const char *path, struct region *out,
	char why[SHM_WHY_MAX])
{
	struct stat st, run;
	if (fstat(fd, &st) < 0)
		return shm_fail(why, errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return shm_fail(why, EPROTO, "%s: not a regular file", path);
	if (st.st_uid != geteuid() && st.st_uid != 0
		&& (stat(paths->run, &run) < 0 || st.st_uid != run.st_uid))
		return shm_fail(why, EPERM,
			"%s: belongs to uid %u, not to us (%u), root or the owner of %s", path,
			st.st_uid, geteuid(), paths->run);
	if (st.st_size < SHM_PAGE)
		return shm_fail(why, EPROTO,
			"%s: has only %" PRId64 " bytes: cut off or still being made", path,
			(int64_t)st.st_size);
	out->size = (size_t)st.st_size;
	out->inode = st.st_ino;
	return 0;
}

// The file of a region that may be mapped: its size and inode are in `out`. The descriptor or
// -errno.
static int file_open(const struct shm_paths *paths, enum shm_where where, const char *path,
	bool writable, struct region *out, char why[SHM_WHY_MAX])
{
	// O_NONBLOCK: a FIFO planted there must not stop us.
	int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return shm_fail(why, errno, "%s: %s", path, strerror(errno));
	*out = (struct region){.where = where};
	int err = file_check(fd, paths, path, out, why);
	if (err)
		close(fd);
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
	int fd = file_open(paths, where, path, writable, &r, why);
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
	err = header_check(base, r.size, kind, paths->instance, path, why);
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
	int fd = file_open(paths, where, path, false, &r, why);
	if (fd < 0)
		return fd;
	uint8_t *base = MAP_FAILED;
	if (r.size <= REGION_LOAD_MAX)
		base = mmap(
			NULL, r.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	else
		errno = EFBIG;
	if (base == MAP_FAILED)
		err = -errno;
	else if ((err = read_all(fd, base, r.size)) == 0 && mprotect(base, r.size, PROT_READ) < 0)
		err = -errno;
	close(fd);
	if (err)
		err = shm_fail(why, -err, "%s: cannot read %zu KiB: %s", path, r.size >> 10,
			strerror(-err));
	else
		err = header_check(base, r.size, kind, paths->instance, path, why);
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
