// SPDX-License-Identifier: BSD-3-Clause

// The bells of a data plane: made here, and handed over with the welcome.
#include "link_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void end_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void hears_close(struct link_bells *b)
{
	for (unsigned i = 0; i < b->workers; i++)
		end_close(&b->hears[i]);
}

void link_bells_close(struct link_bells *b)
{
	hears_close(b);
	for (unsigned i = 0; i < b->workers; i++)
		end_close(&b->rings[i]);
	for (unsigned r = 0; r < b->resolvers; r++)
		end_close(&b->gong[r]);
}

int link_bells_open(struct link_bells *b, unsigned workers, unsigned resolvers)
{
	int rc = 0;
	*b = (struct link_bells){0};
	while (rc == 0 && b->workers < workers) {
		int end[BELL_ENDS];
		rc = bell_open(end);
		if (rc)
			break;
		b->hears[b->workers] = end[BELL_HEARS];
		b->rings[b->workers++] = end[BELL_RINGS];
	}
	while (rc == 0 && b->resolvers < resolvers) {
		const int gong = gong_open();
		rc = gong < 0 ? gong : 0;
		if (rc == 0)
			b->gong[b->resolvers++] = gong;
	}
	if (rc)
		link_bells_close(b);
	return rc;
}

// In the order of struct link_welcome; their number.
static unsigned list(const struct link_bells *b, int fds[LINK_BELLS_MAX])
{
	unsigned n = 0;
	for (unsigned i = 0; i < b->workers; i++) {
		fds[n++] = b->hears[i];
		fds[n++] = b->rings[i];
	}
	for (unsigned r = 0; r < b->resolvers; r++)
		fds[n++] = b->gong[r];
	return n;
}

int link_bells_give(struct link_bells *b, int peer, struct link_welcome *w)
{
	int fds[LINK_BELLS_MAX];
	const size_t size = sizeof(fds[0]) * list(b, fds);
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fds))] = {0};
	struct iovec iov = {.iov_base = w, .iov_len = sizeof(*w)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(size)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	w->workers = b->workers;
	w->resolvers = b->resolvers;
	*c = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(c), fds, size);
	const int rc = sendmsg(peer, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
	hears_close(b);
	return rc;
}
