// SPDX-License-Identifier: BSD-3-Clause
#include "fake_listener.h"

#include "tests/unit/unit.h"

enum { LOOK_MS = 5 };

int loopback_listen(uint16_t *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
		.sin_port = htons(*port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	assert_true(fd >= 0);
	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_return_code(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_return_code(listen(fd, 64), 0);
	assert_return_code(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	*port = ntohs(sin.sin_port);
	return fd;
}

// False: the test ends.
static bool is_ready(struct fake_listener *l, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	while (!l->stop)
		if (poll(&p, 1, LOOK_MS) > 0)
			return true;
	return false;
}

static void *run(void *arg)
{
	struct fake_listener *l = arg;
	while (is_ready(l, l->fd)) {
		int fd = accept(l->fd, NULL, NULL);
		if (fd < 0)
			continue;
		l->serve(l->arg, fd);
		close(fd);
	}
	return NULL;
}

void fake_listener_start(
	struct fake_listener *l, uint16_t port, void (*serve)(void *arg, int fd), void *arg)
{
	*l = (struct fake_listener){.port = port, .serve = serve, .arg = arg};
	l->fd = loopback_listen(&l->port);
	assert_int_equal(pthread_create(&l->thread, NULL, run, l), 0);
}

void fake_listener_stop(struct fake_listener *l)
{
	l->stop = true;
	pthread_join(l->thread, NULL);
	close(l->fd);
}

size_t fake_listener_hear(struct fake_listener *l, int fd, void *out, size_t cap)
{
	ssize_t n = is_ready(l, fd) ? recv(fd, out, cap, 0) : 0;
	return n > 0 ? (size_t)n : 0;
}

bool fake_listener_say(int fd, const void *bytes, size_t len)
{
	for (const char *from = bytes; len > 0;) {
		ssize_t n = send(fd, from, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		from += n;
		len -= (size_t)n;
	}
	return true;
}

void fake_listener_wait(struct fake_listener *l, unsigned ms)
{
	for (unsigned i = 0; i < ms && !l->stop; i += LOOK_MS)
		usleep(LOOK_MS * 1000);
}
