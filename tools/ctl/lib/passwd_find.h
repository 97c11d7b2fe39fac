// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Users of the machine, by /etc/passwd below WEIR_ROOT (sysroot.h). Any user.

#include <stdbool.h>
#include <sys/types.h>
#include <weir/attr.h>

enum { PASSWD_NAME_MAX = 40 };

struct passwd_user {
	char name[PASSWD_NAME_MAX];
	uid_t uid;
	gid_t gid;
};

// By its name, or with NULL by its number. False: no such user; `out` stays.
ATTR_MUST_CHECK bool passwd_find(const char *name, uid_t uid, struct passwd_user *out);
