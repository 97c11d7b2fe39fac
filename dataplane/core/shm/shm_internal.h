// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of this room share and no other room sees: making and mapping regions, huge pages,
// and the folders of an instance.

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <weir/attr.h>
#include <weir/shm_abi.h>
#include <weir/shm_region.h>

// What making a region (shm_region.c) and mapping one (shm_attach.c) share.

// "<directory>/<name>", or an error when the name is not one that we would give.
ATTR_MUST_CHECK int region_path(char path[2 * SHM_PATH_MAX], const struct shm_paths *paths,
	enum shm_where where, const char *name, char why[SHM_WHY_MAX]);
// Can only the other process or a trusted user have made this folder of the other process? With two
// users its group proves that: only members can give a file to it. Else shm_paths_init looked.
ATTR_MUST_CHECK bool shm_folder_is_theirs(const struct shm_paths *paths, const char *folder);
// mmap(2) of a file from its start, where its pages can be huge ones. MAP_FAILED, errno.
void *region_map_file(int fd, enum shm_where where, size_t size, int prot, int flags);
uint64_t region_header_sum(const struct region_header *h);

// A build with -Dleak_demo=true forgets what WEIR_LEAK names, in both processes: to unmap rule
// images ("regions"), to close their files ("files"); or maps a huge page for each rule image that
// it unmaps and keeps it ("huge"). In any other build this is false.
#ifdef WEIR_LEAK_DEMO
bool shm_leaks(const char *what, uint32_t kind);
void shm_leak_huge(void);
#else
#define shm_leaks(what, kind) false
#define shm_leak_huge()       ((void)0)
#endif

// How the region and path code reports what it found and what it expected: one sentence in the
// caller's buffer, the error as return value. Names come from the configuration and from weir's own
// code, so they need no escaping.

ATTR_PRINTF(3, 4)
static inline int shm_fail(char why[SHM_WHY_MAX], int err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(why, SHM_WHY_MAX, fmt, args);
	va_end(args);
	return -err;
}

// Huge pages for regions on a tmpfs. An operator must set up and fill a hugetlbfs mount; where
// there is none, a new file gets pages of 2 MiB before it has any of 4 KiB, which Linux does on
// demand since 6.1, whatever the settings for transparent ones; page.h has the sizes of other
// kernels. Reads then need a page walk of one step less and some five hundred times fewer TLB
// entries. Both processes must map the file at an address where a huge page can be.
//
// A page of 2 MiB is made from one small one, so that only zeros are copied: 0.12 to 0.16 ms of CPU
// each, a twentieth of what 512 small ones and putting them together take; 3 to 5 ms on a virtual
// machine whose host has yet to find the memory. weir stops at the first refusal, after a second of
// CPU and 6 ms more for each 2 MiB of the file (the caller's time between them included), or after
// SHM_HUGE_MOST_MS of wall time. The rest gets small pages later, and works.

enum { SHM_HUGE_MOST_MS = 30000 };

// mmap(2) of a file from its start; from one huge page on at a multiple of that. MAP_FAILED, errno.
void *shm_huge_map(int fd, size_t size, int prot, int flags);

// A new file on a tmpfs that gets huge pages, from its start on. All zero, it makes none.
struct shm_huge {
	int fd;
	size_t size, made; // bytes; those in huge pages
	uint8_t *base;     // NULL: the file gets no more of them
	uint64_t until_ms; // CPU time of the thread
	uint64_t late_ms;  // clock_mono_ms
};

// The file, which has no pages yet, has this size then.
void shm_huge_begin(struct shm_huge *h, int fd, size_t size);
// Pages for all before `end`, of which nothing behind `made` may be written yet. It takes memory at
// once, so a caller that frees its source as it copies asks for no more than the next part.
void shm_huge_make(struct shm_huge *h, size_t end);
// The pages made so far stay.
void shm_huge_end(struct shm_huge *h);

// Fills a new region (struct region_fill of <weir/shm_region.h>), from memory or from a file.

