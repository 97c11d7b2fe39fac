// SPDX-License-Identifier: BSD-3-Clause

// Capabilities of threads: what is dropped is gone, and a thread that keeps one is found.
#include "tests/unit/unit.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <weir/os/caps.h>

static pthread_barrier_t made, checked;

static void *other(void *arg)
{
	if (arg && caps_keep(0, 0) != 0)
		abort();
	pthread_barrier_wait(&made);
	pthread_barrier_wait(&checked);
	return NULL;
}

static int checked_with(bool other_settles)
{
	char why[CAPS_WHY_MAX] = "";
	pthread_t thread;
	pthread_barrier_init(&made, NULL, 2);
	pthread_barrier_init(&checked, NULL, 2);
	if (pthread_create(&thread, NULL, other, other_settles ? &thread : NULL) != 0
		|| caps_keep(CAPS_BIT(CAP_NET_ADMIN), 0) != 0)
		return 9;
	pthread_barrier_wait(&made);
	int rc = caps_check(CAPS_BIT(CAP_NET_ADMIN), 0, why);
	pthread_barrier_wait(&checked);
	pthread_join(thread, NULL);
	if (rc == -EPERM && !strstr(why, "has capabilities"))
		return 8;
	return rc == 0 ? 0 : rc == -EPERM ? 1 : 7;
}

// In a process of its own, which may give up what this one has.
static int child(int (*run)(void))
{
	int status;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int all_settle(void)
{
	return checked_with(true);
}

static int one_keeps(void)
{
	return checked_with(false);
}

// Permitted, in force, back in force, gone.
static int raised_again(void)
{
	const uint64_t admin = CAPS_BIT(CAP_NET_ADMIN);
	char why[CAPS_WHY_MAX];
	if (caps_keep(admin, 0) || caps_keep(admin, admin) || caps_check(admin, admin, why))
		return 1;
	if (caps_check(0, 0, why) != -EPERM)
		return 2;
	return caps_keep(0, 0) || caps_check(0, 0, why) ? 3 : 0;
}

// A thread of a library, which knows nothing of capabilities: asleep until its pipe closes.
struct sleeper {
	int wake[2];
	bool blocks;
};

static void *sleep_on(void *arg)
{
	const struct sleeper *s = arg;
	sigset_t all;
	sigfillset(&all);
	if (s->blocks)
		pthread_sigmask(SIG_BLOCK, &all, NULL);
	pthread_setname_np(pthread_self(), "driver");
	pthread_barrier_wait(&made);
	struct pollfd until = {.fd = s->wake[0]};
	while (poll(&until, 1, -1) < 0 && errno == EINTR)
		;
	return NULL;
}

// 0: the thread has no capability left, and the real-time signals are ignored as before.
static int dropped_with(bool blocks)
{
	struct sleeper s = {.blocks = blocks};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction now;
	char why[CAPS_WHY_MAX] = "", ignored[CAPS_WHY_MAX];
	pthread_t thread;
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		sigaction(signo, &ignore, NULL);
	pthread_barrier_init(&made, NULL, 2);
	if (pipe(s.wake) != 0 || pthread_create(&thread, NULL, sleep_on, &s) != 0)
		return 9;
	pthread_barrier_wait(&made);
	if (caps_keep(CAPS_BIT(CAP_NET_ADMIN), 0) != 0
		|| caps_check(CAPS_BIT(CAP_NET_ADMIN), UINT64_MAX, why) != 0)
		return 8;
	int rc = caps_drop_others(CAPS_BIT(CAP_NET_ADMIN), why);
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		if (sigaction(signo, NULL, &now) != 0 || now.sa_handler != SIG_IGN)
			return 7;
	if (rc == 0 && caps_check(CAPS_BIT(CAP_NET_ADMIN), 0, ignored) != 0)
		return 6;
	close(s.wake[1]);
	pthread_join(thread, NULL);
	if (rc == -EPERM && !strstr(why, "thread driver ("))
		return 5;
	return rc == 0 ? 0 : rc == -EPERM ? 1 : 4;
}

static int library_drops(void)
{
	return dropped_with(false);
}

static int library_blocks(void)
{
	return dropped_with(true);
}

static int no_new(void)
{
	return caps_no_new() || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

static void *ends_at_once(void *)
{
	return NULL;
}

// Each short thread may end between two steps of reading it.
static void *makes_short_threads(void *arg)
{
	atomic_bool *made_all = arg;
	pthread_t thread;
	for (int i = 0; i < 4000; i++)
		if (pthread_create(&thread, NULL, ends_at_once, NULL) == 0)
			pthread_join(thread, NULL);
	atomic_store(made_all, true);
	return NULL;
}

TEST(test_threads_end)
{
	char why[CAPS_WHY_MAX] = "";
	atomic_bool made_all = false;
	pthread_t maker;
	int rc = 0;
	assert_int_equal(pthread_create(&maker, NULL, makes_short_threads, &made_all), 0);
	while (!atomic_load(&made_all))
		rc = rc ? rc : caps_check(UINT64_MAX, UINT64_MAX, why);
	pthread_join(maker, NULL);
	assert_string_equal(why, "");
	assert_int_equal(rc, 0);
}

TEST(test_keep)
{
	assert_int_equal(child(no_new), 0);
	if (geteuid() != 0) // nothing to give up
		skip();
	assert_int_equal(child(all_settle), 0);
	assert_int_equal(child(one_keeps), 1);
	assert_int_equal(child(raised_again), 0);
}

TEST(test_drop_others)
{
	if (geteuid() != 0) // nothing to drop
		skip();
	assert_int_equal(child(library_drops), 0);
	assert_int_equal(child(library_blocks), 1);
}
