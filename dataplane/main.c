// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane.h"
#include "port/dpdk_log.h"
#include "privilege.h"

#include <rte_version.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/build.h>
#include <weir/log.h>

enum { EXIT_USAGE = 2 };

static void usage(FILE *out)
{
	fputs("usage: weir-dataplane -c FILE\n"
	      "       weir-dataplane --version | --help\n"
	      "\n"
	      "  -c, --config FILE   the configuration (weir.yaml)\n",
		out);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"version", no_argument, NULL, 'V'}, {"help", no_argument, NULL, 'h'}, {0}};
	const char *config = NULL;
	log_init("weir-dataplane", LOG_LEVEL_INFO);
	dpdk_log_take();
	for (int c; (c = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1;) {
		switch (c) {
		case 'c':
			config = optarg;
			break;
		case 'V':
			printf("weir-dataplane %s, %s\n", build_here.version, rte_version());
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			return EXIT_USAGE;
		}
	}
	if (!config || optind != argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	build_take(&build_here);
	privilege_begin();
	return dataplane_run(config, NULL);
}
