// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Descriptors that are handed over on unix sockets, for tests of who keeps them.

#include <errno.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/os/passed_files.h>

// Hands these over beside the bytes. 0 or -errno.
static inline int passed_files_send(
	int to, const void *bytes, size_t len, const int *fds, unsigned count)
{
	enum { MOST = 8 };
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * MOST)] = {0};
	const size_t size = sizeof(int) * count;
	struct msghdr msg = {.msg_iov = &(struct iovec){(void *)(uintptr_t)bytes, len},
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(size)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	if (count > MOST)
		return -E2BIG;
	*c = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), fds, size);
	return sendmsg(to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

// The socket itself, with a byte.
static inline int passed_files_try(int to)
{
	return passed_files_send(to, "?", 1, &to, 1);
}

// Can this kernel have the sender keep them? From Linux 6.16 on. (qemu's user mode takes the option
// and leaves it alone.)
static inline bool passed_files_known(void)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
		return false;
	(void)setsockopt(pair[0], SOL_SOCKET, SO_PASSRIGHTS, &(int){0}, sizeof(int));
	const int rc = passed_files_try(pair[1]);
	close(pair[0]);
	close(pair[1]);
	return rc == -EPERM;
}

static inline bool listens_at(int fd, const char *at)
{
	struct sockaddr_un sun = {0};
	socklen_t len = sizeof(sun);
	int listens = 0;
	socklen_t size = sizeof(listens);
	return getsockname(fd, (struct sockaddr *)&sun, &len) == 0 && sun.sun_family == AF_UNIX
	       && strcmp(sun.sun_path, at) == 0
	       && getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens;
}

// Who connects to this listener of the own process may hand them over again, as before Linux 6.16.
// False: nobody listens there.
static inline bool passed_files_allow(const char *at)
{
	enum { MOST = 1024 };
	int fd = 0;
	while (fd < MOST && !listens_at(fd, at))
		fd++;
	(void)setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &(int){1}, sizeof(int));
	return fd < MOST;
}
