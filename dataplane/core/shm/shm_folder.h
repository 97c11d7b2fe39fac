// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Folders for regions in places that several weirs may share: a hugetlbfs mount, /dev/shm. Each is
// named `<flat>.<identity>`. In it lie the regions, `lock`, on which every process of that weir
// holds a read lock for its life, and `run`, a link that names the runtime directory.
//
// A folder is another weir's if its identity differs. It is removed when nobody holds its lock and
// no runtime directory of that identity can be seen; otherwise it stays. Only folders of this
// process's user are removed, and none that everyone may write.
//
// All but shm_folder_keep are only for start-up and for the end of a self-test.

#include <weir/shm_region.h>

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
// Removes the regions in `folder`; with `whole` also what else a weir makes there, and the folder.
void shm_folder_remove(const char *folder, bool whole);
