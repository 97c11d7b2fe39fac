// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files that a peer hands over on a unix socket (SCM_RIGHTS). The thread that receives the message,
// or closes a socket in which it waits, also closes them, and that may take the kernel long.

#include <sys/socket.h>
#include <weir/attr.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

// Linux from 6.16 on lets the sender keep them: of this socket, and of each connection that is made
// to it while it listens. An older one has no means.
ATTR_INLINE void passed_files_refuse(int fd)
{
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &(int){0}, sizeof(int));
}
