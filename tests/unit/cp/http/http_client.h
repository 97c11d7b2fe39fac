// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A client of an HTTP server on a unix socket, as plain as tests of hostile input need it.

#include "tests/unit/unit.h"

#include <sys/un.h>
#include <weir/config_tools.h> // before `path`, which its parameters would shadow

enum { PATIENCE_MS = 20000 };

static char path[108];     // of the server's socket
static char reply[131072]; // what client_read read last

static inline int client_connect(void)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	memcpy(sun.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

// A profile of threads interrupts this one too.
static inline bool client_waits(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int rc;
	do
		rc = poll(&p, 1, ms);
	while (rc < 0 && errno == EINTR);
	return rc == 1;
}

// Everything until the server closes; at most `ms`. Length, or -1 when it did not close.
static inline int client_read(int fd, int ms)
{
	size_t len = 0;
	reply[0] = '\0';
	while (len + 1 < sizeof(reply) && client_waits(fd, ms)) {
		ssize_t n = read(fd, reply + len, sizeof(reply) - 1 - len);
		if (n <= 0)
			return (int)len;
		len += (size_t)n;
		reply[len] = '\0';
	}
	return -1;
}

static inline void client_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

// Sends a request line; the status of the reply, whose body is then in `reply`.
static inline int ask(const char *request)
{
	int fd = client_connect();
	int status = 0;
	client_send(fd, text_from("%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", request));
	assert_true(client_read(fd, PATIENCE_MS) > 0);
	close(fd);
	assert_int_equal(sscanf(reply, "HTTP/1.1 %d", &status), 1);
	return status;
}

// The reply has this status, and each of the texts.
#define assert_reply(request, status, ...) \
	assert_reply_has(request, status, (const char *const[]){__VA_ARGS__, NULL})
static inline void assert_reply_has(const char *request, int status, const char *const *texts)
{
	const int got = ask(request);
	if (got != status)
		fail_msg("%s: not %d: %s", request, status, reply);
	for (; *texts; texts++)
		if (!strstr(reply, *texts))
			fail_msg("%s: no %s: %s", request, *texts, reply);
}
