// SPDX-License-Identifier: BSD-3-Clause
#include "link.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/fault.h>
#include <weir/log.h>

enum { HELLO_MS = 1000, BEAT_MS = 100 };

struct link_server {
	struct loop *loop;
	struct publisher *publisher;
	struct worker_rings *worker_rings;
	struct l0_writer *l0;
	char path[SHM_PATH_MAX + 16];
	int listen_fd, peer_fd; // -1: none
	bool up;                // the peer has been welcomed
	struct event *accept_event, *peer_event, *beat;
};

static void peer_drop(struct link_server *s)
{
	if (s->peer_event)
		event_free(s->peer_event);
	s->peer_event = NULL;
	if (s->peer_fd >= 0)
		close(s->peer_fd);
	s->peer_fd = -1;
	s->up = false;
}

static void welcome_send(int fd, uint64_t incarnation, int error)
{
	const struct link_welcome w = {
		.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.error = error,
		.cp_incarnation = incarnation,
	};
	(void)send(fd, &w, sizeof(w), MSG_DONTWAIT | MSG_NOSIGNAL);
}

// A hello and the descriptors that came with it; -EAGAIN: nothing there yet.
struct greeting {
	struct link_hello hello;
	int fds[SHM_WORKERS_MAX];
	unsigned fd_count;
};

static void greeting_close(const struct greeting *g)
{
	for (unsigned i = 0; i < g->fd_count; i++)
		close(g->fds[i]);
}

static void greeting_take_fds(struct greeting *g, struct msghdr *msg)
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

static int greeting_read(int fd, struct greeting *g, char why[SHM_WHY_MAX])
{
	alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * SHM_WORKERS_MAX)];
	struct iovec iov = {.iov_base = &g->hello, .iov_len = sizeof(g->hello)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return -errno;
	greeting_take_fds(g, &msg);
	const struct link_hello *h = &g->hello;
	if (n == 0) {
		snprintf(why, SHM_WHY_MAX, "closed the link before its hello");
		return -EPIPE;
	}
	if (n != sizeof(*h) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		|| h->magic != SHM_MAGIC) {
		snprintf(why, SHM_WHY_MAX, "not a hello of weir-dataplane");
		return -EPROTO;
	}
	if (h->abi_version != SHM_ABI_VERSION) {
		snprintf(why, SHM_WHY_MAX,
			"its ABI version is %u, weir's is %u: restart both processes from the same "
			"build",
			h->abi_version, SHM_ABI_VERSION);
		return -EPROTONOSUPPORT;
	}
	if (h->workers == 0 || h->workers > SHM_WORKERS_MAX || g->fd_count != h->workers
		|| h->dp_incarnation == 0) {
		snprintf(why, SHM_WHY_MAX, "%u workers, %u bells", h->workers, g->fd_count);
		return -EPROTO;
	}
	return 0;
}

static void peer_greet(struct link_server *s)
{
	struct greeting g = {.fd_count = 0};
	char why[SHM_WHY_MAX] = "";

	int rc = greeting_read(s->peer_fd, &g, why);
	if (rc == -EAGAIN || rc == -EINTR)
		return;
	FAULT_POINT(link_hello_taken);
	if (rc == 0)
		rc = worker_rings_attach(s->worker_rings, &g.hello, g.fds, why);
	if (rc < 0) {
		log_warning("data plane refused: %s", why);
		greeting_close(&g);
		welcome_send(s->peer_fd, publisher_incarnation(s->publisher), rc);
		peer_drop(s);
		return;
	}
	s->up = true;
	event_del(s->peer_event);
	event_add(s->peer_event, NULL);
	welcome_send(s->peer_fd, publisher_incarnation(s->publisher), 0);
	FAULT_POINT(link_welcome_sent);
	log_info("data plane attached, %u workers", g.hello.workers);
}

static void on_peer(evutil_socket_t fd, short what, void *arg)
{
	struct link_server *s = arg;
	char byte;

	if (what & EV_TIMEOUT) {
		log_warning("data plane: handshake timed out");
		peer_drop(s);
		return;
	}
	if (!s->up) {
		peer_greet(s);
		return;
	}
	ssize_t n = recv(fd, &byte, sizeof(byte), MSG_DONTWAIT);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	log_warning("data plane closed its link");
	peer_drop(s);
}

// Without a link, again and again: is the process dead? It may start and die unseen.
static void on_beat(evutil_socket_t, short, void *arg)
{
	struct link_server *s = arg;
	publisher_heartbeat(s->publisher, clock_mono_ms());
	worker_rings_beat(s->worker_rings);
	l0_writer_reclaim(s->l0);
	if (!s->up && publisher_probe_readers(s->publisher))
		worker_rings_detach(s->worker_rings);
	// on_accept may have stopped listening.
	(void)event_add(s->accept_event, NULL);
}

