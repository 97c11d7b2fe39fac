// SPDX-License-Identifier: BSD-3-Clause
// `weirctl doctor`: runs all checks of the machine, or one. Exit status: 0 nothing is wrong, or
// --report, or --save has saved the report; 1 something is wrong, or the report is not saved; 2
// there is no such check.

#include "doctor_checks.h"
#include "doctor_report.h"
#include "doctor_save.h"
#include "lib/config_prove.h"
#include "lib/json_doc.h"
#include "lib/program.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/build.h>
#include <weir/config/versions.h>
#include <weir/config_tools.h>

// The two processes, their units, and the versions of both and of this program.

static const char *const units[] = {"weir-dataplane", "weir-controlplane"};
// What starts `weirctl doctor --save`, each day and for the page.
static const char *const own_units[] = {"weir-doctor.timer", "weir-doctor.path"};
enum { SYSTEMCTL_MS = 5000, SHOWN_MAX = 1024 };

// Adds the command that starts a process, with systemd or without.
static void start_do(struct doctor *d, const char *verb, const char *unit)
{
	if (sysroot_exists("/run/systemd/system"))
		doctor_do(d, "systemctl %s %s", verb, unit);
	else
		doctor_do(d, WEIR_SBINDIR "/%s -c %s", unit, SHELL_QUOTE(d->c->config_path));
}

static void state_report(
	struct doctor *d, const char *who, const char *unit, enum process_state state)
{
	switch (state) {
	case PROCESS_UP:
		doctor_add(d, DOCTOR_OK, "the %s is up", who);
		break;
	case PROCESS_UNKNOWN:
		doctor_add(d, DOCTOR_UNKNOWN,
			"the %s: no permission to look (root, or a member of "
			"runtime.group)",
			who);
		break;
	case PROCESS_HUNG:
		doctor_add(d, DOCTOR_WRONG, "the %s hangs", who);
		start_do(d, "restart", unit);
		break;
	case PROCESS_DOWN:
		doctor_add(d, DOCTOR_WARNING, "the %s is down", who);
		start_do(d, "start", unit);
		break;
	default:
		doctor_add(d, DOCTOR_WARNING, "the %s is %s", who, process_state_text(state));
		doctor_do(d, "weirctl status");
	}
}

static void doctor_check_processes(struct doctor *d)
{
	if (!d->has_view) {
		doctor_add(d, DOCTOR_UNKNOWN, "out of memory");
		return;
	}
	// The data plane holds its lock before it has statistics.
	if (d->view.dataplane == PROCESS_HUNG && !d->dp_pid) {
		doctor_add(d, DOCTOR_WARNING, "the data plane is starting or hangs");
		doctor_do(d, "weirctl status # after a minute it hangs");
	} else {
		state_report(d, "data plane", units[0], d->view.dataplane);
	}
	state_report(d, "control plane", units[1], d->view.controlplane);
}

// Copies the value of "Key=value" in the output of systemctl show; "": there is no such line.
static void value_of(const char *shown, const char *key, char out[64])
{
	size_t len = strlen(key);
	*out = '\0';
	for (const char *line = shown; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) != 0 || line[len] != '=')
			continue;
		snprintf(out, 64, "%.*s", (int)strcspn(line + len + 1, "\n"), line + len + 1);
		return;
	}
}

static void unit_report(struct doctor *d, const char *unit, const char *shown)
{
	char load[64], active[64], file[64], result[64];
	value_of(shown, "LoadState", load);
	value_of(shown, "ActiveState", active);
	value_of(shown, "UnitFileState", file);
	value_of(shown, "Result", result);
	if (strcmp(load, "loaded") != 0) {
		doctor_add(d, DOCTOR_WARNING, "%s: the unit is not installed (%s)", unit, load);
		doctor_do(d, "apt-get install weir");
	} else if (strcmp(active, "failed") == 0) {
		doctor_add(d, DOCTOR_WRONG, "%s: failed (%s)", unit, result);
		doctor_do(d, "journalctl -u %s -n 50; systemctl restart %s", unit, unit);
	} else if (strcmp(file, "enabled") != 0) {
		doctor_add(d, DOCTOR_WARNING, "%s: %s, and not started at boot (%s)", unit, active,
			file);
		doctor_do(d, "systemctl enable %s", unit);
	} else if (strcmp(active, "active") != 0) {
		doctor_add(d, DOCTOR_WARNING, "%s: %s", unit, active);
		doctor_do(d, "systemctl start %s", unit);
	} else {
		doctor_add(d, DOCTOR_OK, "%s: active, and started at boot", unit);
	}
}

