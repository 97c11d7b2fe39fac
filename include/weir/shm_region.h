// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Regions: named files that both processes map.
//
// Small regions live in the memory directory (a tmpfs), large ones under a hugetlbfs mount when
// there is one with room. A region is created under its final name with all its space reserved
// (fallocate) and prefaulted, so that no later touch can raise SIGBUS; its header's magic is stored
// last. It is never truncated or resized; a new generation is a new file. All calls are for
// start-up, the control thread or helper threads: they block.
//
// One user for both processes: the runtime directory is 0750, files are 0600 (stats: 0640). Two
// users of one group: an administrator has made the runtime directory root's, setgid, sticky and
// writable by that group (3770, or 3771 so that operators reach stats and api.sock), which is how
// weir knows. Files are 0640 then (marks: 0660) and have that group, so that the other process may
// read them and no more, and can neither delete nor rename them. Each process then trusts a region
// only if the right side made it: its own if it has them make, else not its own (shm_attach.c).

#include "attr.h"
#include "shm_abi.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { SHM_PATH_MAX = 256, SHM_WHY_MAX = 256 };

// The control plane's own folder in the runtime directory, and its lock and sockets there: the
// other of two users can put nothing in their place.
#define SHM_CONTROL             "control"
#define SHM_NAME_CONTROL_LOCK   SHM_CONTROL "/controlplane.lock"
#define SHM_NAME_CONTROL_SOCKET SHM_CONTROL "/control.sock"
#define SHM_NAME_LINK           SHM_CONTROL "/link.sock"
// Names of versions without that folder: one of them may run until its restart, and weirctl looks
// there where the folder has none.
#define SHM_NAME_FORMER_LOCK   "controlplane.lock"
#define SHM_NAME_FORMER_SOCKET "control.sock"

enum { SHM_SHARED_PLACES = 2 }; // /dev/shm and a hugetlbfs mount

// <folder> is the runtime directory's path as one name and the identity of this weir:
// "run-weir.0123456789abcdef" for /run/weir (shm_internal.h). With two users each has folders of
// its own, since the owner of a folder may delete what others put there: "run-weir.dp.<identity>"
// and "run-weir.cp.<identity>".
enum shm_side { SHM_ANY_SIDE = 0, SHM_DATAPLANE, SHM_CONTROLPLANE };
struct shm_paths {
	char run[SHM_PATH_MAX]; // runtime directory, e.g. /run/weir
	char own[SHM_PATH_MAX]; // where no process but this one makes files: run, or of the
				// control plane of two users its folder there
	char mem[SHM_PATH_MAX]; // own small regions: `own` if it is a tmpfs, else /dev/shm/<folder>
	char other[SHM_PATH_MAX]; // the other side's; `mem` unless there are two users. With
				  // SHM_ANY_SIDE `mem` is the data plane's
	char huge[SHM_PATH_MAX];  // <hugetlbfs mount>/<folder>, or "" when there is none; only the
				  // control plane makes regions there
	uint64_t instance;        // identity of this weir, in the header of each region; never 0
	int hold[SHM_SHARED_PLACES]; // locks on own folders, or -1. Copies do not own them
	enum shm_side side;
	bool two_users;
	gid_t group; // group of `run`
};

// Is it a runtime directory that was made for two users?
bool shm_dir_has_two_users(const struct stat *st);
// Which process makes the region of this name?
enum shm_side shm_maker(const char *name);

// Fills in the paths, creates the directories (0750) and the identity, and holds the folders until
// shm_paths_close. `huge`: "auto" finds a hugetlbfs mount with 2 MiB pages, "off" uses none, else a
// directory on one, in which <folder> is made. Removes folders that dead weirs left beside this
// one's. Refuses directories that everyone may write, or (except for run) that another user owns.
// -errno with `why`.
ATTR_MUST_CHECK int shm_paths_init_for(struct shm_paths *paths, enum shm_side side,
	const char *run_dir, const char *huge, char why[SHM_WHY_MAX]);
// For one user only: the same for a process that makes regions of both sides.
ATTR_MUST_CHECK static inline int shm_paths_init(
	struct shm_paths *paths, const char *run_dir, const char *huge, char why[SHM_WHY_MAX])
{
	return shm_paths_init_for(paths, SHM_ANY_SIDE, run_dir, huge, why);
}
// A number of the place in which `huge` lies, the same in two processes if both see the same one.
// SHM_HUGE_NONE: this one sees none, or may not enter the folder. Never 0.
#define SHM_HUGE_NONE UINT64_MAX
uint64_t shm_huge_place(const struct shm_paths *paths);
void shm_paths_close(struct shm_paths *paths); // harmless on one that is all zero
// The same without creating or holding anything, for readers such as weirctl. -ENOENT: no weir has
// started on this directory.
ATTR_MUST_CHECK int shm_paths_find(
	struct shm_paths *paths, const char *run_dir, const char *huge, char why[SHM_WHY_MAX]);
// Closes, and removes all regions, the shared folders and the identity; only `run` itself stays. No
// other process may still use them.
void shm_paths_remove(struct shm_paths *paths);

struct region {
	uint8_t *base; // NULL: not mapped
	size_t size;
	enum shm_where where;
	ino_t inode; // the file's, which may have another of that name in its place by now
};

// The initial data of a region. It is written before the file is mapped, at half the cost of
// writing to mapped pages.
struct region_fill {
	size_t len;       // 0: nothing, and the pages are mapped at once
	const void *from; // NULL: the file
	int fd;           // read from its start
	bool give_back;   // free the source pages as they are copied; whole, private pages
};

