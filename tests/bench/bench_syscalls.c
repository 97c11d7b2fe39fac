// SPDX-License-Identifier: BSD-3-Clause

// Counts the system calls of one thread of another process for a while: how tools/bench shows that
// a worker makes none between queries.
//
// ptrace stops the thread at each call and at nothing else, so a thread that makes none runs at its
// own speed. Prints the number. Exit status 1: the thread cannot be traced (no right, or gone).

#include "bench_tools.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

enum { POLL_US = 1000, CALL_STOP = SIGTRAP | 0x80 };

static bool die(const char *what)
{
	fprintf(stderr, "bench_syscalls: %s: %s\n", what, strerror(errno));
	return false;
}

// Waits for the next stop. 1: stopped, *status is set; 0: the time is over; -1: gone.
static int wait_stop(pid_t tid, double end_s, int *status)
{
	const struct timespec pause = {.tv_nsec = POLL_US * 1000L};
	for (;;) {
		pid_t got = waitpid(tid, status, __WALL | WNOHANG);
		if (got == tid)
			return WIFSTOPPED(*status) ? 1 : -1;
		if (got < 0)
			return -1;
		if (bench_clock_s(CLOCK_MONOTONIC) >= end_s)
			return 0;
		nanosleep(&pause, NULL);
	}
}

static bool attach(pid_t tid)
{
	int status;
	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)PTRACE_O_TRACESYSGOOD))
		return die("seize");
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL)
		|| wait_stop(tid, bench_clock_s(CLOCK_MONOTONIC) + 2, &status) != 1
		|| ptrace(PTRACE_SYSCALL, tid, NULL, NULL))
		return die("interrupt");
	return true;
}

static bool detach(pid_t tid)
{
	int status;
	if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL)
		|| wait_stop(tid, bench_clock_s(CLOCK_MONOTONIC) + 2, &status) != 1
		|| ptrace(PTRACE_DETACH, tid, NULL, NULL))
		return die("detach");
	return true;
}

// Each call stops twice, at entry and at exit.
static bool count(pid_t tid, double seconds, unsigned long *calls)
{
	unsigned long stops = 0;
	double end_s = bench_clock_s(CLOCK_MONOTONIC) + seconds;
	int status, got;
	while ((got = wait_stop(tid, end_s, &status)) == 1) {
		bool call = WSTOPSIG(status) == CALL_STOP;
		stops += call;
		bool signal = !call && status >> 16 == 0;
		long pass_on = signal ? WSTOPSIG(status) : 0;
		if (ptrace(PTRACE_SYSCALL, tid, NULL, (void *)pass_on))
			return die("continue");
		if (bench_clock_s(CLOCK_MONOTONIC) >= end_s)
			break;
	}
	*calls = (stops + 1) / 2;
	return got >= 0 || die("wait");
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: bench_syscalls THREAD SECONDS\n", stderr);
		return 2;
	}
	pid_t tid = (pid_t)strtol(argv[1], NULL, 10);
	unsigned long calls = 0;
	if (!attach(tid) || !count(tid, strtod(argv[2], NULL), &calls) || !detach(tid))
		return 1;
	printf("%lu\n", calls);
	return 0;
}
