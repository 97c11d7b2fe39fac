// SPDX-License-Identifier: BSD-3-Clause
#include "program.h"

#include "sysroot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

// Waits for the end of the child and returns its exit status, or -ETIMEDOUT. Reaps it in either
// case.
static int end_await(pid_t child, unsigned timeout_ms)
{
	int status, fd = pidfd_open(child, 0);
	struct pollfd end = {.fd = fd, .events = POLLIN};
	bool is_late = fd < 0 || poll(&end, 1, (int)timeout_ms) != 1;
	if (is_late)
		kill(child, SIGKILL);
	if (fd >= 0)
		close(fd);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (is_late)
		return -ETIMEDOUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Starts a program whose standard output is `out_fd`.
static int program_start(const char *const args[], int out_fd, pid_t *child)
{
	char path[SYSROOT_PATH_MAX];
	char *const environment[] = {(char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)(uintptr_t) "LC_ALL=C", NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none;
	sigemptyset(&none);
	int rc = posix_spawn_file_actions_init(&files);
	if (rc)
		return -rc;
	rc = posix_spawnattr_init(&attributes);
	if (rc) {
		posix_spawn_file_actions_destroy(&files);
		return -rc;
	}
	// Signals that the caller blocks are not blocked in the program, and in what it starts.
	rc = posix_spawnattr_setsigmask(&attributes, &none);
	rc = rc ? rc : posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	sysroot_path(path, "%s", args[0]);
	rc = rc ? rc
		: posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	rc = rc ? rc : posix_spawn_file_actions_adddup2(&files, out_fd, STDOUT_FILENO);
	rc = rc ? rc
		: posix_spawn(child, path, &files, &attributes, (char *const *)(uintptr_t)args,
			environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return -rc;
}

int program_run(const char *const args[], unsigned timeout_ms)
{
	pid_t child;
	int rc = program_start(args, STDERR_FILENO, &child);
	return rc ? rc : end_await(child, timeout_ms);
}

int program_read(const char *const args[], unsigned timeout_ms, char *out, size_t cap)
{
	pid_t child;
	int ends[2];
	*out = '\0';
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	int rc = program_start(args, ends[1], &child);
	close(ends[1]);
	rc = rc ? rc : end_await(child, timeout_ms);
	if (rc >= 0) {
		ssize_t len = read(ends[0], out, cap - 1);
		out[len > 0 ? len : 0] = '\0';
	}
	close(ends[0]);
	return rc;
}
