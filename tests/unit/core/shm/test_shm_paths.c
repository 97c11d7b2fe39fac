// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/core/shm/shm_internal.h"
#include "tests/unit/unit.h"

#include <sys/file.h>
#include <sys/wait.h>
#include <weir/shm_lost.h>
#include <weir/shm_region.h>

static char why[SHM_WHY_MAX];

static mode_t mode_of(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void disk_run(char run[64], unsigned number)
{
	snprintf(run, 64, "/var/tmp/weir-test-paths-%d-%u", (int)getpid(), number);
}

static void paths_gone(struct shm_paths *p, const char *run)
{
	shm_paths_remove(p);
	assert_int_equal(rmdir(run), 0);
}

static void skip_without_disk(struct shm_paths *p)
{
	if (strcmp(p->mem, p->run) != 0)
		return;
	shm_paths_remove(p);
	rmdir(p->run);
	skip(); // a machine whose /var/tmp is a tmpfs
}

// A directory on a tmpfs is itself the place for regions; find makes nothing, init makes 0750.
TEST(test_run_on_tmpfs)
{
	char run[64];
	struct shm_paths p = {.run = "untouched"};
	snprintf(run, sizeof(run), "/dev/shm/weir-test-paths-%d", (int)getpid());
	const char *slashes = text_from("%s///", run);
	assert_int_equal(shm_paths_find(&p, run, "off", why), -ENOENT);
	assert_non_null(strstr(why, run));
	assert_string_equal(p.run, "untouched");
	mode_t old = umask(0077);
	assert_int_equal(shm_paths_init(&p, slashes, "off", why), 0);
	umask(old);
	assert_string_equal(p.run, run);
	assert_string_equal(p.mem, run);
	assert_string_equal(p.huge, "");
	assert_int_equal(mode_of(run), 0750);
	// Twice is fine, and a mode that the administrator chose stays.
	assert_int_equal(chmod(run, 0710), 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	assert_int_equal(mode_of(run), 0710);
	assert_int_equal(shm_paths_find(&p, run, "off", why), 0);
	paths_gone(&p, run);
}

TEST(test_run_on_disk)
{
	char run[64];
	struct shm_paths p, found;
	disk_run(run, 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	skip_without_disk(&p);
	const char *mem = text_from("/dev/shm/var-tmp-weir-test-paths-%d-0.%016llx", (int)getpid(),
		(unsigned long long)p.instance);
	assert_string_equal(p.mem, mem);
	assert_int_equal(mode_of(mem), 0750);
	assert_int_equal(shm_paths_find(&found, run, "off", why), 0);
	assert_string_equal(found.mem, mem);
	assert_int_equal(found.instance, p.instance);
	shm_folder_remove(mem, true);
	assert_int_equal(shm_paths_find(&found, run, "off", why), -ENOENT);
	assert_non_null(strstr(why, mem));
	paths_gone(&p, run);
}

static void file_of(char path[2 * SHM_PATH_MAX], const char *run, const char *name)
{
	snprintf(path, 2 * SHM_PATH_MAX, "%s/%s", run, name);
}

// Kept over restarts; one that was copied or damaged is nobody's.
TEST(test_identity)
{
	char run[2][64], file[2][2 * SHM_PATH_MAX];
	struct shm_paths p[2], again;
	for (unsigned i = 0; i < 2; i++) {
		disk_run(run[i], i);
		file_of(file[i], run[i], "instance");
		assert_int_equal(shm_paths_find(&p[i], run[i], "off", why), -ENOENT);
		assert_int_equal(shm_paths_init(&p[i], run[i], "off", why), 0);
		assert_int_not_equal(p[i].instance, 0);
		assert_int_equal(mode_of(file[i]), 0644);
	}
	assert_int_not_equal(p[0].instance, p[1].instance);
	assert_int_equal(shm_paths_init(&again, run[0], "off", why), 0);
	assert_int_equal(again.instance, p[0].instance);
	shm_paths_close(&again);

	const char *command = text_from("cp '%s' '%s'", file[0], file[1]);
	assert_int_equal(system(command), 0);
	assert_int_equal(shm_paths_find(&again, run[1], "off", why), -EPROTO);
	assert_non_null(strstr(why, "a copy"));
	assert_int_equal(shm_paths_init(&again, run[1], "off", why), 0);
	assert_int_not_equal(again.instance, p[0].instance);
	assert_int_not_equal(again.instance, p[1].instance);
	shm_paths_remove(&again);
	const char *const damage[] = {"", "x", "0000000000000000", "no"};
	for (unsigned i = 0; i < ARRAY_LEN(damage); i++) {
		command = text_from("echo '%s' >'%s'", damage[i], file[0]);
		assert_int_equal(system(command), 0);
		assert_int_equal(shm_paths_find(&again, run[0], "off", why), -EPROTO);
		assert_non_null(strstr(why, "not the identity"));
	}
	for (unsigned i = 0; i < 2; i++) {
		shm_paths_remove(&p[i]);
		assert_int_equal(rmdir(run[i]), 0);
	}
}

// A folder stays while a process holds it, or while its runtime directory may come back to it.
TEST(test_folders_of_others)
{
	char run[3][64], file[2 * SHM_PATH_MAX];
	struct shm_paths p[3], again;
	for (unsigned i = 0; i < 3; i++) {
		disk_run(run[i], i);
		assert_int_equal(shm_paths_init(&p[i], run[i], "off", why), 0);
		skip_without_disk(&p[i]);
	}
	// 0 is gone with its runtime directory, 1 is only stopped, 2 runs without a directory.
	shm_paths_close(&p[0]);
	shm_paths_close(&p[1]);
	for (unsigned i = 0; i < 3; i += 2) {
		file_of(file, run[i], "instance");
		assert_int_equal(unlink(file), 0);
	}
	// The last two are former names of the regions of rule images and worker rings.
	static const char *const made[] = {"l0.7", "log.in-hand", "names.3", "lane.0"};
	for (unsigned i = 0; i < ARRAY_LEN(made); i++) {
		file_of(file, p[0].mem, made[i]);
		assert_int_equal(close(creat(file, 0600)), 0);
	}
	assert_int_equal(shm_paths_init(&again, run[1], "off", why), 0);
	assert_int_equal(again.instance, p[1].instance);
	assert_int_equal(access(p[0].mem, F_OK), -1);
	assert_int_equal(access(p[1].mem, F_OK), 0);
	assert_int_equal(access(p[2].mem, F_OK), 0);
	shm_paths_close(&again);
	// What no weir made is nobody's to remove, nor is the folder around it.
	shm_paths_close(&p[2]);
	file_of(file, p[2].mem, "notes");
	assert_int_equal(close(creat(file, 0600)), 0);
	assert_int_equal(shm_paths_init(&again, run[1], "off", why), 0);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(shm_paths_init(&again, run[1], "off", why), 0);
	assert_int_equal(access(p[2].mem, F_OK), -1);
	for (unsigned i = 0; i < 3; i++)
		shm_paths_remove(&p[i]);
	shm_paths_remove(&again);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(rmdir(run[i]), 0);
}

static bool is_held(const char *folder)
{
	char file[2 * SHM_PATH_MAX];
	file_of(file, folder, "lock");
	return process_lock_probe(file) == 1;
}

// A process that deletes the lock of a folder in use does not free it for the next weir's sweep.
TEST(test_folder_lock_deleted)
{
	char run[64], file[2 * SHM_PATH_MAX];
	struct shm_paths p;
	disk_run(run, 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	skip_without_disk(&p);
	int hold = p.hold[0];
	file_of(file, p.run, "test.lock");
	int own = process_lock(file);
	assert_true(own >= 0);
	assert_true(is_held(p.mem));
	static const char *const gone[] = {"lock", "run"};
	for (unsigned i = 0; i < ARRAY_LEN(gone); i++) {
		file_of(file, p.mem, gone[i]);
		assert_int_equal(unlink(file), 0);
	}
	shm_keep(&p, "test.lock", &own);
	assert_true(is_held(p.mem));
	assert_int_equal(p.hold[0], hold); // also in copies of the paths
	file_of(file, p.mem, "run");
	assert_int_equal(access(file, F_OK), 0);
	close(own);
	shm_paths_close(&p);
	assert_false(is_held(p.mem));
	file_of(file, p.run, "test.lock");
	unlink(file);
	paths_gone(&p, run);
}

// A process that starts may be making another identity just then.
TEST(test_identity_restored_under_the_lock)
{
	char run[64], file[2 * SHM_PATH_MAX];
	struct shm_paths p;
	disk_run(run, 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	file_of(file, run, "instance");
	assert_int_equal(unlink(file), 0);
	int maker = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(maker, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(shm_instance_keep(run, run, p.instance, why), -EAGAIN);
	assert_int_equal(access(file, F_OK), -1);
	close(maker);
	assert_int_equal(shm_instance_keep(run, run, p.instance, why), 1);
	assert_int_equal(shm_instance_keep(run, run, p.instance, why), 0);
	paths_gone(&p, run);
}

// How a process ends that looks once after its files: 0, it goes on.
static int keep_status(const struct shm_paths *p, int lock)
{
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		shm_keep(p, "test.lock", &lock);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

// One of two users cannot end the other one by a file that it made.
TEST(test_identity_replaced)
{
	char run[64], file[2 * SHM_PATH_MAX], lock[2 * SHM_PATH_MAX];
	struct shm_paths p;
	uint64_t other = 0;
	disk_run(run, 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	file_of(file, run, "instance");
	file_of(lock, run, "test.lock");
	int fd = process_lock(lock);
	assert_true(fd >= 0);
	assert_int_equal(keep_status(&p, fd), 0);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(shm_instance_get(run, run, &other, why), 0);
	assert_int_not_equal(other, p.instance);
	assert_int_equal(keep_status(&p, fd), REGION_LOST_STATUS);
	p.two_users = true;
	assert_int_equal(chmod(run, 03771), 0);
	assert_int_equal(keep_status(&p, fd), REGION_LOST_STATUS); // lost, and no other user's
	if (geteuid() == 0) {
		assert_int_equal(chown(file, 1, 1), 0);
		assert_int_equal(keep_status(&p, fd), 0);
	}
	assert_int_equal(shm_instance_keep(run, run, other, why), 0); // nor is it overwritten
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(keep_status(&p, fd), REGION_LOST_STATUS);
	close(fd);
	assert_int_equal(unlink(lock), 0);
	paths_gone(&p, run);
}

static void folder_with(const char *folder, const char *const *names)
{
	char file[2 * SHM_PATH_MAX];
	assert_int_equal(mkdir(folder, 0750), 0);
	for (; *names; names++) {
		file_of(file, folder, *names);
		assert_int_equal(close(creat(file, 0600)), 0);
	}
}

// Folders without an identity, as versions before identities made them, go once their weir is gone.
TEST(test_folder_without_identity)
{
	static const char *const made[] = {"directory", "l0.7", "stats", NULL};
	char run[64], file[2 * SHM_PATH_MAX];
	struct shm_paths p, again;
	disk_run(run, 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	skip_without_disk(&p);
	const char *old = text_from("/dev/shm/var-tmp-weir-test-paths-%d-0", (int)getpid());
	folder_with(old, made);
	file_of(file, run, "dataplane.lock");
	int running = process_lock(file);
	assert_true(running >= 0);
	assert_int_equal(shm_paths_init(&again, run, "off", why), 0);
	shm_paths_close(&again);
	assert_int_equal(access(old, F_OK), 0);
	close(running);
	assert_int_equal(shm_paths_init(&again, run, "off", why), 0);
	shm_paths_close(&again);
	assert_int_equal(access(old, F_OK), -1);
	// What is not weir's stays, and a link is no folder.
	folder_with(old, (const char *const[]){"notes", NULL});
	assert_int_equal(shm_paths_init(&again, run, "off", why), 0);
	shm_paths_close(&again);
	assert_int_equal(access(old, F_OK), 0);
	snprintf(file, sizeof(file), "%s.moved", old);
	assert_int_equal(rename(old, file), 0);
	assert_int_equal(symlink(p.mem, old), 0);
	assert_int_equal(shm_paths_init(&again, run, "off", why), 0);
	shm_paths_close(&again);
	assert_true(is_held(p.mem));
	assert_int_equal(unlink(old), 0);
	assert_int_equal(rename(file, old), 0);
	file_of(file, old, "notes");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(old), 0);
	file_of(file, run, "dataplane.lock");
	assert_int_equal(unlink(file), 0);
	paths_gone(&p, run);
}

static bool is_left(const char *run, const char *old)
{
	struct shm_paths p;
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	shm_paths_close(&p);
	return access(old, F_OK) == 0;
}

// /a/b and /a-b had one name, so the folder may be that of a weir that runs in the other one.
TEST(test_folder_of_either_directory)
{
	char run[64], file[2 * SHM_PATH_MAX];
	struct shm_paths p;
	disk_run(run, 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	skip_without_disk(&p);
	const char *up = text_from("/var/tmp/weir-test-paths-%d", (int)getpid());
	const char *other = text_from("%s/0", up);
	const char *old = text_from("/dev/shm/var-tmp-weir-test-paths-%d-0", (int)getpid());
	assert_int_equal(mkdir(up, 0700), 0);
	assert_int_equal(mkdir(other, 0700), 0);
	folder_with(old, (const char *const[]){"directory", NULL});
	file_of(file, other, "controlplane.lock");
	int running = process_lock(file);
	assert_true(running >= 0);
	assert_true(is_left(run, old));
	close(running);
	assert_false(is_left(run, old));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(other), 0);
	assert_int_equal(rmdir(up), 0);
	paths_gone(&p, run);
}

// Too many directories had that name to look at each: it is left alone.
TEST(test_folder_of_too_many_directories)
{
	char file[2 * SHM_PATH_MAX];
	struct shm_paths p;
	const char *run = text_from("/var/tmp/w-e-i-r-t-e-s-t-s-%d", (int)getpid());
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	skip_without_disk(&p);
	const char *old = text_from("/dev/shm/var-tmp-w-e-i-r-t-e-s-t-s-%d", (int)getpid());
	folder_with(old, (const char *const[]){"directory", NULL});
	assert_true(is_left(run, old));
	file_of(file, old, "directory");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(rmdir(old), 0);
	paths_gone(&p, run);
}

// Anyone may make folders in /dev/shm, with any name: only ours are swept.
TEST(test_folders_of_strangers)
{
	if (geteuid() != 0)
		skip();
	static const char *const made[] = {"l0.7", "lock", NULL};
	char run[64], file[2 * SHM_PATH_MAX];
	struct shm_paths p;
	disk_run(run, 0);
	const char *strange = text_from("/dev/shm/weir\n-%d.0123456789abcdef", (int)getpid());
	folder_with(strange, made);
	assert_int_equal(chown(strange, 65534, 65534), 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	skip_without_disk(&p);
	file_of(file, strange, "l0.7");
	assert_int_equal(access(file, F_OK), 0);
	shm_paths_remove(&p);
	assert_int_equal(chown(strange, 0, 0), 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	assert_int_equal(access(strange, F_OK), -1);
	paths_gone(&p, run);
}

TEST(test_refusals)
{
	char longer[SHM_PATH_MAX + 2];
	struct shm_paths p;
	const char *run = text_from("/dev/shm/weir-test-paths-%d", (int)getpid());
	const char *below = text_from("%s/no/such", run);
	memset(longer, 'x', sizeof(longer));
	longer[0] = '/';
	longer[sizeof(longer) - 1] = 0;
	const char *not_absolute[] = {"", "/", "///", "run/weir"};
	for (unsigned i = 0; i < ARRAY_LEN(not_absolute); i++)
		assert_int_equal(shm_paths_init(&p, not_absolute[i], "off", why), -EINVAL);
	assert_int_equal(shm_paths_init(&p, longer, "off", why), -ENAMETOOLONG);
	assert_int_equal(shm_paths_init(&p, below, "off", why), -ENOENT);
	assert_int_equal(symlink("/tmp", run), 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), -ENOTDIR);
	assert_int_equal(unlink(run), 0);
	assert_int_equal(mkdir(run, 0700), 0);
	assert_int_equal(shm_paths_init(&p, run, "/dev/shm", why), -EINVAL);
	assert_non_null(strstr(why, "hugetlbfs"));
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	shm_paths_remove(&p);
	assert_int_equal(chmod(run, 0777), 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), -EPERM);
	assert_int_equal(rmdir(run), 0);
}

// The directory in /dev/shm, where everyone may make one, must not be a stranger's.
TEST(test_planted_mem_dir)
{
	if (geteuid() != 0)
		skip();
	char run[64];
	struct shm_paths p, again;
	disk_run(run, 0);
	assert_int_equal(shm_paths_init(&p, run, "off", why), 0);
	skip_without_disk(&p);
	assert_int_equal(chown(p.mem, 65534, 65534), 0);
	assert_int_equal(shm_paths_init(&again, run, "off", why), -EPERM);
	assert_non_null(strstr(why, "uid 65534"));
	paths_gone(&p, run);
}

TEST(test_names)
{
	char name[SHM_NAME_MAX];
	shm_name_generation(name, "l0", 7);
	assert_string_equal(name, "l0.7");
	shm_name_generation(name, "rule_image", UINT64_MAX);
	assert_string_equal(name, "rule_image.18446744073709551615");
	shm_name_rings(name, 63, 0);
	assert_string_equal(name, "rings.63");
	shm_name_rings(name, 63, 7);
	assert_string_equal(name, "rings.63.7");
	shm_name_marks(name, 0, 7);
	assert_string_equal(name, "marks.0.7");
}
