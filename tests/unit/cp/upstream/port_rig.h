// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Queries through the port: workers played by the test take each to the server by a socket of its
// own, and hand over the reply. Beside upstream_rig.h, whose servers the board names.

#include "controlplane/route/route_board.h"
#include "controlplane/upstream/upstream_internal.h"
#include "controlplane/upstream/upstream_udp.h"
#include "tests/unit/clock_still.h"
#include "tests/unit/unit.h"
#include "upstream_rig.h"

#include <event2/event.h>

#include <weir/csum.h>

enum { SENT_MAX = 1200, WORKERS = 2 };

struct sent {
	struct msg_send m;
	uint16_t id;
	unsigned worker;
	int fd;
	struct event *event;
};

static struct worker { // both of them
	uint64_t live, incarnation;
	int full;     // -errno of a send
	bool is_deaf; // hands nothing over
	bool is_cut;  // says so of each reply
	unsigned count;
	struct sent sent[SENT_MAX];
} worker;

static inline struct msg_heard heard_of(const struct sent *s, enum heard_kind kind, size_t len)
{
	struct msg_heard m = {.server_port = s->m.server_port,
		.local_port = s->m.local_port,
		.ip_version = s->m.ip_version,
		.kind = (uint8_t)kind,
		.is_cut = worker.is_cut,
		.dns_len = (uint16_t)len};
	memcpy(m.server_ip, s->m.server_ip, sizeof(m.server_ip));
	return m;
}

static inline void on_reply(evutil_socket_t fd, short, void *arg)
{
	const struct sent *s = arg;
	uint8_t dns[MSG_DNS_MAX];
	ssize_t n = recv(fd, dns, sizeof(dns), MSG_DONTWAIT);
	if (n <= 0 || worker.is_deaf)
		return;
	const struct msg_heard m = heard_of(s, HEARD_REPLY, (size_t)n);
	upstream_port_heard(fx.port, &m, dns);
}

static inline int on_send(
	void *, const struct msg_send *m, const uint8_t *dns, uint64_t allowed, unsigned *number)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(m->server_port)};

	if (worker.full)
		return worker.full;
	assert_in_range(worker.count, 0, SENT_MAX - 1);
	struct sent *s = &worker.sent[worker.count++];
	*s = (struct sent){.m = *m, .id = get_u16(dns)};
	assert_int_equal(m->sum, csum_partial(dns, m->dns_len));
	*number = s->worker = (unsigned)__builtin_ctzll(allowed);
	memcpy(&to.sin_addr, m->server_ip, 4);
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_true(s->fd >= 0);
	s->event = event_new(loop_base(fx.loop), s->fd, EV_READ | EV_PERSIST, on_reply, s);
	assert_int_equal(event_add(s->event, NULL), 0);
	assert_int_equal(
		sendto(s->fd, dns, m->dns_len, 0, (struct sockaddr *)&to, sizeof(to)), m->dns_len);
	return 0;
}

static inline uint64_t on_live(void *, uint64_t *incarnation)
{
	*incarnation = worker.incarnation;
	return worker.live;
}

static inline void board_say(enum route_way way)
{
	static struct route_board board;
	board = (struct route_board){.range_count = 2,
		.range = {{1024, 32767}, {61000, 65535}},
		.count = fx.config.count};
	for (unsigned i = 0; i < board.count; i++)
		board.server[i] =
			(struct route_server){.address = fx.config.server[i].address, .way = way};
	route_board_put(&board);
}

static inline void port_open(unsigned resolver, unsigned resolvers)
{
	const struct upstream_port_calls calls = {.send = on_send, .live = on_live};

	upstreams_free(fx.up);
	upstream_port_free(fx.port);
	assert_int_equal(upstream_port_new(&fx.port, resolver, resolvers), 0);
	upstream_port_serve(fx.port, &calls);
	upstream_port_beat(fx.port);
	const struct upstream_shared shared = {.loop = fx.loop, .port = fx.port};
	assert_int_equal(upstreams_new(&fx.up, &shared, &fx.config), 0);
}

static inline int port_rig_setup(void **state)
{
	memset(&worker, 0, sizeof(worker));
	worker.live = (1 << WORKERS) - 1;
	worker.incarnation = 1;
	if (rig_setup(state))
		return -1;
	fx.config.first_timeout_ms = 400;
	board_say(ROUTE_port);
	port_open(0, 1);
	return 0;
}

static inline int port_rig_teardown(void **state)
{
	struct upstream_port *port = fx.port;
	for (unsigned i = 0; i < worker.count; i++) {
		event_free(worker.sent[i].event);
		close(worker.sent[i].fd);
	}
	int rc = rig_teardown(state);
	upstream_port_free(port);
	return rc;
}

static inline struct upstream_port_stats port_stats(void)
{
	struct upstream_port_stats s;
	upstream_port_stats(fx.port, &s);
	return s;
}

// Runs the loop until the server has that many queries.
static inline void wait_queries(const struct fake_upstream *f, unsigned count)
{
	const uint64_t end_ms = clock_mono_ms() + 20000;
	while (f->udp_queries < count && clock_mono_ms() < end_ms)
		event_base_loop(loop_base(fx.loop), EVLOOP_NONBLOCK);
	assert_int_equal(f->udp_queries, count);
}

// A question whose first query is with fake[0].
static inline void ask_under_way(unsigned life_ms)
{
	ask_start(life_ms);
	wait_queries(&fake[0], 1);
}
