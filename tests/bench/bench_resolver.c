// SPDX-License-Identifier: BSD-3-Clause

// bench_resolver [-r RESOLVERS] [-n ROUNDS] [-m SLICE_MS]: M2 with one resolver, M3 with more.
//
// Misses from ring to answer ring with default settings: names that no cache has go as MSG_MISS
// onto the rings of the resolvers, whose threads ask an upstream, store the answer and write it to
// the answer ring. The upstream is in the process (seam.h), so the kernel's sockets are no part of
// it; nor are the packets, marks of workers, the query log, Redis and the control API.
//
// A round is a slice for each resolver alone, and with more than one a slice for all. A slice's
// rate is answers to CPU time of the resolver's thread, so time that another program had on a core
// does not count. The ratio is that of all rates together to the mean of those alone in the same
// round. On a machine with fewer cores than threads they seldom run at the same time, and
// contention for shared lines is then hardly part of the figure. Fails when an answer is wrong or
// missing, never because it is slow.

#include "bench_row.h"
#include "bench_tools.h"
#include "controlplane/app/app.h"
#include "resolver/querier.h"
#include "resolver/seam.h"
#include "tests/unit/folder.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>

enum {
	ROUNDS_MAX = 1000,
	WINDOW = 256,
	WARM_SLICES = 20, // fill L0, and open the sockets that are kept ready
	PATIENCE_S = 60,
	PAUSE_US = 20,
	FILES = 16384,
	FOLDER_LEN = 64,
};

static struct app app;
static struct querier querier;
static char folder[FOLDER_LEN];
static unsigned resolvers = 1, rounds = 30, slice_ms = 100;
static double rate[ROUNDS_MAX][SHM_RESOLVERS_MAX + 1][SHM_RESOLVERS_MAX]; // last: all of them

static bool config_open(char why[APP_WHY_MAX])
{
	char path[FOLDER_LEN + 16];

	snprintf(path, sizeof(path), "%.63s/weir.yaml", folder);
	FILE *f = fopen(path, "w");
	if (!f)
		return false;
	fprintf(f,
		"runtime: {directory: \"%s/run\", state_directory: \"%s/state\", hugepages: "
		"\"off\"}\n"
		"dataplane:\n  ports: [{device: net_null0}]\n"
		"  service_addresses: [198.18.0.53/24]\n"
		"cache: {l0_mb: 64}\n"
		"upstreams: {servers: [{address: \"127.0.0.1:%u\"}]}\n",
		folder, folder, SEAM_PORT);
	if (fclose(f) != 0 || config_load(path, &app.started, why) < 0)
		return false;
	app.started->controlplane.resolvers = resolvers;
	app.current = app.started;
	return true;
}

// As app.c opens them, without what a miss does not need.
static bool resolvers_start(char why[APP_WHY_MAX])
{
	const struct config_runtime *run = &app.started->runtime;
	const struct rlimit files = {FILES, FILES};

	(void)setrlimit(RLIMIT_NOFILE, &files);
	return shm_paths_init(&app.paths, run->directory, run->hugepages, why) == 0
	       && publisher_open(&app.publisher, &app.paths, app.started, why) == 0
	       && loop_new("service", &app.service) == 0 && app_resolvers_open(&app, why) == 0
	       && app_resolvers_start(&app) == 0;
}

static void resolvers_close(void)
{
	app_resolvers_close(&app);
	upstream_book_close(app.book);
	publisher_close(app.publisher);
	app_resolvers_loops_free(&app);
	loop_free(app.service);
	config_free(app.started);
}