// On a tmpfs: writes all `size` bytes of the file, a page of zeros for the header first, so that
// each has its page, in `huge` ones as far as there are such. -errno; -EIO: the source file is
// shorter than it was.
ATTR_MUST_CHECK int shm_fill_file(
	int fd, size_t size, const struct region_fill *fill, struct shm_huge *huge);

// On hugetlbfs, which cannot be written to but in memory.
ATTR_MUST_CHECK int shm_fill_memory(uint8_t *to, const struct region_fill *fill);

// The identity of one weir: a random number in `<runtime directory>/instance`, made by the process
// that starts first and kept over restarts. With two users the control plane keeps it in its own
// folder, where it outlives whatever the other one puts at that name, and uses the one of a
// data plane that started first. The name of every shared folder and the header of every
// region carry it, so that two weirs that see one hugetlbfs mount never use each other's files.
//
// The file also holds its own device and inode number. A copy of the directory (an image of a
// container, a backup) therefore gets an identity of its own.
//
// Only for start-up: reads and writes a file, and waits up to INSTANCE_WAIT_MS for the lock.

enum { INSTANCE_WAIT_MS = 5000 };

// Reads the identity. `own`: the caller's folder (struct shm_paths), or NULL; makes one there,
// where there is none or where it is a copy, under a lock on the directory. -ENOENT: there is no
// file; -EPROTO: damaged, or a copy; -EAGAIN: another process holds the lock for too long.
ATTR_MUST_CHECK int shm_instance_get(
	const char *run, const char *own, uint64_t *out, char why[SHM_WHY_MAX]);
// Restores the file of a weir that runs. 0: it was there; 1: restored; -ESTALE: there is another
// identity, of root or this user; -EPERM: one of another user; -EAGAIN: another process holds the
// lock; or another -errno. Does not wait.
ATTR_MUST_CHECK int shm_instance_keep(
	const char *run, const char *own, uint64_t id, char why[SHM_WHY_MAX]);

// Folders for regions in places that several weirs may share: a hugetlbfs mount, /dev/shm. Each is
// named `<flat>.<identity>`. In it lie the regions, `lock`, on which every process of that weir
// holds a read lock for its life, and `run`, a link that names the runtime directory.
//
// A folder is another weir's if its identity differs. It is removed when nobody holds its lock and
// no runtime directory of that identity can be seen; otherwise it stays. Only folders of this
// process's user are removed, and none that everyone may write.
//
// All but shm_folder_keep are only for start-up and for the end of a self-test.

enum {
	FOLDER_SWEEP_MAX = 256,
	FOLDER_LOOKS_MAX = 65536,
	FOLDER_TRIES = 100,
	FOLDER_DASHES_MAX = 10,
};

// Takes the lock of this weir's folder. Returns the descriptor to keep, or -errno; -ENOENT: the
// folder was removed meanwhile, so make it again.
ATTR_MUST_CHECK int shm_folder_hold(const char *folder, const char *run, char why[SHM_WHY_MAX]);
// Restores lock and link of a folder in use when they were deleted. `hold` stays the descriptor. 0:
// the lock was there; 1: restored; or -errno. Does not wait.
ATTR_MUST_CHECK int shm_folder_keep(const char *folder, const char *run, int hold);
// Removes the folders of dead weirs other than `own` below `root`, FOLDER_SWEEP_MAX at most, among
// the first FOLDER_LOOKS_MAX names.
void shm_folders_sweep(const char *root, uint64_t own);
// Removes the folder `flat`, which has no identity: versions before identities made it. Leaves it
// while a process runs on any runtime directory that had this name, or if there may be too many.
void shm_folder_sweep_flat(const char *root, const char *flat);
// Removes the regions among the first FOLDER_LOOKS_MAX names in `folder`; with `whole` also what
// else a weir makes there, and the folder.
void shm_folder_remove(const char *folder, bool whole);

// Units between the two ends; nonsense of a dying process is shown as full, not as more.
static inline uint32_t ring_used(uint64_t tail, uint64_t head, uint32_t size)
{
	uint64_t used = tail - head;
	return used > size ? size : (uint32_t)used;
}
