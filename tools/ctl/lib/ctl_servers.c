// SPDX-License-Identifier: BSD-3-Clause
#include "ctl.h"
#include "passwd_find.h"

#include <errno.h>
#include <sys/stat.h>

// An operator may not pass a folder above the state directory, and a container may lack it.
void ctl_servers_find(struct ctl_servers *s, const char *state_directory)
{
	struct passwd_user user = {.uid = 0};
	struct stat st = {.st_uid = 0};

	s->err = stat(state_directory, &st) == 0 ? 0 : errno;
	s->owner = s->err ? 0 : st.st_uid;
	s->user = passwd_find("weir-cp", 0, &user) ? user.uid : 0;
}