static double thread_s(unsigned resolver)
{
	struct timespec t = {0};
	clockid_t clock;

	if (pthread_getcpuclockid(app.resolver[resolver].thread, &clock) == 0)
		(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Asks the resolvers of the mask for a slice's time, and waits for the last answer.
static bool slice(uint32_t mask, double out[SHM_RESOLVERS_MAX])
{
	double cpu_s[SHM_RESOLVERS_MAX];
	uint64_t answered[SHM_RESOLVERS_MAX];
	uint64_t end_ms = clock_mono_ms() + slice_ms, last_ms = end_ms + PATIENCE_S * 1000;

	for (unsigned i = 0; i < resolvers; i++) {
		cpu_s[i] = thread_s(i);
		answered[i] = querier.of[i].answered;
	}
	for (uint64_t now = 0; now < end_ms || (querier_in_flight(&querier) && now < last_ms);
		now = clock_mono_ms()) {
		if (!querier_turn(&querier, now < end_ms ? mask : 0))
			usleep(PAUSE_US);
	}
	for (unsigned i = 0; i < resolvers; i++)
		out[i] = (double)(querier.of[i].answered - answered[i]) / (thread_s(i) - cpu_s[i]);
	return querier_in_flight(&querier) == 0;
}

static bool measure(void)
{
	const uint32_t all = (UINT32_C(1) << resolvers) - 1;
	bool ok = true;

	for (unsigned i = 0; i < WARM_SLICES && ok; i++)
		ok = slice(all, rate[0][resolvers]);
	for (unsigned n = 0; n < rounds; n++) {
		for (unsigned i = 0; i < resolvers && ok; i++)
			ok = slice(UINT32_C(1) << i, rate[n][i]);
		if (resolvers > 1 && ok)
			ok = slice(all, rate[n][resolvers]);
	}
	return ok;
}

static void report(void)
{
	static double alone[ROUNDS_MAX], ratio[ROUNDS_MAX];
	const char *goal = resolvers > 1 ? "M3" : "M2";
	char name[64];

	for (unsigned n = 0; n < rounds; n++) {
		double sum = 0, together = 0;
		for (unsigned i = 0; i < resolvers; i++) {
			sum += rate[n][i][i];
			together += rate[n][resolvers][i];
		}
		alone[n] = sum / resolvers;
		ratio[n] = together / alone[n];
	}
	qsort(alone, rounds, sizeof(*alone), bench_by_value);
	qsort(ratio, rounds, sizeof(*ratio), bench_by_value);
	snprintf(name, sizeof(name), "%u resolver%s, upstream in the process", resolvers,
		resolvers > 1 ? "s" : "");
	bench_say(
		goal, name, "alone", alone[rounds / 2], "misses/CPU s", resolvers > 1 ? 0 : 250000);
	if (resolvers > 1) {
		bench_say(goal, name, "ratio", ratio[rounds / 2], "times one resolver",
			0.95 * resolvers);
		bench_say(goal, name, "p10", ratio[rounds / 10], "times one resolver", 0);
		bench_say(goal, name, "p90", ratio[rounds * 9 / 10], "times one resolver", 0);
	}
}

// After the resolvers' threads: each miss was asked of the upstream and answered, and its answer
// was stored, but for one in a thousand for which a full L0 has no room.
static bool all_right(void)
{
	static struct resolver_status s;
	uint64_t wrong = 0, missing = querier_in_flight(&querier), asked = 0, refused = 0;

	for (unsigned i = 0; i < resolvers; i++) {
		const struct querier_rings *rings = &querier.of[i];
		resolver_status(app.resolvers.one[i], &s);
		wrong += rings->wrong;
		asked += rings->asked;
		refused += s.not_stored;
		if (s.stored + s.not_stored + rings->late < rings->asked)
			missing += rings->asked - rings->late - s.stored - s.not_stored;
	}
	missing += refused > asked / 1000 ? refused : 0;
	if (wrong || missing)
		fprintf(stderr, "%ju answers are wrong, %ju are missing or were not stored\n",
			(uintmax_t)wrong, (uintmax_t)missing);
	return wrong == 0 && missing == 0;
}

static bool run(char why[APP_WHY_MAX])
{
	if (!config_open(why) || !resolvers_start(why))
		return false;
	querier = (struct querier){.l0 = l0_writer_reader(link_l0(app.link, 0)),
		.resolvers = resolvers,
		.window = WINDOW};
	if (!querier_open(&querier, &app.paths, why))
		return false;
	bool answered = measure();
	if (answered)
		report();
	*why = '\0';
	app_resolvers_stop(&app);
	answered &= all_right();
	querier_close(&querier);
	resolvers_close();
	return answered && folder_remove(app.paths.run, app.paths.mem) == 0;
}

int main(int argc, char **argv)
{
	char why[APP_WHY_MAX] = "cannot write the configuration";
	int opt;

	while ((opt = getopt(argc, argv, "r:n:m:")) != -1) {
		unsigned number = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;
		if (opt == 'r')
			resolvers = number;
		else if (opt == 'n')
			rounds = number;
		else if (opt == 'm')
			slice_ms = number;
		else
			resolvers = 0;
	}
	if (resolvers < 1 || resolvers > SHM_RESOLVERS_MAX || rounds < 1 || rounds > ROUNDS_MAX
		|| optind != argc) {
		fputs("usage: bench_resolver [-r RESOLVERS] [-n ROUNDS] [-m SLICE_MS]\n", stderr);
		return 2;
	}
	log_init("bench_resolver", LOG_LEVEL_ERROR);
	if (folder_make(folder, "bench") < 0)
		return EXIT_FAILURE;
	bool ok = run(why);
	if (!ok && *why)
		fprintf(stderr, "bench_resolver: %s\n", why);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
