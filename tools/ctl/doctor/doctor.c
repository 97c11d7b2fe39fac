// SPDX-License-Identifier: BSD-3-Clause
#include "doctor.h"

#include "lib/sysroot.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const verdict_words[DOCTOR_VERDICTS] = {"ok", "warning", "wrong", "unknown"};

const char *doctor_verdict_text(enum doctor_verdict verdict)
{
	return verdict_words[verdict];
}

void doctor_counts_put(const struct doctor *d, struct json_node *n)
{
	json_put_count(n, "ok", d->count[DOCTOR_OK]);
	json_put_count(n, "warnings", d->count[DOCTOR_WARNING]);
	json_put_count(n, "wrong", d->count[DOCTOR_WRONG]);
	json_put_count(n, "not_checked", d->count[DOCTOR_UNKNOWN]);
}

static const char *color_of(enum doctor_verdict verdict)
{
	if (verdict == DOCTOR_WRONG)
		return term_color(TERM_WRONG);
	return verdict == DOCTOR_WARNING ? term_color(TERM_WARNING) : "";
}

void doctor_add(struct doctor *d, enum doctor_verdict verdict, const char *fmt, ...)
{
	char text[DOCTOR_TEXT_MAX], shown[4 * DOCTOR_TEXT_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	d->count[verdict]++;
	if (d->is_report || (d->is_trial && verdict == DOCTOR_OK))
		return;
	if (!d->c->json)
		printf("%s%-8s%s %s: %s%s\n", color_of(verdict), verdict_words[verdict],
			term_color(TERM_PLAIN), d->check,
			verdict == DOCTOR_UNKNOWN ? "not checked: " : "",
			term_text(text, shown, sizeof(shown)));
	if (!d->list)
		return;
	d->last = json_put_object(d->list, NULL);
	json_put_text(d->last, "verdict", verdict_words[verdict]);
	json_put_text(d->last, "check", d->check);
	json_put_text(d->last, "text", text);
}

void doctor_do(struct doctor *d, const char *fmt, ...)
{
	char text[DOCTOR_TEXT_MAX], shown[4 * DOCTOR_TEXT_MAX];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (d->is_report)
		return;
	if (!d->c->json)
		printf("  do: %s\n", term_text(text, shown, sizeof(shown)));
	if (d->last)
		json_put_text(d->last, "do", text);
}

bool doctor_lacks_config(struct doctor *d)
{
	if (!d->config)
		doctor_add(d, DOCTOR_UNKNOWN, "it needs the configuration, which cannot be used");
	return !d->config;
}

bool doctor_lacks_sight(struct doctor *d)
{
	if (d->is_hidden)
		doctor_add(d, DOCTOR_UNKNOWN,
			"this user may not see whether weir runs (root, or a "
			"member of runtime.group)");
	return d->is_hidden;
}

const struct json_node *doctor_status(const struct doctor *d)
{
	return d->has_view && d->view.control ? json_doc_root(d->view.control) : NULL;
}

long long doctor_number(const char *path)
{
	char line[64], *end;
	int rc = sysroot_line(line, sizeof(line), "%s", path);
	if (rc)
		return rc;
	long long n = strtoll(line, &end, 10);
	return end == line ? -EINVAL : n;
}

long long doctor_field(const char *path, const char *field)
{
	char real[SYSROOT_PATH_MAX], line[256];
	size_t len = strlen(field);
	FILE *f = fopen(sysroot_path(real, "%s", path), "re");
	long long n = -ENOENT;
	if (!f)
		return -errno;
	while (n == -ENOENT && fgets(line, sizeof(line), f)) {
		if (strncmp(line, field, len) != 0 || line[len] != ':')
			continue;
		n = strtoll(line + len + 1, NULL, 10);
	}
	fclose(f);
	return n;
}

size_t doctor_files_count(const char *pattern)
{
	char real[SYSROOT_PATH_MAX];
	glob_t found;
	if (glob(sysroot_path(real, "%s", pattern), 0, NULL, &found) != 0)
		return 0;
	const size_t count = found.gl_pathc;
	globfree(&found);
	return count;
}

static void user_find(struct passwd_user *out, const char *name, pid_t pid)
{
	char path[64];
	*out = (struct passwd_user){.name = "root"};
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	long long uid = pid ? doctor_field(path, "Uid") : -ENOENT;
	long long gid = pid ? doctor_field(path, "Gid") : -ENOENT;
	bool is_known = uid >= 0 && gid >= 0;
	bool has_name = sysroot_user_find(is_known ? NULL : name, (uid_t)uid, out);
	if (!is_known)
		return;
	if (!has_name)
		snprintf(out->name, sizeof(out->name), "%lld", uid);
	out->uid = (uid_t)uid;
	out->gid = (gid_t)gid;
}

// Does the process run the control plane's program? Errors of a process that this user may not
// inspect count as yes: there is nothing to see of it either.
static bool runs_controlplane(pid_t pid)
{
	static const char program[] = "weir-controlplane";
	char path[SYSROOT_PATH_MAX], to[512];
	const ssize_t len =
		readlink(sysroot_path(path, "/proc/%d/exe", (int)pid), to, sizeof(to) - 1);
	if (len < 0)
		return errno == EACCES || errno == EPERM;
	to[len] = '\0';
	const char *base = strrchr(to, '/');
	return base && strncmp(base + 1, program, sizeof(program) - 1) == 0
	       && (base[sizeof(program)] == '\0' || base[sizeof(program)] == ' '); // " (deleted)"
}

// Is the number of a process that does not run the control plane one of another PID namespace, such
// as a container's? Here it then is no process, a kernel thread, or a process of a third namespace;
// process 1 is the first one of each.
static bool is_elsewhere(pid_t pid)
{
	char path[SYSROOT_PATH_MAX], exe[1], own[64] = "", its[64] = "";
	if (pid == 1
		|| readlink(sysroot_path(path, "/proc/%d/exe", (int)pid), exe, sizeof(exe)) < 0)
		return true;
	return readlink(sysroot_path(path, "/proc/self/ns/pid"), own, sizeof(own) - 1) > 0
	       && readlink(sysroot_path(path, "/proc/%d/ns/pid", (int)pid), its, sizeof(its) - 1)
			  > 0
	       && strcmp(own, its) != 0;
}

// The process that /status names. The control plane is not trusted with the choice: doctor reads of
// that process as root, and advises by its user.
static void controlplane_find(struct doctor *d)
{
	const uint64_t said = json_count(doctor_status(d), "pid");
	const pid_t pid = said <= INT_MAX ? (pid_t)said : 0;
	d->cp_said_pid = said;
	d->cp_pid = pid && runs_controlplane(pid) ? pid : 0;
	d->cp_is_elsewhere = pid && !d->cp_pid && is_elsewhere(pid);
}

void doctor_users_find(struct doctor *d)
{
	const struct view *v = &d->view;
	// Old statistics may be those of an earlier process.
	bool is_dp_up = d->has_view && v->has_stats
			&& (v->dataplane == PROCESS_UP
				|| (v->dataplane == PROCESS_HUNG
					&& sysroot_exists("/proc/%u", v->stats->pid)));
	d->dp_pid = is_dp_up ? (pid_t)v->stats->pid : 0;
	d->is_hidden = v->dataplane == PROCESS_UNKNOWN || v->controlplane == PROCESS_UNKNOWN;
	d->runs = v->dataplane != PROCESS_DOWN || v->controlplane != PROCESS_DOWN;
	controlplane_find(d);
	user_find(&d->dp, "weir-dp", d->dp_pid);
	user_find(&d->cp, "weir-cp", d->cp_pid);
}
