// SPDX-License-Identifier: BSD-3-Clause
#include "arguments.h"

#include "bench.h"

#include <rte_version.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 2 };

static void usage(FILE *out)
{
	fputs("usage: weir-dataplane -c FILE [--bench MODE [--bench-live-ports]]\n"
	      "       weir-dataplane --version | --help\n"
	      "\n"
	      "  -c, --config FILE   the configuration (weir.yaml)\n"
	      "      --bench MODE    measure instead of serving, a line of JSON at the end:\n"
	      "                      reflect: send each frame back, addresses swapped;\n"
	      "                      alternate: 5 ms of that, 5 ms of answering, in turn\n"
	      "      --bench-live-ports\n"
	      "                      also on ports that a network may be behind\n",
		out);
}

bool arguments_parse(int argc, char **argv, struct arguments *a, int *status)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"bench", required_argument, NULL, 'b'},
		{"bench-live-ports", no_argument, NULL, 'l'}, {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'}, {0}};
	*status = EXIT_USAGE;
	for (int c; (c = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1;) {
		switch (c) {
		case 'c':
			a->config = optarg;
			break;
		case 'b':
			if (bench_mode_parse(optarg, &a->bench)) {
				usage(stderr);
				return false;
			}
			break;
		case 'l':
			a->bench_live = true;
			break;
		case 'V':
			printf("weir-dataplane %s, %s\n", WEIR_VERSION, rte_version());
			*status = EXIT_SUCCESS;
			return false;
		case 'h':
			usage(stdout);
			*status = EXIT_SUCCESS;
			return false;
		default:
			return false;
		}
	}
	if (!a->config || optind != argc || (a->bench_live && !a->bench)) {
		usage(stderr);
		return false;
	}
	return true;
}
