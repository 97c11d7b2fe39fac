// SPDX-License-Identifier: BSD-3-Clause
// Sockets of two frontends on one address, and another process that would share it.

#include "controlplane/frontend/frontend_socket.h"
#include "tests/unit/unit.h"

enum { CLIENTS = 64, WAIT_MS = 20000 };

static struct frontend_sockets sockets;

static struct socket_address address_of(uint16_t port)
{
	struct socket_address at = {.ip = {.version = 4}, .port = port};
	inet_pton(AF_INET, "127.0.0.1", at.ip.bytes);
	return at;
}

// Of a foreign server, which would share; its port.
static int foreign_open(int type, uint16_t *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, type, 0);

	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, i ? SO_REUSEPORT : SO_REUSEADDR,
					 &(int){1}, sizeof(int)),
			0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

static void both_open(int type, const struct socket_address *at, int fd[2])
{
	for (unsigned i = 0; i < 2; i++) {
		fd[i] = frontend_socket_open(&sockets, 0, at, type);
		assert_true(fd[i] >= 0);
		if (type == SOCK_STREAM)
			assert_int_equal(listen(fd[i], CLIENTS), 0);
	}
}

// Each has some of the clients.
static void both_serve(int type, const struct socket_address *at, const int fd[2])
{
	int client[CLIENTS];
	struct sockaddr_storage sa;
	socklen_t len;

	assert_true(socket_address_to_sockaddr(at, &sa, &len));
	for (unsigned i = 0; i < CLIENTS; i++) {
		client[i] = socket(AF_INET, type, 0);
		assert_int_equal(connect(client[i], (struct sockaddr *)&sa, len), 0);
		if (type == SOCK_DGRAM)
			assert_int_equal(send(client[i], "x", 1, 0), 1);
	}
	for (unsigned i = 0; i < 2; i++) {
		struct pollfd readable = {.fd = fd[i], .events = POLLIN};
		assert_int_equal(poll(&readable, 1, WAIT_MS), 1);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		close(client[i]);
}

static void with_type(int type)
{
	uint16_t port;
	int fd[2], foreign = foreign_open(type, &port);
	const struct socket_address at = address_of(port);

	frontend_sockets_init(&sockets, true);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(frontend_socket_open(&sockets, 0, &at, type), -EADDRINUSE);
	close(foreign);
	both_open(type, &at, fd);
	both_serve(type, &at, fd);
	frontend_socket_close(&sockets, 0, at.port, fd[0]); // a listener that is opened again
	fd[0] = frontend_socket_open(&sockets, 0, &at, type);
	assert_true(fd[0] >= 0);
	for (unsigned i = 0; i < 2; i++)
		frontend_socket_close(&sockets, 0, at.port, fd[i]);
	both_open(type, &at, fd);
	both_serve(type, &at, fd);
	for (unsigned i = 0; i < 2; i++)
		frontend_socket_close(&sockets, 0, at.port, fd[i]);
	frontend_sockets_end(&sockets);
}

TEST(test_tcp)
{
	with_type(SOCK_STREAM);
}

TEST(test_udp)
{
	with_type(SOCK_DGRAM);
}

// The frontends move one by one to a port where a foreign server is.
TEST(test_another_port)
{
	uint16_t port, next;
	int before[2], fd[2];
	close(foreign_open(SOCK_STREAM, &port));
	int foreign = foreign_open(SOCK_STREAM, &next);
	const struct socket_address at = address_of(port), to = address_of(next);

	frontend_sockets_init(&sockets, true);
	both_open(SOCK_STREAM, &at, before);
	for (unsigned i = 0; i < 2; i++) {
		frontend_socket_close(&sockets, 0, port, before[i]);
		assert_int_equal(frontend_socket_open(&sockets, 0, &to, SOCK_STREAM), -EADDRINUSE);
	}
	close(foreign);
	both_open(SOCK_STREAM, &at, before);
	frontend_socket_close(&sockets, 0, port, before[0]);
	both_open(SOCK_STREAM, &to, fd);
	frontend_socket_close(&sockets, 0, port, before[1]);
	both_serve(SOCK_STREAM, &to, fd);
	for (unsigned i = 0; i < 2; i++)
		frontend_socket_close(&sockets, 0, next, fd[i]);
	both_open(SOCK_STREAM, &to, fd); // the first one alone again
	for (unsigned i = 0; i < 2; i++)
		frontend_socket_close(&sockets, 0, next, fd[i]);
	frontend_sockets_end(&sockets);
}

TEST(test_one_frontend_shares_with_nobody)
{
	const struct socket_address at = address_of(0);

	frontend_sockets_init(&sockets, false);
	int fd = frontend_socket_open(&sockets, 0, &at, SOCK_DGRAM);
	int shares = 1;
	assert_int_equal(
		getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shares, &(socklen_t){sizeof(shares)}), 0);
	assert_int_equal(shares, 0);
	frontend_socket_close(&sockets, 0, at.port, fd);
	frontend_sockets_end(&sockets);
}
