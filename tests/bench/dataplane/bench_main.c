// SPDX-License-Identifier: BSD-3-Clause

// bench_dataplane: weir-dataplane with turns that measure in place of those that serve.

#include "bench.h"
#include "dataplane/dataplane.h"
#include "dataplane/port/dpdk_log.h"

#include <rte_cycles.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/log.h>

enum { EXIT_USAGE = 2 };

static struct bench benches[SHM_WORKERS_MAX];
static unsigned bench_count;
static enum bench_mode mode;
static bool live_ports;

// In place of the one in libweir-dp: the loop of each worker calls it for its ports in turn.
unsigned worker_turn(struct worker *w, unsigned port_index)
{
	struct bench *b = &benches[w->index];
	if (port_index == 0)
		bench_tick(b);
	return bench_turn(b, port_index);
}

// A service must not end up as a reflector by mistake.
static bool allows(const struct config_dataplane *c)
{
	const char *device = bench_live_port(c);
	if (!device || live_ports)
		return true;
	log_error("--bench %s: a network may be behind port %s, and half or all of its queries "
		  "would go unanswered; --bench-live-ports allows it",
		bench_mode_names[mode], device);
	return false;
}

static int begin(struct worker *const workers[], unsigned count)
{
	log_warning(
		"bench mode: %s; for measurements only, not for service", bench_mode_names[mode]);
	int rc = 0;
	for (; rc == 0 && bench_count < count; bench_count += rc == 0)
		rc = bench_init(&benches[bench_count], workers[bench_count], mode,
			rte_get_tsc_hz() / 1000 * BENCH_SLICE_MS);
	return rc;
}

static int misused(void)
{
	fputs("usage: bench_dataplane -c FILE --bench MODE [--bench-live-ports]\n"
	      "\n"
	      "  -c, --config FILE   the configuration (weir.yaml)\n"
	      "      --bench MODE    measure instead of serving, a line of JSON at the end:\n"
	      "                      reflect: send each frame back, addresses swapped;\n"
	      "                      alternate: 5 ms of that, 5 ms of answering, in turn\n"
	      "      --bench-live-ports\n"
	      "                      also on ports that a network may be behind\n",
		stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"bench", required_argument, NULL, 'b'},
		{"bench-live-ports", no_argument, NULL, 'l'}, {0}};
	static const struct dataplane_bench bench = {.allows = allows, .begin = begin};
	const char *config = NULL;
	log_init("weir-dataplane", LOG_LEVEL_INFO);
	dpdk_log_take();
	for (int c; (c = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		if (c == 'c')
			config = optarg;
		else if (c == 'l')
			live_ports = true;
		else if (c != 'b' || bench_mode_parse(optarg, &mode))
			return misused();
	}
	if (!config || !mode || optind != argc)
		return misused();
	int status = dataplane_run(config, &bench);
	if (bench_count)
		bench_finish(benches, bench_count, rte_get_tsc_hz());
	return status;
}
