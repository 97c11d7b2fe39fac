// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A control plane's welcome and its bells, for tests that play one.

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/bell.h>
#include <weir/gong.h>
#include <weir/shm_msg.h>

enum { WELCOME_FILES_MAX = 253 }; // the kernel's

// What it sends with so many descriptors; -1.
static inline ssize_t welcome_pass(
	int to, const void *bytes, size_t len, const int *fds, unsigned count)
{
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * WELCOME_FILES_MAX)] = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (count > 0) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int) * count),
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
	}
	return sendmsg(to, &msg, MSG_NOSIGNAL);
}

// New bells as far as w->workers and w->resolvers say, in their order. Their number.
static inline unsigned welcome_bells(const struct link_welcome *w, int *fds)
{
	unsigned n = 0;
	for (unsigned i = 0; i < w->workers; i++, n += BELL_ENDS)
		if (bell_open(fds + n))
			return n;
	for (unsigned r = 0; r < w->resolvers; r++)
		fds[n++] = gong_open();
	return n;
}

static inline bool welcome_send(int to, const struct link_welcome *w)
{
	int fds[LINK_BELLS_MAX];
	unsigned n = welcome_bells(w, fds);
	const bool is_sent = welcome_pass(to, w, sizeof(*w), fds, n) == sizeof(*w);
	while (n > 0)
		close(fds[--n]);
	return is_sent;
}
