// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Folders for regions in places that several weirs may share: a hugetlbfs mount, /dev/shm. Each is
// named `<flat>.<identity>`. In it lie the regions, `lock`, on which every process of that weir
// holds a read lock for its life, and `run`, a link that names the runtime directory.
//
// A folder is another weir's if its identity is not ours. Such a folder is removed when nobody
// holds its lock and no runtime directory of that identity is to be seen; else it is left alone.
//
// Only for start-up and for the end of a self-test.

#include <weir/shm_region.h>

enum { FOLDER_SWEEP_MAX = 256, FOLDER_TRIES = 100 };

// Takes the lock of a folder of ours. The descriptor to keep, or -errno; -ENOENT: the folder was
// removed meanwhile, so make it again.
ATTR_MUST_CHECK int shm_folder_hold(const char *folder, const char *run, char why[SHM_WHY_MAX]);
// Removes the folders of dead weirs other than `own` below `root`, FOLDER_SWEEP_MAX at most.
void shm_folders_sweep(const char *root, uint64_t own);
// Removes the regions in `folder`; with `whole` also what else a weir makes there, and the folder.
void shm_folder_remove(const char *folder, bool whole);
