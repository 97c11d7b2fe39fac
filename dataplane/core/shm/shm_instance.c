// SPDX-License-Identifier: BSD-3-Clause

#include "shm_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/own_file.h>

// Identity, device and inode number of the file, in 16 hexadecimal digits each.
enum { NUMBER = 16, TEXT = 3 * (NUMBER + 1), LOCK_PAUSE_MS = 10 };

static void path_of(char out[SHM_PATH_MAX + 32], const char *run, const char *name)
{
	snprintf(out, SHM_PATH_MAX + 32, "%s/%s", run, name);
}

static bool number_parse(const char *text, char end, uint64_t *out)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < NUMBER; i++) {
		char c = text[i];
		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*out = value;
	return text[NUMBER] == end;
}

static bool owner_is_trusted(const char *run, uid_t owner)
{
	struct stat st;
	return owner == geteuid() || owner == 0
	       || (stat(run, &st) == 0 && (owner == st.st_uid || shm_dir_has_two_users(&st)));
}

// Where there are two users the runtime directory keeps out all but the two of them. `name`: below
// `run`.
static int file_read(
	const char *run, const char *name, uint64_t *out, uid_t *owner, char why[SHM_WHY_MAX])
{
	char path[SHM_PATH_MAX + 32], text[TEXT + 1];
	path_of(path, run, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return shm_fail(why, errno, "%s: %s", path, strerror(errno));
	struct stat st;
	bool is_ours =
		fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && owner_is_trusted(run, st.st_uid);
	ssize_t len = is_ours ? read(fd, text, sizeof(text)) : 0;
	close(fd);
	uint64_t id = 0, device = 0, inode = 0;
	if (len != TEXT || !number_parse(text, ' ', &id)
		|| !number_parse(text + NUMBER + 1, ' ', &device)
		|| !number_parse(text + 2 * (NUMBER + 1), '\n', &inode) || id == 0)
		return shm_fail(why, EPROTO, "%s: not the identity of a weir", path);
	if (device != st.st_dev || inode != st.st_ino)
		return shm_fail(why, EPROTO, "%s: a copy of another weir's identity", path);
	*out = id;
	*owner = st.st_uid;
	return 0;
}

// Reads the control plane's file first, which the other of two users cannot have made.
static int either_read(const char *run, uint64_t *out, uid_t *owner, char why[SHM_WHY_MAX])
{
	int rc = file_read(run, SHM_CONTROL "/instance", out, owner, why);
	return rc == 0 ? 0 : file_read(run, "instance", out, owner, why);
}

static bool is_apart(const char *run, const char *own)
{
	return strcmp(run, own) != 0;
}

// What the process with this folder of its own has to find, or else makes.
static int own_read(
	const char *run, const char *own, uint64_t *out, uid_t *owner, char why[SHM_WHY_MAX])
{
	return is_apart(run, own) ? file_read(own, "instance", out, owner, why)
				  : either_read(run, out, owner, why);
}

// Written beside it and renamed: the file is complete or does not exist.
static int file_make(const char *own, uint64_t id, char why[SHM_WHY_MAX])
{
	char path[SHM_PATH_MAX + 32], made[SHM_PATH_MAX + 48], text[TEXT + 1];
	path_of(path, own, "instance");
	// Each user has a file: where there are two users, neither can remove what the other left
	// behind.
	snprintf(made, sizeof(made), "%s/instance.new.%u", own, geteuid());
	int fd = own_file_make(made, 0644);
	if (fd < 0)
		return shm_fail(why, -fd, "%s: %s", made, strerror(-fd));
	struct stat st;
	int err = fchmod(fd, 0644) < 0 || fstat(fd, &st) < 0 ? errno : 0;
	if (!err) {
		snprintf(text, sizeof(text), "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 "\n", id,
			(uint64_t)st.st_dev, (uint64_t)st.st_ino);
		err = write(fd, text, TEXT) != TEXT ? ENOSPC : 0;
	}
	close(fd);
	if (!err && rename(made, path) < 0)
		err = errno;
	if (err) {
		(void)unlink(made);
		return shm_fail(why, err, "%s: %s", path, strerror(err));
	}
	return 0;
}

// flock(2) on the directory itself, which needs no right to write: -EAGAIN: another process has it.
static int lock_take(const char *run)
{
	int fd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	int err = errno;
	close(fd);
	return -err;
}

static int lock_wait(const char *run, char why[SHM_WHY_MAX])
{
	uint64_t end_ms = clock_mono_ms() + INSTANCE_WAIT_MS;
	for (;;) {
		int fd = lock_take(run);
		if (fd != -EAGAIN || clock_mono_ms() >= end_ms)
			return fd < 0 ? shm_fail(why, -fd, "%s: lock: %s", run, strerror(-fd)) : fd;
		nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_MS * 1000000L}, NULL);
	}
}

// Needs the lock on the runtime directory. The data plane may have started first: its identity is
// that of its regions.
static int instance_make(const char *run, const char *own, uint64_t *out, char why[SHM_WHY_MAX])
{
	uid_t owner;
	int rc = own_read(run, own, out, &owner, why);
	if (rc == 0)
		return 0;
	if (is_apart(run, own))
		rc = file_read(run, "instance", out, &owner, why);
	if (rc == -EPROTO)
		log_warning("identity refused: %s; creating a new one; the cache starts cold", why);
	if (rc < 0)
		*out = incarnation_new();
	return file_make(own, *out, why);
}

int shm_instance_get(const char *run, const char *own, uint64_t *out, char why[SHM_WHY_MAX])
{
	uid_t owner;
	// The file is complete or not there, so that a process that only reads it needs no lock.
	int rc = own ? own_read(run, own, out, &owner, why) : either_read(run, out, &owner, why);
	if (rc == 0 || !own)
		return rc;
	int lock = lock_wait(run, why);
	// The other of two users can hold it for ever, and keeps nobody from starting.
	if (lock < 0 && !is_apart(run, own))
		return lock;
	if (lock < 0)
		log_warning("identity: %s; going on without the lock", why);
	rc = instance_make(run, own, out, why);
	if (lock >= 0)
		close(lock);
	return rc;
}

static int same_as(uint64_t there, uint64_t id, uid_t owner)
{
	return there == id ? 0 : owner == 0 || owner == geteuid() ? -ESTALE : -EPERM;
}

int shm_instance_keep(const char *run, const char *own, uint64_t id, char why[SHM_WHY_MAX])
{
	uint64_t there = 0;
	uid_t owner = 0;
	if (own_read(run, own, &there, &owner, why) == 0)
		return same_as(there, id, owner);
	// A process that starts just now may be making another one.
	int lock = lock_take(run);
	if (lock < 0)
		return shm_fail(why, -lock, "%s: lock: %s", run, strerror(-lock));
	int rc = own_read(run, own, &there, &owner, why);
	if (rc == 0)
		rc = same_as(there, id, owner);
	else if ((rc = file_make(own, id, why)) == 0)
		rc = 1;
	else if (rc == -EPERM)
		rc = -EACCES;
	close(lock);
	return rc;
}
