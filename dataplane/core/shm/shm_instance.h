// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The identity of one weir: a random number in `<runtime directory>/instance`, made by the process
// that starts first and kept over restarts. The name of every shared folder and the header of every
// region carry it, so that two weirs that see one hugetlbfs mount never use each other's files.
//
// The file also holds its own device and inode number. A copy of the directory (an image of a
// container, a backup) therefore gets an identity of its own.
//
// Only for start-up: reads and writes a file, and waits up to INSTANCE_WAIT_MS for the lock.

#include <stdint.h>
#include <weir/shm_region.h>

enum { INSTANCE_WAIT_MS = 5000 };

// Reads the identity. `create`: makes one where there is none or where it is a copy. -ENOENT: none;
// -EPROTO: damaged, or a copy; -EAGAIN: another process holds the lock for too long.
ATTR_MUST_CHECK int shm_instance_get(
	const char *run, bool create, uint64_t *out, char why[SHM_WHY_MAX]);
// Restores the file of a weir that runs. 0: it was there; 1: restored; -ESTALE: there is another
// identity; -EAGAIN: another process holds the lock; or -errno. Does not wait.
ATTR_MUST_CHECK int shm_instance_keep(const char *run, uint64_t id, char why[SHM_WHY_MAX]);
