// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The frontend's UDP sockets on its rig, and a client on a socket of its own.

#include "controlplane/frontend/frontend_udp.h"
#include "frontend_rig.h"
#include "tests/unit/core/config/net_segment.h"

static struct frontend_udp *sockets;
static uint16_t port;
static int client_fd;

static inline struct sockaddr_in loopback(const char *address, uint16_t at_port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(at_port)};
	assert_int_equal(inet_pton(AF_INET, address, &sa.sin_addr), 1);
	return sa;
}

static inline int bound_socket(const char *address, uint16_t at_port)
{
	const struct sockaddr_in sa = loopback(address, at_port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static inline uint16_t port_of(int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	return ntohs(sa.sin_port);
}

static int opened;

static inline void open_now(void *arg)
{
	opened = frontend_udp_open(&sockets, rig.frontend, rig.publisher, rig.loop, arg, port);
}

static inline void close_now(void *)
{
	frontend_udp_close(sockets);
	sockets = NULL;
}

static inline void open_on(enum fallback_udp when, const char *const *addresses, unsigned count)
{
	struct config_dataplane *d = &rig.config.dataplane;
	rig.config.fallback.udp = when;
	d->address_count = count;
	for (unsigned i = 0; i < count; i++)
		d->addresses[i] = address_of_text(addresses[i]);
	on_loop(open_now, &rig.config);
	assert_int_equal(opened, 0);
}

static inline void look_now(void *arg)
{
	frontend_udp_status(sockets, arg);
}

static inline struct frontend_udp_status udp_status(void)
{
	struct frontend_udp_status s;
	on_loop(look_now, &s);
	return s;
}

static inline int setup(void **state)
{
	rig_setup(state);
	fake[0].ttl_s = fake[1].ttl_s = 300;
	frontend_rig_admit_all();
	int fd = bound_socket("127.0.0.77", 0); // a port that is free there
	port = port_of(fd);
	close(fd);
	client_fd = bound_socket("127.0.0.1", 0);
	return 0;
}

static inline int teardown(void **state)
{
	on_loop(close_now, NULL);
	close(client_fd);
	return rig_teardown(state);
}

static inline void client_send(const char *service, const void *msg, size_t len)
{
	const struct sockaddr_in sa = loopback(service, port);
	ssize_t n = sendto(client_fd, msg, len, 0, (const struct sockaddr *)&sa, sizeof(sa));
	assert_int_equal(n, len);
}

static inline void client_ask(const char *service, const char *name, uint16_t id)
{
	uint8_t msg[600];
	const struct frontend_rig_query q = {.name = name, .type = DNS_TYPE_A, .id = id};
	client_send(service, msg, query_write(msg, &q));
}

// The next reply's id, which comes from this address; fails without one.
static inline uint16_t client_hears(const char *service)
{
	struct pollfd p = {.fd = client_fd, .events = POLLIN};
	struct sockaddr_in from, want = loopback(service, port);
	socklen_t len = sizeof(from);
	uint8_t msg[4096];
	assert_int_equal(poll(&p, 1, 60000), 1);
	ssize_t n = recvfrom(client_fd, msg, sizeof(msg), 0, (struct sockaddr *)&from, &len);
	assert_true(n >= DNS_HEADER_LEN);
	assert_memory_equal(&from.sin_addr, &want.sin_addr, 4);
	assert_int_equal(from.sin_port, want.sin_port);
	assert_int_equal(get_u16(msg + 2) & DNS_FLAG_RCODE, DNS_RCODE_NOERROR);
	assert_int_equal(get_u16(msg + 6), 1);
	return get_u16(msg);
}

// A loopback of its own, where that is allowed: nobody else takes a port that was free just now.
static inline int alone(void **)
{
	return unshare(CLONE_NEWNET) == 0 ? net_segment_ip("link set lo up\n") : 0;
}
