// SPDX-License-Identifier: BSD-3-Clause

#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/bell.h>
#include <weir/fault.h>
#include <weir/gong.h>
#include <weir/log.h>
#include <weir/os/passed_files.h>
#include <weir/shm_region.h>

int link_init(struct link_client *l, const char *run_dir, const int *bells, unsigned workers,
	uint64_t dp_incarnation)
{
	struct link_client link = {
		.fd = -1, .bells = bells, .workers = workers, .dp_incarnation = dp_incarnation};
	int n = snprintf(link.path, sizeof(link.path), "%s/" SHM_NAME_LINK, run_dir);
	if (n < 0 || (size_t)n >= sizeof(link.path))
		return -ENAMETOOLONG;
	*l = link;
	return 0;
}

static void leave(struct link_client *l)
{
	if (l->fd >= 0)
		closer_take(&l->closer, l->fd);
	l->fd = -1;
	l->up = false;
}

void link_close(struct link_client *l)
{
	leave(l);
	closer_end(&l->closer);
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
	leave(l);
	l->next_try_ms = now_ms + LINK_RETRY_MS;
	return was_up ? LINK_WENT_DOWN : LINK_NOTHING;
}

static int send_hello(const struct link_client *l)
{
	const struct link_hello hello = {.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.workers = l->workers,
		.dp_incarnation = l->dp_incarnation};
	ssize_t n = send(l->fd, &hello, sizeof(hello), MSG_NOSIGNAL);
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
		leave(l);
	}
}

struct greeting { // a welcome and the descriptors that came with it
	struct link_welcome welcome;
	int fds[CLOSER_MESSAGE_MAX];
	unsigned count;
};

static void take_fds(struct greeting *g, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (g->count < CLOSER_MESSAGE_MAX)
				g->fds[g->count++] = fd;
		}
	}
}

// The length of the message, longer than the struct if it was; or -errno. There is room for all
// descriptors: the kernel would close others in this thread.
static ssize_t read_welcome(int fd, struct greeting *g)
{
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(g->fds))];
	struct iovec iov = {.iov_base = &g->welcome, .iov_len = sizeof(g->welcome)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	g->count = 0;
	ssize_t n = recvmsg(fd, &msg, MSG_TRUNC | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	take_fds(g, &msg);
	return n;
}

static bool socket_says(int fd, int option, int value)
{
	int found = -1;
	socklen_t len = sizeof(found);
	return getsockopt(fd, SOL_SOCKET, option, &found, &len) == 0 && found == value;
}

// A stream socket between processes of this machine, which bell_open makes.
static bool bell_end_is(int fd)
{
	return socket_says(fd, SO_DOMAIN, AF_UNIX) && socket_says(fd, SO_TYPE, SOCK_STREAM);
}

// A welcome for more workers or resolvers than there are numbers for, or of another kind, is
// nonsense.
static bool are_bells(const struct link_client *l, const struct greeting *g)
{
	const struct link_welcome *w = &g->welcome;
	const unsigned ends = LINK_BELL_ENDS * l->workers;
	bool fit = w->workers == l->workers && w->resolvers > 0 && w->resolvers <= SHM_RESOLVERS_MAX
		   && g->count == ends + w->resolvers;
	for (unsigned i = 0; fit && i < g->count; i++)
		fit = i < ends ? bell_end_is(g->fds[i]) : gong_is(g->fds[i]);
	return fit;
}

// The old one has a second number meanwhile, or dup3 would close it.
static int bell_replace(struct link_client *l, int fd, int bell)
{
	const int old = fcntl(bell, F_DUPFD_CLOEXEC, 0);
	if (old < 0)
		return -errno;
	closer_take(&l->closer, old);
	return dup3(fd, bell, O_CLOEXEC) < 0 ? -errno : 0;
}

// One that rang before may not have been heard: each bell rings once.
static int take_bells(struct link_client *l, const struct greeting *g)
{
	const unsigned ends = LINK_BELL_ENDS * l->workers;
	int rc = 0;
	for (unsigned i = 0; rc == 0 && i < g->count; i++)
		rc = bell_replace(l, g->fds[i], l->bells[i]);
	for (unsigned i = 0; i < ends; i += LINK_BELL_ENDS) {
		passed_files_refuse(l->bells[i + BELL_HEARS]);
		bell_ring(l->bells[i + BELL_RINGS]);
	}
	for (unsigned i = ends; i < g->count; i++)
		gong_strike(l->bells[i]);
	return rc;
}

static int check_welcome(struct link_client *l, const struct greeting *g, ssize_t len)
{
	const struct link_welcome *w = &g->welcome;
	if (len != (ssize_t)sizeof(*w) || w->magic != SHM_MAGIC
		|| w->abi_version != SHM_ABI_VERSION) {
		tell(l, EPROTO, "its welcome is not of our version");
		return -EPROTO;
	}
	if (w->error != 0) {
		int error = w->error < 0 && w->error > -4096 ? -w->error : EPROTO;
		tell(l, error, "refused (its log says why)");
		return -error;
	}
	int rc = are_bells(l, g) ? take_bells(l, g) : -EPROTO;
	if (rc)
		tell(l, -rc, "bells");
	return rc;
}

static enum link_event await_welcome(struct link_client *l, uint64_t now_ms)
{
	struct greeting g;
	ssize_t n = read_welcome(l->fd, &g);
	if (n == -EAGAIN || n == -EINTR) {
		if (now_ms < l->deadline_ms)
			return LINK_NOTHING;
		tell(l, ETIMEDOUT, "no welcome");
		return drop(l, now_ms);
	}
	int rc = n > 0 ? check_welcome(l, &g, n) : -EPIPE;
	while (g.count > 0)
		closer_take(&l->closer, g.fds[--g.count]);
	if (rc)
		return drop(l, now_ms);
	l->up = true;
	l->told_error = 0;
	log_info("link to the control plane is up, its incarnation %016llx",
		(unsigned long long)g.welcome.cp_incarnation);
	return LINK_CAME_UP;
}

static enum link_event watch(struct link_client *l, uint64_t now_ms)
{
	char byte;
	// Left unread, as the kernel would close the message's descriptors in this thread.
	ssize_t n = recv(l->fd, &byte, 1, MSG_PEEK);
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
	const bool all_closed = closer_turn(&l->closer);
	if (l->up)
		return watch(l, now_ms);
	if (l->fd < 0 && all_closed && now_ms >= l->next_try_ms)
		try_connect(l, now_ms);
	return l->fd < 0 ? LINK_NOTHING : await_welcome(l, now_ms);
}