// Checks a unit by its full name, and reports it by `name`.
static void unit_check(struct doctor *d, const char *name, const char *unit)
{
	char shown[SHOWN_MAX];
	const char *const args[] = {"/usr/bin/systemctl", "show",
		"--property=LoadState,ActiveState,UnitFileState,Result", unit, NULL};
	const int rc = program_read(args, SYSTEMCTL_MS, shown, sizeof(shown));
	if (rc == 0)
		unit_report(d, name, shown);
	else
		doctor_add(d, DOCTOR_UNKNOWN, "%s: `systemctl show`: %s", name,
			rc < 0 ? strerror(-rc) : "it fails");
}

static void doctor_check_units(struct doctor *d)
{
	if (!sysroot_exists("/run/systemd/system")) {
		doctor_add(d, DOCTOR_UNKNOWN, "systemd does not manage this machine");
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(units); i++) {
		char unit[64];
		snprintf(unit, sizeof(unit), "%s.service", units[i]);
		unit_check(d, units[i], unit);
	}
	for (unsigned i = 0; i < ARRAY_LEN(own_units); i++)
		unit_check(d, own_units[i], own_units[i]);
}

// Warns of a process whose program on disk was replaced: it still runs the old version.
static void replaced_check(struct doctor *d, const char *who, const char *unit, pid_t pid)
{
	char path[SYSROOT_PATH_MAX], to[512];
	static const char deleted[] = " (deleted)";
	ssize_t len = readlink(sysroot_path(path, "/proc/%d/exe", (int)pid), to, sizeof(to) - 1);
	if (len < 0) {
		doctor_add(d, DOCTOR_UNKNOWN, "the program of the %s: %s", who, strerror(errno));
		return;
	}
	to[len] = '\0';
	size_t tail = sizeof(deleted) - 1;
	if ((size_t)len > tail && strcmp(to + (size_t)len - tail, deleted) == 0) {
		doctor_add(d, DOCTOR_WARNING,
			"the %s runs a program that is no longer on the disk: %s", who, to);
		doctor_do(d, "systemctl restart %s", unit);
	} else {
		doctor_add(d, DOCTOR_OK, "the %s runs %s", who, to);
	}
}

// Warns if the version that a process reports differs from weirctl's, the commit included.
static void version_check(
	struct doctor *d, const char *who, const char *unit, pid_t pid, const char *version)
{
	const char *ours = build_this()->version;
	char named[2 * BUILD_TEXT_MAX];
	snprintf(named, sizeof(named), "%s of version %s", who, version);
	if (strcmp(version, ours) == 0) {
		replaced_check(d, named, unit, pid);
		return;
	}
	doctor_add(d, DOCTOR_WARNING, "the %s is of version %s, weirctl of %s", who, version, ours);
	doctor_do(d, "systemctl restart %s %s", units[0], units[1]);
}

static void doctor_check_versions(struct doctor *d)
{
	const struct json_node *status = doctor_status(d);
	if (doctor_lacks_sight(d))
		return;
	if (!d->dp_pid)
		doctor_add(d, DOCTOR_UNKNOWN, "no data plane is running");
	else if (!d->view.has_stats)
		replaced_check(d, "data plane", units[0], d->dp_pid);
	else
		version_check(d, "data plane", units[0], d->dp_pid, d->view.stats->version);
	if (status && d->cp_pid) {
		version_check(
			d, "control plane", units[1], d->cp_pid, json_text(status, "version"));
	} else if (status && d->cp_is_elsewhere) {
		doctor_add(d, DOCTOR_UNKNOWN,
			"the control plane names process %" PRIu64
			" as its own, which is not its number here; run doctor in its container",
			d->cp_said_pid);
	} else if (status) {
		doctor_add(d, DOCTOR_WARNING,
			"the control plane names process %" PRIu64
			" as its own, which does not run weir-controlplane here",
			d->cp_said_pid);
		doctor_do(d, "systemctl status %s # the process that systemd started", units[1]);
	} else {
		doctor_add(d, DOCTOR_UNKNOWN, "no control plane answers");
	}
}

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

