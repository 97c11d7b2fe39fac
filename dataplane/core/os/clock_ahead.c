// SPDX-License-Identifier: BSD-3-Clause
// The tests' clock, linked into the programs of a build with -Dfault_points=true alone. It stands
// in for two functions of libc: the clocks named below are ahead of the kernel's by the word that
// the file WEIR_CLOCK holds, 8 bytes, little-endian, in microseconds. A test that adds to the word
// moves all processes that have mapped it, at once; for weir that is a machine that wakes up. It
// never goes back. Any thread.
//
// The file WEIR_WALL, of the same form but signed, says how far the wall clock alone is off: a
// machine whose clock is wrong, and set right or wrong while weir runs.
//
// Ahead are CLOCK_BOOTTIME, the wall clock, and in the control plane CLOCK_MONOTONIC_COARSE, by
// which libevent rings: its loops look at it each 20 ms (the lag timer). The kernel's time keep
// CLOCK_MONOTONIC (waits for a condition variable, timers of the kernel), the TSC, gettimeofday()
// of libunbound, what libcurl and hiredis wait for, and the peers.

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Written before main, then only read.
static const _Atomic int64_t *ahead_us, *wall_us;

static const _Atomic int64_t *word_map(const char *name)
{
	const char *path = getenv(name);
	struct stat st;
	if (!path || !path[0])
		return NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *word = MAP_FAILED;
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= (off_t)sizeof(*ahead_us))
		word = mmap(NULL, sizeof(*ahead_us), PROT_READ, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (word == MAP_FAILED) {
		fprintf(stderr, "%s=%s: no file of 8 bytes\n", name, path);
		_exit(2);
	}
	return word;
}

__attribute__((constructor)) static void read_environment(void)
{
	ahead_us = word_map("WEIR_CLOCK");
	wall_us = word_map("WEIR_WALL");
}

static bool is_wall(clockid_t id)
{
	return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
}

static bool is_ahead(clockid_t id)
{
#ifdef CLOCK_AHEAD_LIBEVENT
	if (id == CLOCK_MONOTONIC_COARSE)
		return true;
#endif
	return id == CLOCK_BOOTTIME || is_wall(id);
}

static int64_t us_of(const _Atomic int64_t *word)
{
	return word ? atomic_load_explicit(word, memory_order_relaxed) : 0;
}

// Not libc's, whose address is known only once constructors have run, which read clocks too.
int clock_gettime(clockid_t id, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, id, out);
	if (rc < 0 || !is_ahead(id))
		return rc;
	const int64_t us = us_of(ahead_us) + (is_wall(id) ? us_of(wall_us) : 0);
	const int64_t ns = out->tv_nsec + us % 1000000 * 1000;
	out->tv_sec += us / 1000000 + (ns < 0 ? -1 : ns / 1000000000);
	out->tv_nsec = (ns + 1000000000) % 1000000000;
	return 0;
}

static time_t clock_time(time_t *out)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}

time_t time(time_t *) __attribute__((alias("clock_time")));
