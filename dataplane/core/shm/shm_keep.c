// SPDX-License-Identifier: BSD-3-Clause

#include "shm_internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <weir/log.h>
#include <weir/shm_lost.h>

_Noreturn static void place_lost(const char *path)
{
	log_error(
		"%s: replaced by another process; ending with status %d", path, REGION_LOST_STATUS);
	log_out_stop(); // _exit leaves what waits unwritten
	_exit(REGION_LOST_STATUS);
}

static void restored_tell(const char *path)
{
	log_warning("%s: deleted while in use; created again", path);
}

// The other of two users may have made the file, and may then replace it at any time. That ends
// nobody: a second weir on this directory takes the lock too, which is our own user's.
static void identity_keep(const struct shm_paths *paths, bool lock_lost)
{
	static _Atomic bool is_told;
	char path[SHM_PATH_MAX + 32], why[SHM_WHY_MAX];
	snprintf(path, sizeof(path), "%s/instance", paths->own);
	int rc = shm_instance_keep(paths->run, paths->own, paths->instance, why);
	const bool is_other = rc == -ESTALE || rc == -EPERM;
	if (rc == -ESTALE || (is_other && (lock_lost || !paths->two_users)))
		place_lost(path);
	if (!atomic_exchange(&is_told, is_other) && is_other)
		log_error("%s: another identity has replaced the one in use; this process goes "
			  "on, but one that starts now does not find its regions: restart it",
			path);
	if (rc == 1)
		restored_tell(path);
}

// Any other error leaves all as it is: the lock is held, and the next second tries again.
void shm_keep(const struct shm_paths *paths, const char *name, int *fd)
{
	char path[SHM_PATH_MAX + 32];
	snprintf(path, sizeof(path), "%s/%s", paths->run, name);
	int rc = process_lock_keep(path, fd);
	if (rc == -EAGAIN)
		place_lost(path);
	if (rc == 1)
		restored_tell(path);
	identity_keep(paths, rc == 1);
	const char *const folder[SHM_SHARED_PLACES] = {paths->mem, paths->huge};
	for (unsigned i = 0; i < SHM_SHARED_PLACES; i++) {
		snprintf(path, sizeof(path), "%s/lock", folder[i]);
		if (paths->hold[i] >= 0
			&& shm_folder_keep(folder[i], paths->run, paths->hold[i]) == 1)
			restored_tell(path);
	}
}