struct region_spec {
	const char *name; // file name, no '/', must not contain "map_" (any DPDK start unlinks such
			  // files)
	enum region_kind kind;
	uint64_t generation, incarnation;
	uint32_t index;
	size_t data_size; // bytes behind the first page; rounded up to whole (huge) pages
	uint64_t geometry[SHM_GEOMETRY_WORDS];
	bool want_huge; // use hugetlbfs if there is one with enough free pages
	bool need_huge; // fail where that cannot be
	struct region_fill fill;
};

// Unlinks an existing file of that name first (processes that have it mapped keep it). The data is
// zero except for `fill`. Not visible to others until region_publish. -errno with `why`.
ATTR_MUST_CHECK int region_create(const struct shm_paths *paths, const struct region_spec *spec,
	struct region *out, char why[SHM_WHY_MAX]);
void region_publish(struct region *r); // computes the header sum, stores the magic with release

// Maps an existing region once magic, ABI version, sum, instance, kind and size of its header are
// right, and none of its pages is missing. The file must be a regular one that the right user made
// (above). -ENOENT, -EPROTO (no region, other ABI, another weir's, damaged, too large, still being
// made) or another -errno, with `why`.
ATTR_MUST_CHECK int region_attach(const struct shm_paths *paths, enum shm_where where,
	const char *name, enum region_kind kind, bool writable, struct region *out,
	char why[SHM_WHY_MAX]);

// Attaches to read, page by page as they are used: for a thread that must not wait while all pages
// of a large region are mapped (6.5 ms for 32 MiB).
ATTR_MUST_CHECK int region_attach_lazily(const struct shm_paths *paths, enum shm_where where,
	const char *name, enum region_kind kind, struct region *out, char why[SHM_WHY_MAX]);

// Attaches a private copy that no other process can change, truncate or remove: for data that is
// small, or that would mean something else as zeros. -EFBIG beyond REGION_LOAD_MAX bytes.
enum { REGION_LOAD_MAX = 64 << 20 };
ATTR_MUST_CHECK int region_load(const struct shm_paths *paths, enum shm_where where,
	const char *name, enum region_kind kind, struct region *out, char why[SHM_WHY_MAX]);

// A place for a small region of the other side that may not be there yet: zeros, read-only. Readers
// keep their pointers when region_attach_over puts the region there, in one step for all threads.
// `size`: of header and data; the place has whole pages, as the file.
ATTR_MUST_CHECK int region_place(size_t size, struct region *out, char why[SHM_WHY_MAX]);
// The present file of that name in place of what `at` shows; 0: `at` shows that file already; 1: it
// does now. -EAGAIN: the file has another geometry than this (NULL: any will do). After an error
// (or one of region_attach) `at` stays; or it shows zeros again, with inode 0, if the kernel took
// the former file out and then had no memory (region_lost_end if it has none for zeros either).
ATTR_MUST_CHECK int region_attach_over(const struct shm_paths *paths, const char *name,
	enum region_kind kind, const uint64_t geometry[SHM_GEOMETRY_WORDS], struct region *at,
	char why[SHM_WHY_MAX]);

// Is the file shorter than its mapping? False too when the file is gone: then only this process
// needs it.
bool region_is_cut(const struct shm_paths *paths, const struct region *r, const char *name);

void region_unmap(struct region *r); // safe on an unmapped one
int region_unlink(const struct shm_paths *paths, enum shm_where where, const char *name);

static inline const struct region_header *region_header_of(const struct region *r)
{
	return (const struct region_header *)(const void *)r->base;
}
static inline void *region_data(const struct region *r)
{
	return r->base + SHM_PAGE;
}
static inline size_t region_data_size(const struct region *r)
{
	return r->size - SHM_PAGE;
}

// "l0", "rule_image"; "other" of REGION_NONE.
extern const char *const region_kind_names[REGION_KINDS];

// "l0.7", "rings.0" (of the first resolver), "rings.0.1", "answers.0.1", "marks.0.7": file names,
// in one place for both processes.
enum { SHM_NAME_MAX = 48 };
#define SHM_NAME_LOG_HAND "log.in-hand" // no region: a file of the control plane's beside them
void shm_name_generation(char out[SHM_NAME_MAX], const char *stem, uint64_t generation);
void shm_name_rings(char out[SHM_NAME_MAX], unsigned worker, unsigned resolver);
void shm_name_answers(char out[SHM_NAME_MAX], unsigned worker, unsigned resolver);
void shm_name_marks(char out[SHM_NAME_MAX], unsigned worker, uint64_t l0_generation);

// Open-file-description locks: each process holds one on a file of its own for its whole life, so
// the other can see at once whether it lives, without its pid. The file is 0600, or 0640 where two
// users share the folder: the other one may then hold a read lock, and a starting owner that finds
// one makes another file.
ATTR_MUST_CHECK int process_lock(const char *path); // fd to keep; -EAGAIN: another process holds it
// What such an error means, with the command that helps where the file is another user's. `path` is
// absolute. Returns rc.
int process_lock_fail(const char *path, int rc, char why[SHM_WHY_MAX]);
// 1 held, 0 free, -ENOENT or another -errno: unknown, as a deleted file may still be held.
int process_lock_probe(const char *path);
// For the holder, once in a while. 0: unchanged; 1: the file was deleted or replaced, and *fd is
// the lock on the present one; -EAGAIN: another process holds that one; or -errno.
ATTR_MUST_CHECK int process_lock_keep(const char *path, int *fd);
// For each process once a second: restores its lock file `name` in the runtime directory, the
// identity and the locks of shared folders, when they were deleted. Ends with REGION_LOST_STATUS
// when another process has taken this one's place meanwhile; not because of the identity alone
// where two users share the directory.
void shm_keep(const struct shm_paths *paths, const char *name, int *fd);

uint64_t incarnation_new(void); // random, never 0
