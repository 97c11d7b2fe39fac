// SPDX-License-Identifier: BSD-3-Clause

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <weir/os/caps.h>
#include <weir/os/sandbox.h>
#include <weir/sanitized.h>

int caps_no_new(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int caps_no_dump(void)
{
	struct rlimit core;
	if (!sandbox_is_possible())
		return 0;
	if (getrlimit(RLIMIT_CORE, &core) < 0)
		return -errno;
	if (core.rlim_max > 0)
		return 0;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? -errno : 0;
}

int caps_keep(uint64_t permitted, uint64_t effective)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(permitted >> 32 * i);
		data[i].effective = data[i].permitted & (uint32_t)(effective >> 32 * i);
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

// The permitted set of a thread, and its name. -errno.
static int thread_caps(const char *thread, uint64_t *out, char name[32])
{
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", thread);
	FILE *f = fopen(path, "re");
	if (!f)
		return -errno;
	int rc = -ENODATA;
	name[0] = '\0';
	while (rc && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Name:\t", 6) == 0)
			snprintf(name, 32, "%.*s", (int)strcspn(line + 6, "\n"), line + 6);
		if (strncmp(line, "CapPrm:\t", 8) == 0) {
			*out = strtoull(line + 8, NULL, 16);
			rc = 0;
		}
	}
	if (rc && ferror(f)) // ESRCH: it ended after the open
		rc = -errno;
	(void)fclose(f);
	return rc;
}

// What threads may have, and the signal for another than the main one that has more; 0 without a
// check.
struct bounds {
	uint64_t main_most, most;
	int signo;
};

static int thread_check(const char *thread, const struct bounds *b, char why[CAPS_WHY_MAX])
{
	uint64_t has = 0;
	char name[32];
	int rc = thread_caps(thread, &has, name);
	if (rc == -ENOENT || rc == -ESRCH) // it has ended
		return 0;
	if (rc) {
		snprintf(why, CAPS_WHY_MAX, "/proc/self/task/%.20s/status: %s", thread,
			strerror(-rc));
		return rc;
	}
	const int tid = atoi(thread);
	const uint64_t may = tid == getpid() ? b->main_most : b->most;
	if (!(has & ~may))
		return 0;
	if (b->signo && tid != getpid())
		(void)syscall(SYS_tgkill, getpid(), tid, b->signo);
	snprintf(why, CAPS_WHY_MAX, "thread %s (%.20s) has capabilities %llx, may have %llx", name,
		thread, (unsigned long long)has, (unsigned long long)may);
	return -EPERM;
}

// All of them; -EPERM names the last one that has more.
static int threads_check(const struct bounds *b, char why[CAPS_WHY_MAX])
{
	int rc = 0;
	DIR *tasks = opendir("/proc/self/task");
	if (!tasks) {
		rc = -errno;
		snprintf(why, CAPS_WHY_MAX, "/proc/self/task: %s", strerror(-rc));
		return rc;
	}
	for (const struct dirent *d; (rc == 0 || rc == -EPERM) && (d = readdir(tasks));) {
		int one = d->d_name[0] != '.' ? thread_check(d->d_name, b, why) : 0;
		rc = one ? one : rc;
	}
	closedir(tasks);
	return rc;
}

// The thread sanitizer has a thread of its own, which keeps what the process had at its start.
static const bool is_checked = !SANITIZED_THREAD;

static int threads_settle(const struct bounds *b, char why[CAPS_WHY_MAX])
{
	const struct timespec step = {.tv_nsec = 1000000};
	int rc = is_checked ? threads_check(b, why) : 0;
	for (unsigned ms = 0; rc == -EPERM && ms < CAPS_SETTLE_MS; ms++) {
		(void)nanosleep(&step, NULL);
		rc = threads_check(b, why);
	}
	return rc;
}

int caps_check(uint64_t main_most, uint64_t most, char why[CAPS_WHY_MAX])
{
	return threads_settle(&(struct bounds){.main_most = main_most, .most = most}, why);
}

// Runs in the thread that shall drop them. Makes a system call and nothing else.
static void on_drop(int signo)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	const int saved = errno;
	(void)signo;
	(void)syscall(SYS_capset, &head, none);
	errno = saved;
}

// A real-time signal that nobody handles, or 0; `old` is what it had.
static int signal_take(struct sigaction *old)
{
	const struct sigaction drop = {.sa_handler = on_drop, .sa_flags = SA_RESTART};
	for (int signo = SIGRTMAX; signo >= SIGRTMIN; signo--) {
		if (sigaction(signo, NULL, old) == 0 && !(old->sa_flags & SA_SIGINFO)
			&& (old->sa_handler == SIG_IGN || old->sa_handler == SIG_DFL)
			&& sigaction(signo, &drop, NULL) == 0)
			return signo;
	}
	return 0;
}

int caps_drop_others(uint64_t main_most, char why[CAPS_WHY_MAX])
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction old;
	struct bounds b = {.main_most = main_most, .signo = signal_take(&old)};
	if (b.signo == 0) {
		snprintf(why, CAPS_WHY_MAX, "no real-time signal is free");
		return -EBUSY;
	}
	int rc = threads_settle(&b, why);
	// Ignored first: that takes back what waits for a thread that blocks it.
	(void)sigaction(b.signo, &ignore, NULL);
	(void)sigaction(b.signo, &old, NULL);
	return rc;
}
