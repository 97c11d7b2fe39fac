// SPDX-License-Identifier: BSD-3-Clause

// A region cut off while it is mapped: its maker ends with its own status, the other side reads
// zeros and goes on, any other SIGBUS kills as ever. Each in a child of its own.

#include "controlplane/app/app_privilege_calls.h"
#include "dataplane/privilege_calls.h"
#include "tests/unit/unit.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <weir/os/caps.h>
#include <weir/shm_lost.h>
#include <weir/shm_region.h>

static char dir[64];
static char why[SHM_WHY_MAX];
static struct shm_paths paths;
static struct region region;

static int make(const char *name, struct region *out)
{
	const struct region_spec spec = {.name = name,
		.kind = REGION_L0,
		.generation = 1,
		.incarnation = 7,
		.data_size = 4 * SHM_PAGE};
	int rc = region_create(&paths, &spec, out, why);
	if (rc == 0) {
		memset(region_data(out), 0xaa, 4 * SHM_PAGE);
		region_publish(out);
	}
	return rc;
}

static int setup(void **)
{
	if (folder_make(dir, "lost") || shm_paths_init(&paths, dir, "off", why))
		return -1;
	return make("l0.1", &region);
}

static int teardown(void **)
{
	region_unmap(&region);
	shm_paths_remove(&paths);
	rmdir(dir);
	return 0;
}

static void cut_off(const char *name)
{
	assert_int_equal(truncate(text_from("%s/%s", paths.mem, name), 2 * SHM_PAGE), 0);
}

// How a child ends that reads a byte beyond the end, which must be 0 if it can be read.
static int touch(const char *own)
{
	const char *const names[] = {own, NULL};
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)!freopen("/dev/null", "w", stderr);
		region_lost_catch(names);
		const volatile uint8_t *at = region.base;
		_exit(at[3 * SHM_PAGE] == 0 && at[0] == 0 ? 1 : 2);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

TEST_WITH(test_its_maker_ends, setup, teardown)
{
	assert_false(region_is_cut(&paths, &region, "l0.1"));
	cut_off("l0.1");
	assert_true(region_is_cut(&paths, &region, "l0.1"));
	int status = touch("l0.");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), REGION_LOST_STATUS);
}

TEST_WITH(test_who_reads_it_goes_on, setup, teardown)
{
	cut_off("l0.1");
	int status = touch("rings.");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

static void fill(int fd)
{
	static const char junk[4096];
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	while (write(fd, junk, sizeof(junk)) > 0 || write(fd, junk, 1) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
}

// How a worker ends that falls over a cut region while nobody reads its stderr.
static int touch_with_stderr(int fd)
{
	static const char *const others[] = {"rings.", NULL};
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(60); // one that waits for a reader waits for ever
		dup2(fd, STDERR_FILENO);
		region_lost_catch(others);
		const volatile uint8_t *at = region.base;
		_exit(at[3 * SHM_PAGE] == 0 ? 1 : 2);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

TEST_WITH(test_nobody_reads_stderr, setup, teardown)
{
	int ends[2];
	cut_off("l0.1");
	for (unsigned sockets = 0; sockets < 2; sockets++) {
		assert_int_equal(
			sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends), 0);
		fill(ends[1]);
		int status = touch_with_stderr(ends[1]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 1);
		close(ends[0]);
		close(ends[1]);
	}
}

TEST_WITH(test_stderr_has_the_line, setup, teardown)
{
	int ends[2];
	char line[600];
	cut_off("l0.1");
	for (unsigned sockets = 0; sockets < 2; sockets++) {
		assert_int_equal(
			sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends), 0);
		assert_int_equal(WEXITSTATUS(touch_with_stderr(ends[1])), 1);
		ssize_t n = read(ends[0], line, sizeof(line) - 1);
		assert_true(n > 0);
		line[n] = '\0';
		assert_non_null(strstr(line, "l0.1: cut off while in use (SIGBUS); going on"));
		close(ends[0]);
		close(ends[1]);
	}
}

// Workers and frontends, whose filters open no file or none to write, go on and say so.
TEST_WITH(test_under_filters, setup, teardown)
{
	static const struct sandbox_kind *const kinds[] = {&privilege_worker, &privilege_frontend};
	static const char *const others[] = {"rings.", NULL};
	if (!sandbox_is_possible())
		skip();
	cut_off("l0.1");
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		int ends[2], status = 0;
		char line[600];
		assert_int_equal(pipe(ends), 0);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			dup2(ends[1], STDERR_FILENO);
			region_lost_catch(others);
			if (caps_no_new() || sandbox_load(kinds[k], SANDBOX_KILL, true))
				_exit(2);
			const volatile uint8_t *at = region.base;
			_exit(at[3 * SHM_PAGE] == 0 ? 1 : 3);
		}
		close(ends[1]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 1);
		ssize_t n = read(ends[0], line, sizeof(line) - 1);
		assert_true(n > 0);
		line[n] = '\0';
		assert_non_null(strstr(line, "l0.1: cut off while in use"));
		close(ends[0]);
	}
}

// As the kernel raises it in a thread that touches `at`.
static void raise_at(const volatile uint8_t *at)
{
	siginfo_t info = {.si_signo = SIGBUS, .si_code = BUS_ADRERR};
	info.si_addr = (void *)(uintptr_t)at;
	(void)syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGBUS, &info);
}

// Workers use the same table, so they fall over it together: the second one finds zeros. The
// next region that is cut off is dealt with as well.
TEST_WITH(test_two_threads_at_once, setup, teardown)
{
	static const char *const others[] = {"rings.", NULL};
	cut_off("l0.1");
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)!freopen("/dev/null", "w", stderr);
		region_lost_catch(others);
		const volatile uint8_t *at = region.base + 3 * SHM_PAGE;
		struct region next;
		bool zero = *at == 0;
		raise_at(at);
		if (make("l0.2", &next))
			_exit(2);
		cut_off("l0.2");
		at = next.base + 3 * SHM_PAGE;
		_exit(zero && *at == 0 ? 1 : 3);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

TEST_WITH(test_another_file_of_that_name_is_not_ours, setup, teardown)
{
	struct region old = region;
	region = (struct region){0};
	assert_int_equal(make("l0.1", &region), 0);
	assert_true(old.inode != region.inode);
	cut_off("l0.1");
	assert_false(region_is_cut(&paths, &old, "l0.1"));
	region_unmap(&old);
}

// A file that is no region, which zeros would only make wrong.
TEST_WITH(test_any_other_file_kills, setup, teardown)
{
	static const char *const none[] = {NULL};
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		FILE *f = tmpfile();
		volatile const uint8_t *at =
			f ? mmap(NULL, SHM_PAGE, PROT_READ, MAP_SHARED, fileno(f), 0) : NULL;
		if (!at || at == MAP_FAILED)
			_exit(2);
		region_lost_catch(none);
		_exit(at[0]);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

TEST_WITH(test_any_other_bus_error_kills, setup, teardown)
{
	static const char *const none[] = {NULL};
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		region_lost_catch(none);
		raise(SIGBUS);
		_exit(3);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}
