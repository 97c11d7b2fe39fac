// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_socket.h"
#include "frontend_tcp_conn.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <weir/clock.h>
#include <weir/log.h>

enum {
	BACKLOG = 4096, // the kernel's own limit cuts it
	FAST_OPEN_QUEUE = 256,
	SEND_BUFFER = 65536, // the kernel doubles it
	USER_TIMEOUT_MS = 10000,
	ACCEPT_PAUSE_MS = 100,
	RETRY_MS = 5000,
};

// What connections inherit. A kernel without one of these works all the same.
static void options_inherited(int fd)
{
	frontend_socket_prefer(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	frontend_socket_prefer(fd, IPPROTO_TCP, TCP_FASTOPEN, FAST_OPEN_QUEUE);
	// Unread replies stay within weir's bounds, not in the kernel.
	frontend_socket_prefer(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
	frontend_socket_prefer(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

static int socket_listen(struct frontend_tcp *t, const struct tcp_listener *l)
{
	struct frontend_sockets *sockets = &t->shared->sockets;
	const unsigned number = (unsigned)(l - t->listener);
	if (tcp_kind_of(l->kind)->alpn && !tcp_shared_has_tls(t->shared))
		return -ENOKEY;
	int fd = frontend_socket_open(sockets, number, &l->address, SOCK_STREAM);
	if (fd < 0)
		return fd;
	options_inherited(fd);
	if (listen(fd, BACKLOG) == 0)
		return fd;
	int rc = -errno;
	frontend_socket_close(sockets, number, l->address.port, fd);
	return rc;
}

static void on_retry(void *arg)
{
	struct frontend_tcp *t = arg;

	for (unsigned i = 0; t->accept_paused && i < t->listener_count; i++)
		if (t->listener[i].fd >= 0)
			(void)event_add(&t->listener[i].event, NULL);
	t->accept_paused = false;
	tcp_listen(t);
}

static void retry_in(struct frontend_tcp *t, uint64_t ms)
{
	t->retry.fn = on_retry;
	t->retry.arg = t;
	wheel_start(loop_wheel(t->loop), &t->retry, ms, clock_mono_ms());
}

// Trying again at once would only turn the loop. Where it is files or memory that are missing, the
// end of some connection helps.
static void accept_pause(struct frontend_tcp *t, int err)
{
	t->count.accept_paused++;
	if (frontend_tcp_accept_error_of(err) != FRONTEND_TCP_ACCEPT_other)
		(void)tcp_evict(t, NULL, FRONTEND_TCP_END_evicted, false, false);
	for (unsigned i = 0; i < t->listener_count; i++)
		if (t->listener[i].fd >= 0)
			event_del(&t->listener[i].event);
	t->accept_paused = true;
	retry_in(t, ACCEPT_PAUSE_MS);
}

const char *const frontend_tcp_accept_error_names[FRONTEND_TCP_ACCEPT_ERROR_COUNT] = {
#define X(name, text) [FRONTEND_TCP_ACCEPT_##name] = #name,
	FRONTEND_TCP_ACCEPT_ERRORS(X)
#undef X
};

enum frontend_tcp_accept_error frontend_tcp_accept_error_of(int err)
{
	// The connection's own trouble, which Linux hands on from it (accept(2)).
	static const int lost[] = {ECONNABORTED, ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET,
		EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM, ECONNRESET, ETIMEDOUT};

	for (unsigned i = 0; i < ARRAY_LEN(lost); i++)
		if (err == lost[i])
			return FRONTEND_TCP_ACCEPT_lost;
	if (err == EMFILE || err == ENFILE)
		return FRONTEND_TCP_ACCEPT_files;
	return err == ENOBUFS || err == ENOMEM ? FRONTEND_TCP_ACCEPT_memory
					       : FRONTEND_TCP_ACCEPT_other;
}

// All listeners share what a turn may accept; `resume` gives it back in the next.
static bool accept_spend(struct frontend_tcp *t)
{
	if (t->accepts_left == 0)
		return false;
	if (t->accepts_left-- == TCP_ACCEPTS_A_TURN)
		event_add(&t->resume, &(struct timeval){0});
	return true;
}

static void on_accept(evutil_socket_t listener, short, void *arg)
{
	const struct tcp_listener *l = arg;
	struct frontend_tcp *t = l->tcp;

	for (unsigned i = 0; accept_spend(t); i++) {
		union client_address peer = {0};
		socklen_t len = sizeof(peer);
		int fd = accept4(listener, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			tcp_arrive(t, fd, &peer, l->kind);
			continue;
		}
		int err = errno;
		if (err == EINTR)
			continue;
		if (err == EAGAIN || err == EWOULDBLOCK)
			return;
		enum frontend_tcp_accept_error kind = frontend_tcp_accept_error_of(err);
		if (kind == FRONTEND_TCP_ACCEPT_lost) { // the next may be well
			t->count.accept_errors[kind]++;
			continue;
		}
		// The kernel looks for a file first, so only before the first one a client surely
		// waits.
		if (i > 0)
			return;
		t->count.accept_errors[kind]++;
		accept_pause(t, err);
		return;
	}
}

const char *frontend_tcp_listen_error(int err)
{
	return err == -ENOKEY ? "no certificate" : strerror(-err);
}

static void listener_try(struct frontend_tcp *t, struct tcp_listener *l)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	int fd = socket_listen(t, l);

	if (fd < 0) {
		if (fd != l->err)
			log_warning("TCP: %s: cannot listen: %s; trying again",
				socket_address_text(&l->address, text),
				frontend_tcp_listen_error(fd));
		l->err = fd;
		return;
	}
	l->fd = fd;
	l->err = 0;
	event_assign(&l->event, loop_base(t->loop), fd, EV_READ | EV_PERSIST, on_accept, l);
	if (event_add(&l->event, NULL) < 0)
		log_warning("TCP: %s: no memory", socket_address_text(&l->address, text));
	else
		log_info("TCP: listening on %s", socket_address_text(&l->address, text));
}

static void listener_end(struct frontend_tcp *t, struct tcp_listener *l)
{
	if (l->fd < 0)
		return;
	event_del(&l->event);
	frontend_socket_close(
		&t->shared->sockets, (unsigned)(l - t->listener), l->address.port, l->fd);
	l->fd = -1;
}

void tcp_listen(struct frontend_tcp *t)
{
	bool missing = false;

	for (unsigned i = 0; i < t->listener_count; i++) {
		struct tcp_listener *l = &t->listener[i];
		const struct frontend_tcp_port *p = &t->serves[l->kind];
		if (!p->enabled || l->address.port != p->port) {
			listener_end(t, l);
			l->address.port = p->port;
			l->err = 0;
		}
		if (!p->enabled)
			continue;
		if (l->fd < 0)
			listener_try(t, l);
		missing |= l->fd < 0;
	}
	if (t->accept_paused)
		return;
	if (missing)
		retry_in(t, RETRY_MS);
	else
		wheel_stop(&t->retry);
}

void tcp_listen_end(struct frontend_tcp *t)
{
	wheel_stop(&t->retry);
	t->accept_paused = false;
	for (unsigned i = 0; i < t->listener_count; i++)
		listener_end(t, &t->listener[i]);
}
