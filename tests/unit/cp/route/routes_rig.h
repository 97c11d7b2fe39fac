// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The way to servers, from a kernel with links, routes and neighbours that this test gave it, in a
// network namespace of its own. seg0 is the exception interface of port 1.
#include "controlplane/route/routes.h"
#include "tests/unit/core/config/net_segment.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

#define NEXT_HOP "02:00:00:00:00:02"

static struct loop *loop;
static struct routes *routes;
static struct config config;
static struct hops_image image; // the latest
static struct hops_reader reader;
static unsigned published;
static int refuse; // -errno of a publication
static bool again;

static inline int on_publish(void *, const struct hops_image *i)
{
	char why[128];
	if (refuse)
		return refuse;
	image = *i;
	assert_int_equal(hops_reader_init(&reader, i, sizeof(*i), why), 0);
	published++;
	return 0;
}

static inline bool on_again(void *)
{
	bool is = again;
	again = false;
	return is;
}

static inline int group_setup(void **)
{
	log_init("test_routes", LOG_LEVEL_ERROR);
	return net_segment_open(
		"link set seg0 address 02:00:00:00:00:01\n"
		"addr add 198.18.7.1/24 dev seg0\n"
		"addr add fd53:7::1/64 dev seg0 nodad\n"
		"neigh add 198.18.7.2 lladdr " NEXT_HOP " dev seg0 nud permanent\n"
		"neigh add fd53:7::2 lladdr 02:00:00:00:00:03 dev seg0 nud permanent\n"
		"route add 198.18.9.0/24 via 198.18.7.2\n"
		"route add 198.18.10.0/24 via 198.18.7.2 mtu 1400\n"
		"route add blackhole 198.18.12.0/24\n"
		"link add other0 type veth peer name other1\n"
		"link set other0 up\n"
		"addr add 198.18.7.54/32 dev seg0\n"
		"route add 198.18.11.0/24 via 198.18.7.2 src 198.18.7.54\n"
		"addr add 198.18.88.1/24 dev other0\n");
}

// Each kernel has its own range, and a namespace the shipped one; but a machine's may be any.
static inline bool has_ports(void)
{
	char text[64] = "";
	unsigned first = 0, last = 0;
	int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 && sscanf(text, "%u %u", &first, &last) == 2
	       && first - 1024 + 65535 - last >= 32768;
}

static inline int setup(void **)
{
	memset(&config, 0, sizeof(config));
	config.dataplane.port_count = 2;
	static char name[] = "seg0";
	static char none[] = "";
	config.dataplane.ports[0].exception = none;
	config.dataplane.ports[1].exception = name;
	published = 0;
	refuse = 0;
	again = false;
	const struct routes_calls calls = {.publish = on_publish, .again = on_again};
	return loop_new("test", &loop) || routes_open(&routes, loop, &config.dataplane, 2, &calls);
}

static inline int teardown(void **)
{
	routes_close(routes);
	loop_free(loop);
	return 0;
}

static inline void need(void)
{
	net_segment_need();
	if (!has_ports())
		skip();
}

static inline void ask_of(unsigned count, const char *const server[])
{
	config.upstreams.count = count;
	for (unsigned i = 0; i < count; i++)
		config.upstreams.server[i].address = socket_of_text(server[i], 53);
	assert_int_equal(routes_configure(routes, &config), 0);
}

static inline enum route_way way(unsigned i)
{
	return route_board_way(&config.upstreams.server[i].address);
}

static inline const struct hops_hop *hop_to(unsigned i)
{
	const struct socket_address *a = &config.upstreams.server[i].address;
	uint8_t ip[16] = {0};
	memcpy(ip, a->ip.bytes, a->ip.version == 4 ? 4 : 16);
	const struct hops_server *s = hops_server_find(&reader, a->ip.version, ip, a->port);
	assert_non_null(s);
	return &reader.hop[s->hop];
}

// Runs the loop until the condition holds; a slow machine may take its time.
#define RUN_UNTIL(condition)                                           \
	do {                                                           \
		const uint64_t end_ms = clock_mono_ms() + 20000;       \
		while (!(condition)) {                                 \
			assert_true(clock_mono_ms() < end_ms);         \
			event_base_loop(loop_base(loop), EVLOOP_ONCE); \
		}                                                      \
	} while (0)
