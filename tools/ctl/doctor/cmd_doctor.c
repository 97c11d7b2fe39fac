// SPDX-License-Identifier: BSD-3-Clause

// `weirctl doctor`: all checks of the machine, or one. Exit status: 0 nothing is wrong, 1 something
// is, 2 no such check. With --report 0.

#include "doctor_checks.h"
#include "doctor_report.h"
#include "lib/config_prove.h"
#include "lib/json_doc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/config/versions.h>

static void check_config(struct doctor *d);

static const struct check {
	const char *name;
	void (*run)(struct doctor *d);
} checks[] = {
	{"config", check_config},
	{"processes", doctor_check_processes},
	{"units", doctor_check_units},
	{"versions", doctor_check_versions},
	{"hugepages", doctor_check_hugepages},
	{"memory", doctor_check_memory},
	{"swap", doctor_check_swap},
	{"limits", doctor_check_limits},
	{"iommu", doctor_check_iommu},
	{"ports", doctor_check_ports},
	{"xdp", doctor_check_xdp},
	{"cores", doctor_check_cores},
	{"interrupts", doctor_check_interrupts},
	{"governor", doctor_check_governor},
	{"numa", doctor_check_numa},
	{"clock", doctor_check_clock},
	{"kernel", doctor_check_kernel},
	{"resolvconf", doctor_check_resolvconf},
	{"port53", doctor_check_port53},
	{"files", doctor_check_files},
	{"certificates", doctor_check_certificates},
	{"groups", doctor_check_groups},
	{"upstreams", doctor_check_upstreams},
	{"lists", doctor_check_lists},
	{"redis", doctor_check_redis},
	{"clickhouse", doctor_check_clickhouse},
};

static void errors_add(struct doctor *d, const struct config_errors *e)
{
	unsigned texts = e->count < CONFIG_ERRORS_MAX ? e->count : CONFIG_ERRORS_MAX;
	for (unsigned i = 0; i < texts; i++) {
		doctor_add(d, DOCTOR_WRONG, "%s", e->text[i]);
		doctor_do(d, "weirctl -c %s config check", SHELL_QUOTE(d->c->config_path));
	}
}

// Reads it again, for the places of errors.
static void machine_prove(const struct doctor *d, struct config_errors *errors)
{
	struct config_bundle texts = {0};
	struct config *config = NULL;
	const struct config_proof proof = {.texts = &texts, .errors = errors};
	if (config_bundle_read(
		    d->c->config_path, NULL, CONFIG_SECRETS_FOUND, &texts, &config, errors)
		< 0)
		return;
	config_prove(config, &proof);
	if (!d->is_trial)
		config_prove_control(config, &proof);
	config_bundle_free(&texts);
	config_free(config);
}

static void check_config(struct doctor *d)
{
	struct config_errors errors = {0};
	char why[CONFIG_WHY_MAX] = "";
	const char *path = d->c->config_path;
	if (d->config) {
		machine_prove(d, &errors);
	} else if (access(path, R_OK) != 0 && errno == EACCES) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s may not be read by this user", path);
	} else if (geteuid() != 0 && config_file_check(path, why) == 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s names secrets that this user may not read", path);
	} else if (config_load_all(path, &(struct config *){NULL}, &errors) == 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "%s changes at this moment", path);
	}
	if (errors.count)
		errors_add(d, &errors);
	else if (d->config)
		doctor_add(d, DOCTOR_OK, "%s is good", path);
}

// The configuration and the processes, as far as both can be seen.
static void doctor_begin(struct doctor *d, struct ctl *c)
{
	char why[CONFIG_WHY_MAX];
	struct config_errors errors;
	struct config_places places;
	*d = (struct doctor){.c = c};
	if (config_load_all(c->config_path, &c->config, &errors) == 0)
		d->config = c->config;
	if (config_places_find(c->config_path, &places, why) < 0)
		*why = '\0'; // `places` has the defaults
	if (shm_paths_find(&c->paths, places.directory, places.hugepages, why) < 0) {
		snprintf(c->paths.run, sizeof(c->paths.run), "%s", places.directory);
		snprintf(c->paths.mem, sizeof(c->paths.mem), "%s", places.directory);
	}
	ctl_servers_find(&c->servers, places.state_directory);
	d->has_view = view_take(c, "/status", &d->view) == CTL_OK;
	doctor_users_find(d);
}

static void counts_print(const struct doctor *d, struct json_node *root)
{
	const unsigned *n = d->count;
	if (!root) {
		printf("\n%u ok, %u warnings, %u wrong, %u not checked\n", n[DOCTOR_OK],
			n[DOCTOR_WARNING], n[DOCTOR_WRONG], n[DOCTOR_UNKNOWN]);
		return;
	}
	doctor_counts_put(d, root);
}

unsigned doctor_try(const struct ctl *c, const char *config_path, const char *const names[])
{
	struct ctl its = *c;
	struct config_errors errors = {0};
	struct doctor d = {.c = &its, .is_trial = true};
	its.config_path = config_path;
	its.config = NULL;
	if (config_load_all(config_path, &its.config, &errors) == 0)
		d.config = its.config;
	doctor_users_find(&d);
	for (; *names; names++)
		for (unsigned i = 0; i < ARRAY_LEN(checks); i++) {
			d.check = checks[i].name;
			if (strcmp(*names, d.check) == 0)
				checks[i].run(&d);
		}
	counts_print(&d, NULL);
	config_free(its.config);
	return d.count[DOCTOR_WRONG];
}

static int names_print(void)
{
	fprintf(stderr, "weirctl: doctor takes one of:");
	for (unsigned i = 0; i < ARRAY_LEN(checks); i++)
		fprintf(stderr, " %s", checks[i].name);
	fprintf(stderr, "\n");
	return CTL_USAGE;
}

// Nothing of the findings but how many each check has.
static int report_run(struct doctor *d)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	d->is_report = true;
	doctor_report_make(d, root);
	struct json_node *list = json_put_array(root, "checks");
	for (unsigned i = 0; i < ARRAY_LEN(checks); i++) {
		d->check = checks[i].name;
		memset(d->count, 0, sizeof(d->count));
		checks[i].run(d);
		doctor_report_check(d, list);
	}
	if (!d->c->json)
		doctor_report_print(root);
	else
		json_doc_print(doc);
	json_doc_free(doc);
	return CTL_OK;
}

static int checks_run(struct doctor *d, unsigned first, unsigned end)
{
	struct json_doc *doc = d->c->json ? json_doc_new() : NULL;
	struct json_node *root = doc ? json_doc_root(doc) : NULL;
	d->list = root ? json_put_array(root, "findings") : NULL;
	for (unsigned i = first; i < end; i++) {
		d->check = checks[i].name;
		checks[i].run(d);
		fflush(stdout);
	}
	counts_print(d, root);
	if (doc)
		json_doc_end(doc);
	return d->count[DOCTOR_WRONG] ? CTL_FAILED : CTL_OK;
}

int cmd_doctor(struct ctl *c)
{
	struct doctor d;
	unsigned first = 0, end = ARRAY_LEN(checks);
	for (unsigned i = 0; c->operand && i < ARRAY_LEN(checks); i++)
		if (strcmp(c->operand, checks[i].name) == 0)
			first = i, end = i + 1;
	if (c->operand && end - first != 1)
		return names_print();
	if (c->operand && c->report) {
		fputs("weirctl: doctor --report takes no check\n", stderr);
		return CTL_USAGE;
	}
	doctor_begin(&d, c);
	const int rc = c->report ? report_run(&d) : checks_run(&d, first, end);
	if (d.has_view)
		view_free(&d.view);
	return rc;
}