static void on_accept(evutil_socket_t fd, short, void *arg)
{
	struct link_server *s = arg;
	int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (peer < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			event_del(s->accept_event); // no file or memory: until the next beat
		return;
	}
	if (s->peer_fd >= 0) {
		// Reads its message first: closing with unread bytes would reset the connection and
		// lose the welcome.
		struct greeting g = {.fd_count = 0};
		char why[SHM_WHY_MAX];
		(void)!greeting_read(peer, &g, why);
		greeting_close(&g);
		welcome_send(peer, publisher_incarnation(s->publisher), -EBUSY);
		close(peer);
		return;
	}
	s->peer_fd = peer;
	s->peer_event = event_new(loop_base(s->loop), peer, EV_READ | EV_PERSIST, on_peer, s);
	if (!s->peer_event
		|| event_add(s->peer_event, &(struct timeval){.tv_sec = HELLO_MS / 1000}) < 0)
		peer_drop(s);
}

static int listen_open(struct link_server *s)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (strlen(s->path) >= sizeof(sun.sun_path))
		return -ENAMETOOLONG;
	strcpy(sun.sun_path, s->path);
	s->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->listen_fd < 0)
		return -errno;
	// This process holds controlplane.lock, so no process listens on a leftover socket.
	(void)unlink(s->path);
	// bind() gives the file the mode of the socket; a umask would be the whole process's.
	int rc = fchmod(s->listen_fd, 0600) < 0
				 || bind(s->listen_fd, (struct sockaddr *)&sun, sizeof(sun)) < 0
			 ? -errno
			 : 0;
	if (rc == 0 && listen(s->listen_fd, 4) < 0)
		rc = -errno;
	return rc;
}

static int events_open(struct link_server *s)
{
	struct event_base *base = loop_base(s->loop);

	s->accept_event = event_new(base, s->listen_fd, EV_READ | EV_PERSIST, on_accept, s);
	s->beat = event_new(base, -1, EV_PERSIST, on_beat, s);
	if (!s->accept_event || !s->beat || event_add(s->accept_event, NULL) < 0
		|| event_add(s->beat, &(struct timeval){.tv_usec = BEAT_MS * 1000}) < 0)
		return -ENOMEM;
	return 0;
}

int link_open(struct link_server **out, struct loop *loop, struct publisher *publisher,
	char why[SHM_WHY_MAX])
{
	struct link_server *s = calloc(1, sizeof(*s));
	if (!s) {
		snprintf(why, SHM_WHY_MAX, "no memory for the link");
		return -ENOMEM;
	}
	*s = (struct link_server){
		.loop = loop, .publisher = publisher, .listen_fd = -1, .peer_fd = -1};
	snprintf(s->path, sizeof(s->path), "%s/link.sock", publisher_paths(publisher)->run);
	int rc = link_l0_open(publisher, &s->l0, why);
	if (rc == 0) {
		snprintf(why, SHM_WHY_MAX, "no memory for the link");
		rc = worker_rings_new(&s->worker_rings, loop, publisher, s->l0);
	}
	if (rc == 0) {
		rc = listen_open(s);
		if (rc < 0)
			snprintf(why, SHM_WHY_MAX, "%.200s: %s", s->path, strerror(-rc));
	}
	if (rc == 0)
		rc = events_open(s);
	if (rc < 0) {
		link_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

void link_close(struct link_server *s)
{
	if (!s)
		return;
	peer_drop(s);
	if (s->accept_event)
		event_free(s->accept_event);
	if (s->beat)
		event_free(s->beat);
	if (s->listen_fd >= 0) {
		close(s->listen_fd);
		(void)unlink(s->path);
	}
	worker_rings_free(s->worker_rings);
	if (s->l0)
		l0_writer_close(s->l0);
	free(s);
}

struct worker_rings *link_worker_rings(const struct link_server *s)
{
	return s->worker_rings;
}

struct l0_writer *link_l0(const struct link_server *s)
{
	return s->l0;
}

bool link_up(const struct link_server *s)
{
	return s->up;
}

void link_tables(const struct link_server *s, struct table_registry *tables)
{
	struct publish_status p;
	struct l0_writer_stats l0;

	publish_status(s->publisher, &p);
	l0_writer_stats(s->l0, &l0);
	table_register(tables, &(struct table_info){.name = "l0",
				       .owner = "resolver loop",
				       .eviction = "evict by SIEVE; no room: refuse",
				       .lifetime = "TTL plus stale window",
				       .cap = l0.units_total,
				       .used = l0.units_used,
				       .bytes = p.l0_bytes + l0_writer_memory(s->l0),
				       .evicted = l0.evicted_space + l0.evicted_bucket,
				       .refused = l0.refused_nospace + l0.refused_large,
				       .shared = p.l0_bytes,
				       .oldest_ms = table_age(l0.oldest_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
}
