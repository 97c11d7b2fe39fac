// SPDX-License-Identifier: BSD-3-Clause
#include "doctor_ask.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>

enum { REPLY_MAX = 4096, HEADER_LEN = 12, ASK_MS = DOCTOR_PROBE_MS / 2 };

void doctor_ask_query(uint8_t out[DOCTOR_ASK_QUERY_LEN], uint16_t id)
{
	static const uint8_t rest[] = {1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1};
	out[0] = (uint8_t)(id >> 8);
	out[1] = (uint8_t)id;
	memcpy(out + 2, rest, sizeof(rest));
}

const char *doctor_ask_reply(const uint8_t *reply, size_t len, uint16_t id)
{
	static const char *const codes[] = {
		"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};
	if (len < HEADER_LEN || (reply[0] << 8 | reply[1]) != id || !(reply[2] & 0x80))
		return NULL;
	unsigned code = reply[3] & 15;
	return code < ARRAY_LEN(codes) ? codes[code] : "another response code";
}

// Waits for the events until the deadline. 0, -ETIMEDOUT or -errno.
static int fd_await(int fd, short events, uint64_t until_ms)
{
	uint64_t now = clock_mono_ms();
	struct pollfd p = {.fd = fd, .events = events};
	int n = now < until_ms ? poll(&p, 1, (int)(until_ms - now)) : 0;
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int socket_open(const struct socket_address *to, int type, uint64_t until_ms)
{
	struct sockaddr_storage name;
	socklen_t len;
	int err = 0;
	socklen_t err_len = sizeof(err);
	if (!socket_address_to_sockaddr(to, &name, &len))
		return -EINVAL;
	int fd = socket(name.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int rc = connect(fd, (const struct sockaddr *)&name, len) < 0 ? -errno : 0;
	if (rc == -EINPROGRESS) {
		rc = fd_await(fd, POLLOUT, until_ms);
		if (rc == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len) == 0)
			rc = -err;
	}
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

// At least one byte. Their number, or -errno; -ECONNRESET: the server closed.
static ssize_t some_receive(int fd, void *out, size_t cap, uint64_t until_ms)
{
	int rc = fd_await(fd, POLLIN, until_ms);
	ssize_t n = rc ? rc : recv(fd, out, cap, 0);
	if (rc)
		return rc;
	return n < 0 ? -errno : n == 0 ? -ECONNRESET : n;
}

// The response code, or NULL with `*rc`.
static const char *udp_ask(const struct socket_address *to, uint16_t id, int *rc)
{
	uint8_t query[DOCTOR_ASK_QUERY_LEN], reply[REPLY_MAX];
	uint64_t until_ms = clock_mono_ms() + ASK_MS;
	const char *code = NULL;
	int fd = *rc = socket_open(to, SOCK_DGRAM, until_ms);
	if (fd < 0)
		return NULL;
	doctor_ask_query(query, id);
	*rc = send(fd, query, sizeof(query), MSG_NOSIGNAL) < 0 ? -errno : 0;
	while (*rc == 0 && !code) {
		ssize_t n = some_receive(fd, reply, sizeof(reply), until_ms);
		*rc = n < 0 ? (int)n : 0;
		code = n < 0 ? NULL : doctor_ask_reply(reply, (size_t)n, id);
	}
	close(fd);
	return code;
}

static const char *tcp_ask(const struct socket_address *to, uint16_t id, int *rc)
{
	uint8_t query[2 + DOCTOR_ASK_QUERY_LEN] = {0, DOCTOR_ASK_QUERY_LEN}, reply[REPLY_MAX];
	uint64_t until_ms = clock_mono_ms() + ASK_MS;
	size_t have = 0;
	int fd = *rc = socket_open(to, SOCK_STREAM, until_ms);
	if (fd < 0)
		return NULL;
	doctor_ask_query(query + 2, id);
	*rc = send(fd, query, sizeof(query), MSG_NOSIGNAL) < 0 ? -errno : 0;
	while (*rc == 0 && have < 2 + HEADER_LEN) {
		ssize_t n = some_receive(fd, reply + have, sizeof(reply) - have, until_ms);
		*rc = n < 0 ? (int)n : 0;
		have += n < 0 ? 0 : (size_t)n;
	}
	close(fd);
	if (*rc)
		return NULL;
	const char *code = doctor_ask_reply(reply + 2, have - 2, id);
	*rc = code ? 0 : -EBADMSG;
	return code;
}

static const char *error_text(int rc)
{
	return rc == -ETIMEDOUT ? "no reply in time" : strerror(-rc);
}

bool doctor_ask_is_routeless(int rc)
{
	return rc == -ENETUNREACH || rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT;
}

void doctor_ask_dns(struct doctor_probe *p)
{
	uint16_t id = 0;
	int udp_rc, tcp_rc;
	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
		id = (uint16_t)clock_mono_ms(); // no secret: nothing is cached
	const char *udp = udp_ask(&p->server->address, id, &udp_rc);
	const char *tcp = tcp_ask(&p->server->address, id, &tcp_rc);
	p->end = udp && tcp   ? DOCTOR_PROBE_ANSWERED
		 : udp || tcp ? DOCTOR_PROBE_PARTLY
		 : doctor_ask_is_routeless(udp_rc) && doctor_ask_is_routeless(tcp_rc)
			 ? DOCTOR_PROBE_NOT_ASKED
			 : DOCTOR_PROBE_FAILED;
	snprintf(p->text, sizeof(p->text), "UDP: %s, TCP: %s", udp ? udp : error_text(udp_rc),
		tcp ? tcp : error_text(tcp_rc));
}

static void put(char *out, size_t cap, const char *fmt, ...) ATTR_PRINTF(3, 4);
static void put(char *out, size_t cap, const char *fmt, ...)
{
	size_t len = strlen(out);
	va_list args;
	va_start(args, fmt);
	vsnprintf(out + len, cap - len, fmt, args);
	va_end(args);
}

// Until "+PONG" or an error comes. 0 or -errno.
static int pong_await(int fd, char *out, size_t cap, uint64_t until_ms)
{
	size_t len = 0;
	*out = '\0';
	while (len < cap - 1) {
		ssize_t n = some_receive(fd, out + len, cap - 1 - len, until_ms);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		out[len] = '\0';
		bool is_error = *out == '-' || strstr(out, "\n-");
		if (strstr(out, "+PONG\r\n") || (is_error && strchr(out, '\n')))
			return 0;
	}
	return -EBADMSG;
}

void doctor_ask_redis(struct doctor_probe *p)
{
	char call[1024] = "", reply[256];
	uint64_t until_ms = clock_mono_ms() + DOCTOR_PROBE_MS;
	const char *user = p->user, *password = p->password;
	if (*password && *user)
		put(call, sizeof(call), "*3\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
			strlen(user), user, strlen(password), password);
	else if (*password)
		put(call, sizeof(call), "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n", strlen(password),
			password);
	put(call, sizeof(call), "*1\r\n$4\r\nPING\r\n");
	int fd = socket_open(&p->address, SOCK_STREAM, until_ms);
	int rc = fd < 0 ? fd : send(fd, call, strlen(call), MSG_NOSIGNAL) < 0 ? -errno : 0;
	explicit_bzero(call, sizeof(call));
	rc = rc ? rc : pong_await(fd, reply, sizeof(reply), until_ms);
	if (fd >= 0)
		close(fd);
	bool is_pong = rc == 0 && strstr(reply, "+PONG");
	p->end = is_pong                       ? DOCTOR_PROBE_ANSWERED
		 : doctor_ask_is_routeless(rc) ? DOCTOR_PROBE_NOT_ASKED
					       : DOCTOR_PROBE_FAILED;
	if (rc == 0)
		reply[strcspn(reply, "\r\n")] = '\0';
	snprintf(p->text, sizeof(p->text), "%.128s",
		rc        ? error_text(rc)
		: is_pong ? "answers"
			  : reply);
}
