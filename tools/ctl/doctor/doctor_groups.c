// SPDX-License-Identifier: BSD-3-Clause
// Who is an operator, and who may read statistics, by /etc/group below WEIR_ROOT.

#include "doctor_checks.h"
#include "lib/sysroot.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>

enum member { NO_GROUP, NOT_IN_IT, IN_IT, BY_BIRTH }; // BY_BIRTH: it is the user's own group

static enum member member_of(const struct passwd_user *u, const char *group)
{
	char path[SYSROOT_PATH_MAX], room[16384];
	struct group one, *found;
	enum member is = NO_GROUP;
	FILE *f = fopen(sysroot_path(path, "/etc/group"), "re");
	while (f && is == NO_GROUP && fgetgrent_r(f, &one, room, sizeof(room), &found) == 0) {
		if (strcmp(one.gr_name, group) != 0)
			continue;
		is = one.gr_gid == u->gid ? BY_BIRTH : NOT_IN_IT;
		for (char **name = one.gr_mem; is == NOT_IN_IT && *name; name++)
			if (strcmp(*name, u->name) == 0)
				is = IN_IT;
	}
	if (f)
		fclose(f);
	return is;
}

// It parses what strangers send.
static void dataplane_check(struct doctor *d, const char *operators)
{
	const enum member is = member_of(&d->dp, operators);
	if (is == NO_GROUP) {
		doctor_add(d, DOCTOR_UNKNOWN, "/etc/group has no %s (runtime.group)", operators);
	} else if (is == NOT_IN_IT) {
		doctor_add(d, DOCTOR_OK, "the data plane's user %s is not in runtime.group",
			d->dp.name);
	} else {
		doctor_add(d, DOCTOR_WARNING,
			"the data plane's user %s is in %s (runtime.group): it is no operator",
			d->dp.name, operators);
		doctor_do(d,
			is == IN_IT ? "gpasswd -d %s %s && systemctl restart weir-dataplane"
				    : "id %s # its own group is %s: name another one in "
				      "runtime.group",
			d->dp.name, operators);
	}
}

// A process can give a file to a group of its own alone.
static void giver_check(
	struct doctor *d, const struct passwd_user *u, const char *key, const char *group)
{
	if (member_of(u, group) != NOT_IN_IT)
		return;
	doctor_add(d, DOCTOR_WARNING, "the user %s is not in %s (%s)", u->name, group, key);
	doctor_do(d, "usermod -aG %s %s && systemctl restart weir-dataplane weir-controlplane",
		group, u->name);
}

void doctor_check_groups(struct doctor *d)
{
	if (doctor_lacks_config(d))
		return;
	const struct config_runtime *r = &d->config->runtime;
	if (!r->group[0])
		doctor_add(d, DOCTOR_OK, "no runtime.group: root alone is an operator");
	if (d->dp.uid == d->cp.uid) {
		doctor_add(d, DOCTOR_OK, "both processes have one user, %s", d->cp.name);
		return;
	}
	if (r->group[0]) {
		dataplane_check(d, r->group);
		giver_check(d, &d->cp, "runtime.group", r->group);
	}
	if (r->stats_group[0]) {
		giver_check(d, &d->dp, "runtime.stats_group", r->stats_group);
		giver_check(d, &d->cp, "runtime.stats_group", r->stats_group);
	} else if (r->group[0]) {
		doctor_add(d, DOCTOR_WARNING,
			"no runtime.stats_group: operators see no statistics while the control "
			"plane is down");
		doctor_do(d,
			"editor %s # below \"group: %s\" add \"stats_group: weir-stats\"; then "
			"systemctl restart weir-dataplane weir-controlplane",
			SHELL_QUOTE(d->c->config_path), r->group);
	}
}
