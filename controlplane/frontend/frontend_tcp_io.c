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

ssize_t conn_recv(struct frontend_conn *c, uint8_t *p, size_t n)
{
	ssize_t got = recv(c->fd, p, n, MSG_DONTWAIT);

	if (got == 0)
		return -ENODATA;
	if (got < 0)
		return is_later(errno) ? 0 : -errno;
	c->tcp->count.bytes_in += (uint64_t)got;
	return got;
}

ssize_t conn_send(struct frontend_conn *c, const struct iovec *part, unsigned count)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)part, .msg_iovlen = count};
	ssize_t sent = sendmsg(c->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0)
		return is_later(errno) ? 0 : -errno;
	c->sent += (uint64_t)sent;
	c->tcp->count.bytes_out += (uint64_t)sent;
	return sent;
}

void conn_send_end(struct frontend_conn *c)
{
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
