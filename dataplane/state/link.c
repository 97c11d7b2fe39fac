// SPDX-License-Identifier: BSD-3-Clause

#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/fault.h>
#include <weir/log.h>
#include <weir/shm_region.h>

int link_init(struct link_client *l, const char *run_dir, const int *bells, unsigned workers,
	unsigned resolver_bells, uint64_t dp_incarnation)
{
	struct link_client link = {.fd = -1,
		.bells = bells,
		.workers = workers,
		.resolver_bells = resolver_bells,
		.dp_incarnation = dp_incarnation};
	int n = snprintf(link.path, sizeof(link.path), "%s/" SHM_NAME_LINK, run_dir);
	if (n < 0 || (size_t)n >= sizeof(link.path))
		return -ENAMETOOLONG;
	*l = link;
	return 0;
}

void link_close(struct link_client *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	l->up = false;
}

// The one refusal that repeats each 100 ms is worth one line, not ten a second.
static void tell(struct link_client *l, int error, const char *what)
{
	if (l->told_error == error)
		return;
	l->told_error = error;
	log_warning("link to the control plane: %s: %s", what, strerror(error));
}

static enum link_event drop(struct link_client *l, uint64_t now_ms)
{
	bool was_up = l->up;
	link_close(l);
	l->next_try_ms = now_ms + LINK_RETRY_MS;
	return was_up ? LINK_WENT_DOWN : LINK_NOTHING;
}

static int send_hello(const struct link_client *l)
{
	struct link_hello hello = {.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.workers = l->workers,
		.dp_incarnation = l->dp_incarnation,
		.resolver_bells = l->resolver_bells};
	struct iovec iov = {.iov_base = &hello, .iov_len = sizeof(hello)};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * LINK_BELLS_MAX)];
	} control = {0};
	size_t fds_size = sizeof(int) * (l->workers + l->resolver_bells);
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(fds_size)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(fds_size);
	memcpy(CMSG_DATA(c), l->bells, fds_size);
	ssize_t n = sendmsg(l->fd, &msg, MSG_NOSIGNAL);
	return n == (ssize_t)sizeof(hello) ? 0 : n < 0 ? -errno : -EPROTO;
}

static void try_connect(struct link_client *l, uint64_t now_ms)
{
	l->next_try_ms = now_ms + LINK_RETRY_MS;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	static_assert(sizeof(addr.sun_path) == LINK_PATH_MAX);
	memcpy(addr.sun_path, l->path, sizeof(addr.sun_path));
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
		// A missing listener is normal for a data plane that started first.
		if (errno != ENOENT && errno != ECONNREFUSED && errno != EAGAIN)
			tell(l, errno, "connect");
		close(fd);
		return;
	}
	l->fd = fd;
	l->deadline_ms = now_ms + LINK_WELCOME_MS;
	int rc = send_hello(l);
	FAULT_POINT(link_hello_sent);
	if (rc) {
		tell(l, -rc, "hello");
		link_close(l);
	}
}

static enum link_event await_welcome(struct link_client *l, uint64_t now_ms)
{
	struct link_welcome welcome;
	ssize_t n = recv(l->fd, &welcome, sizeof(welcome), MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (now_ms < l->deadline_ms)
			return LINK_NOTHING;
		tell(l, ETIMEDOUT, "no welcome");
		return drop(l, now_ms);
	}
	if (n <= 0)
		return drop(l, now_ms);
	if (n != (ssize_t)sizeof(welcome) || welcome.magic != SHM_MAGIC
		|| welcome.abi_version != SHM_ABI_VERSION) {
		tell(l, EPROTO, "its welcome is not of our version");
		return drop(l, now_ms);
	}
	if (welcome.error != 0) {
		int error = welcome.error < 0 && welcome.error > -4096 ? -welcome.error : EPROTO;
		tell(l, error, "refused (its log says why)");
		return drop(l, now_ms);
	}
	l->up = true;
	l->told_error = 0;
	log_info("link to the control plane is up, its incarnation %016llx",
		(unsigned long long)welcome.cp_incarnation);
	return LINK_CAME_UP;
}

static enum link_event watch(struct link_client *l, uint64_t now_ms)
{
	char byte;
	ssize_t n = recv(l->fd, &byte, 1, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return LINK_NOTHING;
	log_warning("link to the control plane is down: %s",
		n == 0  ? "the control plane closed it"
		: n > 0 ? "the control plane sent unexpected data"
			: strerror(errno));
	return drop(l, now_ms);
}

enum link_event link_poll(struct link_client *l, uint64_t now_ms)
{
	if (l->up)
		return watch(l, now_ms);
	if (l->fd < 0 && now_ms >= l->next_try_ms)
		try_connect(l, now_ms);
	return l->fd < 0 ? LINK_NOTHING : await_welcome(l, now_ms);
}
