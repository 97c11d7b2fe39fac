// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A server on 127.0.0.1 that answers each PTR question with one name, in a thread of the test.

#include "tests/unit/unit.h"

#include <weir/config.h>

enum ptr_mode { PTR_NAME, PTR_NXDOMAIN, PTR_SERVFAIL, PTR_SILENT, PTR_FORGED };

struct ptr_server {
	int fd;
	uint16_t port;
	pthread_t thread;
	_Atomic int mode;
	_Atomic unsigned asked;
	_Atomic bool stop;
};

// "box.lan", of TTL 90.
static const uint8_t ptr_record[] = {
	0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 90, 0, 9, 3, 'b', 'o', 'x', 3, 'l', 'a', 'n', 0};

static inline size_t ptr_reply(enum ptr_mode mode, uint8_t *msg, size_t len)
{
	msg[2] |= 0x80;
	msg[3] = mode == PTR_NXDOMAIN ? 3 : mode == PTR_SERVFAIL ? 2 : 0;
	memset(msg + 6, 0, 6);
	size_t end = 12;
	while (end < len && msg[end]) // the name of the question
		end += msg[end] + 1u;
	end += 5;
	if (mode == PTR_NAME || mode == PTR_FORGED) {
		msg[7] = 1;
		memcpy(msg + end, ptr_record, sizeof(ptr_record));
		end += sizeof(ptr_record);
	}
	return end;
}

static inline void *ptr_run(void *arg)
{
	struct ptr_server *s = arg;
	uint8_t msg[600];
	while (!s->stop) {
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		if (poll(&p, 1, 20) <= 0)
			continue;
		ssize_t n = recvfrom(s->fd, msg, 500, 0, (struct sockaddr *)&from, &from_len);
		s->asked++;
		if (n < 17 || s->mode == PTR_SILENT)
			continue;
		size_t len = ptr_reply((enum ptr_mode)s->mode, msg, (size_t)n);
		if (s->mode == PTR_FORGED)
			msg[0] ^= 1; // another id
		(void)!sendto(s->fd, msg, len, 0, (struct sockaddr *)&from, from_len);
	}
	return NULL;
}

static inline struct socket_address ptr_server_start(struct ptr_server *s, enum ptr_mode mode)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	struct socket_address out = {
		.ip = {.version = 4, .prefix_len = 32, .bytes = {127, 0, 0, 1}}};
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
	s->mode = mode;
	s->asked = 0;
	s->stop = false;
	s->port = out.port = ntohs(at.sin_port);
	assert_int_equal(pthread_create(&s->thread, NULL, ptr_run, s), 0);
	return out;
}

static inline void ptr_server_stop(struct ptr_server *s)
{
	s->stop = true;
	pthread_join(s->thread, NULL);
	close(s->fd);
}
