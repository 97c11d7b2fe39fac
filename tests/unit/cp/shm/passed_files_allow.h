// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Who connects to a listener of this process may hand over descriptors again, as on a kernel before
// Linux 6.16.

#include <stdbool.h>
#include <string.h>
#include <sys/un.h>
#include <weir/os/passed_files.h>

static inline bool listens_at(int fd, const char *path)
{
	struct sockaddr_un sun = {0};
	socklen_t len = sizeof(sun);
	int listens = 0;
	socklen_t size = sizeof(listens);
	return getsockname(fd, (struct sockaddr *)&sun, &len) == 0 && sun.sun_family == AF_UNIX
	       && strcmp(sun.sun_path, path) == 0
	       && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
}

// False: nobody listens there.
static inline bool passed_files_allow(const char *path)
{
	enum { MOST = 1024 };
	int fd = 0;
	while (fd < MOST && !listens_at(fd, path))
		fd++;
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &(int){1}, sizeof(int));
	return fd < MOST;
}
