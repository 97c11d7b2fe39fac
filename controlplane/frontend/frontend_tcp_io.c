// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_tcp_conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

static bool is_later(int rc)
{
	return rc == EAGAIN || rc == EWOULDBLOCK || rc == EINTR;
}

static ssize_t clear_recv(struct frontend_conn *c, uint8_t *p, size_t n)
{
	ssize_t got = recv(c->fd, p, n, MSG_DONTWAIT);
	return got < 0 ? -errno : got;
}

static ssize_t tls_recv(struct frontend_conn *c, uint8_t *p, size_t n)
{
	ssize_t got = tls_conn_read(c->tls, p, n);

	c->more = got > 0 && tls_conn_has_more(c->tls);
	c->blocked = got == -EAGAIN && tls_conn_wants_write(c->tls);
	return got;
}

ssize_t conn_recv(struct frontend_conn *c, uint8_t *p, size_t n)
{
	ssize_t got = c->tls ? tls_recv(c, p, n) : clear_recv(c, p, n);

	if (got == 0)
		return -ENODATA;
	if (got < 0)
		return is_later((int)-got) ? 0 : got;
	c->tcp->count.bytes_in += (uint64_t)got;
	return got;
}

static ssize_t clear_send(struct frontend_conn *c, const struct iovec *part, unsigned count)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)part, .msg_iovlen = count};
	ssize_t sent = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

// A record at a time. One that the socket did not take is kept by OpenSSL, which wants the same
// bytes again: they are the first ones that the caller keeps.
static ssize_t tls_send(struct frontend_conn *c, const struct iovec *part, unsigned count)
{
	ssize_t sent = 0;

	for (unsigned i = 0; i < count; i++) {
		for (size_t pos = 0; pos < part[i].iov_len;) {
			ssize_t n = tls_conn_write(c->tls, (const uint8_t *)part[i].iov_base + pos,
				part[i].iov_len - pos);
			if (n < 0)
				return n == -EAGAIN ? sent : n;
			pos += (size_t)n;
			sent += n;
		}
	}
	return sent;
}

ssize_t conn_send(struct frontend_conn *c, const struct iovec *part, unsigned count)
{
	ssize_t sent = c->tls ? tls_send(c, part, count) : clear_send(c, part, count);

	if (sent < 0)
		return is_later((int)-sent) ? 0 : sent;
	c->sent += (uint64_t)sent;
	c->tcp->count.bytes_out += (uint64_t)sent;
	return sent;
}

enum frontend_tcp_end conn_failed(ssize_t err)
{
	return err == -ENOMEM ? FRONTEND_TCP_END_memory : FRONTEND_TCP_END_error;
}

void conn_send_end(struct frontend_conn *c)
{
	if (c->tls)
		tls_conn_finish(c->tls);
	(void)shutdown(c->fd, SHUT_WR); // or it has ended already
}

bool conn_is_unread(const struct frontend_conn *c)
{
	int bytes = 0;
	uint8_t state; // the first byte of struct tcp_info
	socklen_t len = sizeof(state);

	if (c->sent <= CONN_ON_ITS_WAY || ioctl(c->fd, SIOCOUTQ, &bytes) < 0
		|| bytes <= CONN_ON_ITS_WAY)
		return false;
	// The kernel still counts bytes that a reset has dropped.
	return getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &state, &len) < 0 || state != TCP_CLOSE;
}

void conn_cut(struct frontend_conn *c)
{
	const struct linger none = {.l_onoff = 1};

	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}
