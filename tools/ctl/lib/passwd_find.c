// SPDX-License-Identifier: BSD-3-Clause
#include "passwd_find.h"

#include "sysroot.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

bool passwd_find(const char *name, uid_t uid, struct passwd_user *out)
{
	char path[SYSROOT_PATH_MAX], room[4096];
	struct passwd one, *found;
	FILE *f = fopen(sysroot_path(path, "/etc/passwd"), "re");
	bool is_there = false;
	while (f && !is_there && fgetpwent_r(f, &one, room, sizeof(room), &found) == 0)
		is_there = name ? strcmp(one.pw_name, name) == 0 : one.pw_uid == uid;
	if (f)
		fclose(f);
	if (is_there) {
		snprintf(out->name, sizeof(out->name), "%s", one.pw_name);
		out->uid = one.pw_uid;
		out->gid = one.pw_gid;
	}
	return is_there;
}
