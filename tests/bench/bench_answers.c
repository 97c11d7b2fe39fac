// SPDX-License-Identifier: BSD-3-Clause

// Reads a data plane's counters and its CPU time at one moment, for control_attack.py: for each
// line on stdin a line with the hits, the reflected frames, all verdicts, and the CPU time of the
// process in ns. It comes before other programs, where that is allowed, so that they are of one
// moment.
//
// usage: bench_answers RUNTIME_DIRECTORY PID

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <weir/stats_read.h>

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts = {0};
	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

int main(int argc, char **argv)
{
	static struct stats_copy s;
	struct shm_paths paths;
	char why[SHM_WHY_MAX] = "usage: bench_answers RUNTIME_DIRECTORY PID";
	clockid_t cpu;
	if (argc != 3 || shm_paths_find(&paths, argv[1], "auto", why) < 0
		|| clock_getcpuclockid(atoi(argv[2]), &cpu) != 0) {
		fprintf(stderr, "%s\n", why);
		return EXIT_FAILURE;
	}
	(void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
	while (getchar() == '\n') {
		uint64_t all = 0, before = clock_ns(cpu);
		if (stats_read(&paths, &s, why) < 0) {
			fprintf(stderr, "%s\n", why);
			return EXIT_FAILURE;
		}
		const uint64_t after = clock_ns(cpu);
		for (unsigned i = 0; i < VERDICT_COUNT; i++)
			all += s.verdict[i];
		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", s.verdict[VERDICT_hit],
			s.verdict[VERDICT_reflected], all, before + (after - before) / 2);
		fflush(stdout);
	}
	return EXIT_SUCCESS;
}
