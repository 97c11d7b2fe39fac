// SPDX-License-Identifier: BSD-3-Clause
// weir-controlplane: the slow work of the appliance (docs/explanation/architecture.md).
#include "app/app.h"
#include "app/app_privilege.h"
#include "memory/profile.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/build.h>
#include <weir/log.h>
#include <weir/shm_lost.h>

enum { EXIT_USAGE = 2 };

static const char usage[] =
	"usage: weir-controlplane -c FILE\n"
	"  -c, --config FILE  configuration (YAML), the same as weir-dataplane's\n"
	"  -V, --version      version and exit\n"
	"  -h, --help         this text\n"
	"SIGHUP reads the configuration again, SIGTERM and SIGINT stop.\n";

static const char *const own_regions[] = {
	"directory", "l0.", "rule_image.", "policy.", "answers.", NULL};

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *config_path = NULL;
	char why[APP_WHY_MAX] = "";
	struct app *app;
	int opt;

	while ((opt = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			config_path = optarg;
			break;
		case 'V':
			printf("weir-controlplane %s\n", build_here.version);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (!config_path || optind != argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	build_take(&build_here);
	profile_alloc_start();
	log_init("weir-controlplane", LOG_LEVEL_INFO);
	app_privilege_begin();
	int rc = log_out_start("weir-controlplane");
	if (rc < 0)
		log_warning("no thread for stderr: log lines wait for the reader of stderr: %s",
			strerror(-rc));
	region_lost_catch(own_regions);
	if (app_open(&app, config_path, why) < 0) {
		log_error("%s", why);
		return EXIT_FAILURE;
	}
	rc = app_privilege_settle(why);
	if (rc < 0)
		log_error("%s", why);
	else
		rc = app_run(app);
	app_close(app);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
