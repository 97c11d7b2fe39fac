// SPDX-License-Identifier: BSD-3-Clause
// The two processes, their units, and the versions of both and of this program.

#include "doctor_checks.h"
#include "lib/program.h"
#include "lib/sysroot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/build.h>

static const char *const units[] = {"weir-dataplane", "weir-controlplane"};
enum { SYSTEMCTL_MS = 5000, SHOWN_MAX = 1024 };

// The command that starts a process, with systemd or without.
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

void doctor_check_processes(struct doctor *d)
{
	if (!d->has_view) {
		doctor_add(d, DOCTOR_UNKNOWN, "out of memory");
		return;
	}
	// It holds its lock before it has statistics.
	if (d->view.dataplane == PROCESS_HUNG && !d->dp_pid) {
		doctor_add(d, DOCTOR_WARNING, "the data plane is starting or hangs");
		doctor_do(d, "weirctl status # after a minute it hangs");
	} else {
		state_report(d, "data plane", units[0], d->view.dataplane);
	}
	state_report(d, "control plane", units[1], d->view.controlplane);
}

// The value of "Key=value" in the output of systemctl show; "": no such line.
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

void doctor_check_units(struct doctor *d)
{
	if (!sysroot_exists("/run/systemd/system")) {
		doctor_add(d, DOCTOR_UNKNOWN, "systemd does not manage this machine");
		return;
	}
	for (unsigned i = 0; i < ARRAY_LEN(units); i++) {
		char shown[SHOWN_MAX], unit[64];
		snprintf(unit, sizeof(unit), "%s.service", units[i]);
		const char *const args[] = {"/usr/bin/systemctl", "show",
			"--property=LoadState,ActiveState,UnitFileState,Result", unit, NULL};
		int rc = program_read(args, SYSTEMCTL_MS, shown, sizeof(shown));
		if (rc == 0)
			unit_report(d, units[i], shown);
		else
			doctor_add(d, DOCTOR_UNKNOWN, "%s: `systemctl show`: %s", units[i],
				rc < 0 ? strerror(-rc) : "it fails");
	}
}

// A process whose program was replaced runs an older version than the one on disk.
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

// Warns of a version that is not weirctl's, the commit included, by what the process says of
// itself.
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

void doctor_check_versions(struct doctor *d)
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
	if (status)
		version_check(
			d, "control plane", units[1], d->cp_pid, json_text(status, "version"));
	else
		doctor_add(d, DOCTOR_UNKNOWN, "no control plane answers");
}
