// SPDX-License-Identifier: BSD-3-Clause
#include "watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/shm_stats.h>

enum { LOOKS = 8192, HELD_UP_US = 10000 };

struct look {
	uint64_t at_us, ran_us, waited_us; // had a CPU, waited for one; since the thread began
};

static struct {
	struct region region;
	const struct stats_worker *worker;
	int schedstat; // of the first worker's thread
	struct look look[LOOKS];
	uint64_t looks, turns_long, turns_long_us;
	uint64_t held_up, longest_us, blocked_us;
	uint64_t longest_wall_us, started_turns;
} w = {.schedstat = -1};

// EAL names its threads after their lcore.
static int thread_open(uint32_t pid, uint32_t lcore)
{
	char path[96], name[32] = "", want[32];
	snprintf(want, sizeof(want), "worker-%u\n", lcore);
	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	DIR *d = opendir(path);
	int fd = -1;
	for (const struct dirent *e; d && fd < 0 && (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%u/task/%.16s/comm", pid, e->d_name);
		FILE *f = fopen(path, "r");
		if (f && fgets(name, sizeof(name), f) && strstr(name, want)) {
			snprintf(path, sizeof(path), "/proc/%u/task/%.16s/schedstat", pid,
				e->d_name);
			fd = open(path, O_RDONLY | O_CLOEXEC);
		}
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
	return fd;
}

static uint64_t counter(enum counter c)
{
	return atomic_load_explicit(&w.worker->counter[c], memory_order_relaxed);
}

int watch_open(const struct shm_paths *paths, char why[SHM_WHY_MAX])
{
	int rc = region_attach(paths, SHM_IN_MEM, "stats", REGION_STATS, false, &w.region, why);
	if (rc < 0)
		return rc;
	const struct stats_region *stats = region_data(&w.region);
	w.worker = &stats->worker[0];
	w.schedstat = thread_open(stats->pid, w.worker->lcore);
	if (w.schedstat < 0) {
		snprintf(why, SHM_WHY_MAX, "no thread of lcore %u in process %u", w.worker->lcore,
			stats->pid);
		return -ENOENT;
	}
	w.turns_long = w.started_turns = counter(COUNTER_turns_long);
	w.turns_long_us = counter(COUNTER_turns_long_us);
	return 0;
}

static struct look look_now(void)
{
	struct look now = {.at_us = clock_mono_us()};
	char text[128] = "", *end = text;
	if (pread(w.schedstat, text, sizeof(text) - 1, 0) > 0) {
		now.ran_us = strtoull(text, &end, 10) / 1000;
		now.waited_us = strtoull(end, NULL, 10) / 1000;
	}
	return now;
}

// The last look at or before that time, or the oldest that is kept.
static const struct look *look_before(uint64_t at_us)
{
	uint64_t i = w.looks, oldest = w.looks > LOOKS ? w.looks - LOOKS : 0;
	while (i > oldest + 1 && w.look[(i - 1) % LOOKS].at_us > at_us)
		i--;
	return &w.look[(i ? i - 1 : 0) % LOOKS];
}

void watch_look(void)
{
	if (w.schedstat < 0)
		return;
	uint64_t turns = counter(COUNTER_turns_long), us = counter(COUNTER_turns_long_us);
	struct look now = look_now();
	if (turns != w.turns_long && w.looks > 0) {
		uint64_t took_us = us - w.turns_long_us;
		// It ended after the last look.
		uint64_t last_us = w.look[(w.looks - 1) % LOOKS].at_us;
		const struct look *from = look_before(last_us > took_us ? last_us - took_us : 0);
		uint64_t waited = now.waited_us - from->waited_us;
		uint64_t own = took_us > waited ? took_us - waited : 0;
		uint64_t ran = now.ran_us - from->ran_us;
		if (own > ran) { // neither ran nor wanted to: the kernel held it, or the host
			w.blocked_us = own - ran > w.blocked_us ? own - ran : w.blocked_us;
			own = ran;
		}
		w.longest_us = own > w.longest_us ? own : w.longest_us;
		w.longest_wall_us = took_us > w.longest_wall_us ? took_us : w.longest_wall_us;
		w.held_up += own > HELD_UP_US;
	}
	w.turns_long = turns;
	w.turns_long_us = us;
	w.look[w.looks++ % LOOKS] = now;
}

void watch_print(void)
{
	if (w.schedstat < 0)
		return;
	printf(", \"turns_over_10_ms\": %llu, \"longest_turn_us\": %llu, "
	       "\"longest_turn_ran_us\": %llu, \"longest_blocked_us\": %llu, \"held_up\": %llu",
		(unsigned long long)(w.turns_long - w.started_turns),
		(unsigned long long)w.longest_wall_us, (unsigned long long)w.longest_us,
		(unsigned long long)w.blocked_us, (unsigned long long)w.held_up);
	close(w.schedstat);
	region_unmap(&w.region);
}