// Checks what the configuration needs of the machine. Reads it again, for the places of errors.
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

// Reads the configuration and the state of the processes, as far as this user may.
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

static void counts_print(const struct doctor *d)
{
	const unsigned *n = d->count;
	printf("\n%u ok, %u warnings, %u wrong, %u not checked\n", n[DOCTOR_OK], n[DOCTOR_WARNING],
		n[DOCTOR_WRONG], n[DOCTOR_UNKNOWN]);
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
	counts_print(&d);
	config_free(its.config);
	return d.count[DOCTOR_WRONG];
}

const char *doctor_check_name(unsigned i)
{
	return i < ARRAY_LEN(checks) ? checks[i].name : NULL;
}

static int names_print(void)
{
	fprintf(stderr, "weirctl: doctor takes one of:");
	for (unsigned i = 0; i < ARRAY_LEN(checks); i++)
		fprintf(stderr, " %s", checks[i].name);
	fprintf(stderr, "\n");
	return CTL_USAGE;
}

// Prints the report, which has only the number of each check's findings.
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

// Saves the report where the control plane reads it; without `folder` it is not to be saved.
static int report_save(const char *folder, const struct json_node *report)
{
	char why[DOCTOR_SAVE_WHY_MAX];
	if (!folder || doctor_save(folder, report, why) == 0)
		return CTL_OK;
	fprintf(stderr, "weirctl: the report is not saved: %s\n", why);
	return CTL_FAILED;
}

static int checks_run(struct doctor *d, unsigned first, unsigned end, const char *folder)
{
	struct json_doc *doc = d->c->json || folder ? json_doc_new() : NULL;
	struct json_node *root = doc ? json_doc_root(doc) : NULL;
	d->list = root ? json_put_array(root, "findings") : NULL;
	for (unsigned i = first; i < end; i++) {
		d->check = checks[i].name;
		checks[i].run(d);
		fflush(stdout);
	}
	if (root)
		doctor_counts_put(d, root);
	if (d->c->json)
		json_doc_print(doc);
	else
		counts_print(d);
	const int rc = report_save(folder, root);
	json_doc_free(doc);
	return !folder && d->count[DOCTOR_WRONG] ? CTL_FAILED : rc;
}

static int cmd_doctor(struct ctl *c)
{
	struct doctor d;
	struct config_places places;
	unsigned first = 0, end = ARRAY_LEN(checks);
	for (unsigned i = 0; c->operand && i < ARRAY_LEN(checks); i++)
		if (strcmp(c->operand, checks[i].name) == 0)
			first = i, end = i + 1;
	if (c->operand && end - first != 1)
		return names_print();
	if ((c->operand != NULL) + c->report + c->save > 1) {
		fputs("weirctl: doctor takes a check, --report or --save\n", stderr);
		return CTL_USAGE;
	}
	if (c->save) {
		char why[CONFIG_WHY_MAX];
		if (config_places_find(c->config_path, &places, why) < 0)
			fprintf(stderr, "weirctl: %s; the report goes to %s\n", why,
				places.state_directory);
		doctor_request_take(places.state_directory);
	}
	doctor_begin(&d, c);
	const int rc =
		c->report ? report_run(&d)
			  : checks_run(&d, first, end, c->save ? places.state_directory : NULL);
	if (d.has_view)
		view_free(&d.view);
	return rc;
}

CTL_COMMANDS = {
	{"doctor", NULL, 0, 1, CTL_OPT_REPORT | CTL_OPT_SAVE | CTL_OPT_LOCAL, cmd_doctor,
		"[CHECK|--report|--save]",
		"Check the machine for weir, and print the command that mends each finding; needs "
		"no running weir. Exit status 1: something is wrong. --report: say for a public "
		"bug report which machine it is, without names, addresses and paths. --save: leave "
		"the findings for the page, as root; exit status 0 if they are saved."},
};
