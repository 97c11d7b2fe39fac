// SPDX-License-Identifier: BSD-3-Clause
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void greeting_close(struct greeting *g)
{
	while (g->fd_count > 0)
		close(g->fds[--g->fd_count]);
}

static void take_fds(struct greeting *g, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (g->fd_count < ARRAY_LEN(g->fds))
				g->fds[g->fd_count++] = fd;
			else
				close(fd);
		}
	}
}

int greeting_read(int fd, struct greeting *g, char why[SHM_WHY_MAX])
{
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * LINK_BELLS_MAX)];
	struct iovec iov = {.iov_base = &g->hello, .iov_len = sizeof(g->hello)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	g->fd_count = 0;
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0) {
		int err = errno;
		snprintf(why, SHM_WHY_MAX, "hello: %s", strerror(err));
		return -err;
	}
	take_fds(g, &msg);
	const struct link_hello *h = &g->hello;
	if (n == 0) {
		snprintf(why, SHM_WHY_MAX, "closed the link before its hello");
		return -EPIPE;
	}
	// Magic and version stand where every version has them.
	bool begins = (size_t)n >= offsetof(struct link_hello, workers) && h->magic == SHM_MAGIC;
	if (begins && h->abi_version != SHM_ABI_VERSION) {
		snprintf(why, SHM_WHY_MAX,
			"its ABI version is %u, weir's is %u: restart both processes from the same "
			"build",
			h->abi_version, SHM_ABI_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (!begins || n != sizeof(*h) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		snprintf(why, SHM_WHY_MAX, "not a hello of weir-dataplane");
		return -EPROTO;
	}
	if (h->workers == 0 || h->workers > SHM_WORKERS_MAX || h->resolver_bells == 0
		|| h->resolver_bells > SHM_RESOLVERS_MAX
		|| g->fd_count != h->workers + h->resolver_bells || h->dp_incarnation == 0) {
		snprintf(why, SHM_WHY_MAX, "%u workers, %u resolvers, %u bells", h->workers,
			h->resolver_bells, g->fd_count);
		return -EPROTO;
	}
	return 0;
}
