// SPDX-License-Identifier: BSD-3-Clause

// On a helper's thread.
#include "link_guests.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <weir/clock.h>

enum { LOOK_MS = 50 };

static bool comes(int fd, const _Atomic bool *stop)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	const uint64_t end_ms = clock_mono_ms() + LINK_HELLO_MS;
	int n = 0;
	while (n <= 0 && !atomic_load(stop) && clock_mono_ms() < end_ms)
		n = poll(&p, 1, LOOK_MS);
	return n > 0;
}

// Without room for descriptors: the kernel closes those that came, and says so.
static int check(const struct link_hello *h, ssize_t n, int flags, char why[SHM_WHY_MAX])
{
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
	if (!begins || n != sizeof(*h) || (flags & (MSG_TRUNC | MSG_CTRUNC))) {
		snprintf(why, SHM_WHY_MAX, "not a hello of weir-dataplane");
		return -EPROTO;
	}
	if (h->workers == 0 || h->workers > SHM_WORKERS_MAX || h->dp_incarnation == 0) {
		snprintf(why, SHM_WHY_MAX, "%u workers", h->workers);
		return -EPROTO;
	}
	return 0;
}

void link_hello_read(struct link_guest *guest, const _Atomic bool *stop)
{
	struct iovec iov = {.iov_base = &guest->hello, .iov_len = sizeof(guest->hello)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	if (!comes(guest->fd, stop)) {
		guest->rc = -ETIMEDOUT;
		return;
	}
	ssize_t n = recvmsg(guest->fd, &msg, MSG_DONTWAIT);
	if (n < 0) {
		guest->rc = -errno;
		snprintf(guest->why, SHM_WHY_MAX, "hello: %s", strerror(-guest->rc));
		return;
	}
	guest->rc = check(&guest->hello, n, msg.msg_flags, guest->why);
}
