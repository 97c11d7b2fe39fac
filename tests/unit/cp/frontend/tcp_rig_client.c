// SPDX-License-Identifier: BSD-3-Clause
// Clients of tcp_rig.h's server.
#include "tcp_rig.h"

enum { ORDER_AT = DNS_HEADER_LEN };

static int connect_to(uint16_t port, unsigned host, int receive_buffer)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in from = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 + host)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(&to.sin_addr, tcp_rig_address.ip.bytes, 4);
	if (receive_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

int tcp_connect(unsigned host, int receive_buffer)
{
	return connect_to(tcp_rig_address.port, host, receive_buffer);
}

int tcp_connect_kind(enum frontend_tcp_kind kind, unsigned host)
{
	return connect_to((uint16_t)(tcp_rig_address.port + kind), host, 0);
}

size_t tcp_message(uint8_t *out, uint16_t id, char order, size_t len)
{
	put_u16(out, (uint16_t)len);
	memset(out + 2, 0, len);
	if (len >= 2)
		put_u16(out + 2, id);
	if (len > ORDER_AT)
		out[2 + ORDER_AT] = (uint8_t)order;
	return 2 + len;
}

void tcp_send(int fd, const void *p, size_t len)
{
	assert_int_equal(send(fd, p, len, MSG_NOSIGNAL), len);
}

void tcp_ask(int fd, uint16_t id, char order)
{
	uint8_t frame[2 + ORDER_AT + 1];
	tcp_send(fd, frame, tcp_message(frame, id, order, ORDER_AT + 1));
}

static bool read_all(int fd, uint8_t *out, size_t len)
{
	for (size_t got = 0; got < len;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&p, 1, TCP_WAIT_MS), 1);
		ssize_t n = recv(fd, out + got, len - got, 0);
		if (n <= 0) {
			assert_int_equal(got, 0);
			return false;
		}
		got += (size_t)n;
	}
	return true;
}

size_t tcp_reply(int fd, uint8_t *out)
{
	uint8_t len[2];

	if (!read_all(fd, len, 2))
		return 0;
	assert_true(get_u16(len) > 0);
	assert_true(read_all(fd, out, get_u16(len)));
	return get_u16(len);
}

void tcp_reply_is(int fd, uint16_t id, size_t len)
{
	static uint8_t msg[TCP_MESSAGE_MAX];

	assert_int_equal(tcp_reply(fd, msg), len);
	assert_int_equal(get_u16(msg), id);
	for (size_t i = 2; i < len; i++)
		assert_int_equal(msg[i], id & 0xff);
}

void tcp_is_closed(int fd)
{
	uint8_t byte;

	assert_false(read_all(fd, &byte, 1));
	close(fd);
}

bool tcp_has_ended(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1;
}

void tcp_echo(int fd, uint16_t id)
{
	tcp_ask(fd, id, TCP_ECHO);
	tcp_reply_is(fd, id, TCP_SHORTEST);
}

int tcp_rig_start_one(void)
{
	tcp_rig_start();
	return tcp_connect(1, 0);
}

void tcp_rig_release_at(unsigned count)
{
	tcp_rig_until_asked(count);
	tcp_rig_release();
}
