// SPDX-License-Identifier: BSD-3-Clause
// Servers, their ways and next hops in the image, and that changes are followed.

#include "routes_rig.h"

TEST_WITH(test_ways, setup, teardown)
{
	static const char *const server[] = {"198.18.7.2", "198.18.9.5", "198.18.10.5:5353",
		"198.18.12.1", "203.0.113.1", "198.18.88.2", "198.18.7.77", "fd53:7::2",
		"198.18.11.2", "127.0.0.1"};
	need();
	ask_of(ARRAY_LEN(server), server);
	assert_int_equal(way(0), ROUTE_port);
	assert_int_equal(way(1), ROUTE_port);
	assert_int_equal(way(2), ROUTE_port);
	assert_int_equal(way(3), ROUTE_no_route);
	assert_int_equal(way(4), ROUTE_no_route);
	assert_int_equal(way(5), ROUTE_elsewhere);
	assert_int_equal(way(6), ROUTE_no_neighbour);
	assert_int_equal(way(7), ROUTE_port);
	assert_int_equal(way(8), ROUTE_other_source);
	assert_true(way(9) == ROUTE_no_route || way(9) == ROUTE_elsewhere);
	assert_int_equal(published, 1);
	assert_int_equal(image.server_count, 4);
	assert_int_equal(image.hop_count, 2); // one router for three, and IPv6
	assert_int_equal(image.resolvers, 2);
	assert_memory_equal(image.source_v4, "\xc6\x12\x07\x01", 4);
	assert_int_equal(image.source_v6[15], 1);
	const struct hops_hop *hop = hop_to(1);
	assert_memory_equal(hop->destination, "\2\0\0\0\0\2", 6);
	assert_memory_equal(hop->source, "\2\0\0\0\0\1", 6);
	assert_int_equal(hop->port, 1);
	assert_int_equal(hop->vlan, 0);
	assert_int_equal(hop->mtu, 1400); // the least of its routes
	assert_int_equal(hop_to(7)->mtu, 1500);
	assert_int_equal(hop_to(7)->destination[5], 3);
}

TEST_WITH(test_vlan, setup, teardown)
{
	static const char *const server[] = {"198.18.77.2"};
	need();
	if (net_segment_ip(
		    "link add link seg0 name seg0.7 type vlan id 7\n"
		    "link set seg0.7 up\n"
		    "addr add 198.18.77.1/24 dev seg0.7\n"
		    "neigh add 198.18.77.2 lladdr 02:00:00:00:00:04 dev seg0.7 nud permanent\n"))
		skip(); // a kernel without 802.1Q
	ask_of(1, server);
	assert_int_equal(way(0), ROUTE_port);
	assert_int_equal(hop_to(0)->vlan, 7);
	assert_int_equal(hop_to(0)->port, 1);
	assert_int_equal(hop_to(0)->destination[5], 4);
	assert_memory_equal(image.source_v4, "\xc6\x12\x4d\x01", 4);
	config.dataplane.ports[1].has_vlans = true; // and this is none of them
	config.dataplane.ports[1].vlans[0] = 1;
	ask_of(1, server);
	assert_int_equal(way(0), ROUTE_elsewhere);
	assert_int_equal(published, 1);
	assert_int_equal(image.server_count, 1); // replies may be in flight
}

TEST_WITH(test_source, setup, teardown)
{
	static const char *const server[] = {"198.18.7.2", "fd53:7::2"};
	need();
	config.upstreams.source_count = 1;
	config.upstreams.source[0] = address_of_text("198.18.7.54");
	ask_of(2, server);
	assert_memory_equal(image.source_v4, "\xc6\x12\x07\x36", 4);
	assert_int_equal(way(1), ROUTE_port); // by the kernel's choice
	config.upstreams.source[0] = address_of_text("203.0.113.9");
	ask_of(2, server);
	assert_int_equal(way(0), ROUTE_no_route); // not an address of this machine
	assert_int_equal(image.server_count, 2);  // replies may be in flight
}

// Replies to queries that left from the old address may be in flight, so for some seconds sockets
// ask.
TEST_WITH(test_source_that_changes, setup, teardown)
{
	static const char *const server[] = {"198.18.11.5"};
	need();
	ask_of(1, server);
	assert_int_equal(way(0), ROUTE_port);
	assert_memory_equal(image.source_v4, "\xc6\x12\x07\x36", 4);
	assert_int_equal(
		net_segment_ip("route replace 198.18.11.0/24 via 198.18.7.2 src 198.18.7.1\n"), 0);
	RUN_UNTIL(memcmp(image.source_v4, "\xc6\x12\x07\x01", 4) == 0);
	RUN_UNTIL(way(0) == ROUTE_port && image.server_count == 1);
	assert_int_equal(
		net_segment_ip("route replace 198.18.11.0/24 via 198.18.7.2 src 198.18.7.54\n"), 0);
}

TEST_WITH(test_servers_of_groups_and_zones, setup, teardown)
{
	static const char *const server[] = {"198.18.7.2"};
	struct config_upstream own = {0}, zone_servers[2] = {0};
	struct config_forward_zone zone = {.server_count = 2, .servers = zone_servers};
	struct config_group group = {.upstream_count = 1, .upstreams = &own};
	need();
	own.address = socket_of_text("198.18.9.9", 53);
	zone_servers[0].address = socket_of_text("198.18.9.10", 53);
	zone_servers[1].address = socket_of_text("198.18.7.2", 53);
	config.forward_count = 1;
	config.forwards = &zone;
	config.group_count = 1;
	config.groups = &group;
	ask_of(1, server);
	assert_int_equal(image.server_count, 3); // one of them twice in the configuration
	assert_int_equal(route_board_way(&own.address), ROUTE_port);
	assert_int_equal(route_board_way(&zone_servers[0].address), ROUTE_port);
}

TEST_WITH(test_by_the_kernel, setup, teardown)
{
	static const char *const server[] = {"198.18.7.2"};
	need();
	ask_of(1, server);
	assert_int_equal(image.server_count, 1);
	config.upstreams.via = UPSTREAM_VIA_KERNEL;
	ask_of(1, server);
	assert_int_equal(way(0), ROUTE_kernel);
	assert_int_equal(image.server_count, 1); // replies may be in flight
	assert_int_equal(published, 1);
	RUN_UNTIL(image.server_count == 0);
	assert_int_equal(published, 2);
	config.upstreams.via = UPSTREAM_VIA_PORT;
	ask_of(1, server);
	assert_int_equal(way(0), ROUTE_port);
	config.dataplane.ports[1].exception[0] = 'x'; // the interface is none of weir's
	ask_of(1, server);
	assert_int_equal(way(0), ROUTE_elsewhere);
	config.dataplane.ports[1].exception[0] = 's';
}

// The resolver keeps off the ports of workers, whether or not a name has an address by now.
TEST_WITH(test_ranges, setup, teardown)
{
	struct hops_range range[HOPS_RANGES_MAX];
	struct config_upstream *s = &config.upstreams.server[0];
	need();
	config.upstreams.count = 1;
	*s = (struct config_upstream){.host = "dns.example", .address = {.port = 53}};
	const unsigned count = route_board_ranges_of(&config, range);
	assert_true(count > 0);
	s->tls.is_on = true;
	assert_int_equal(route_board_ranges_of(&config, range), 0);
	struct config_upstream own = {.host = "ns.example", .address = {.port = 53}};
	struct config_forward_zone zone = {.servers = &own, .server_count = 1};
	config.forwards = &zone;
	config.forward_count = 1;
	assert_int_equal(route_board_ranges_of(&config, range), count);
	own.is_recursion = true;
	assert_int_equal(route_board_ranges_of(&config, range), 0);
	struct config_group group = {.upstreams = &own, .upstream_count = 1};
	config.groups = &group;
	config.group_count = 1;
	assert_int_equal(route_board_ranges_of(&config, range), 0);
	own.is_recursion = false;
	config.forward_count = 0;
	assert_int_equal(route_board_ranges_of(&config, range), count);
	config.upstreams.via = UPSTREAM_VIA_KERNEL;
	assert_int_equal(route_board_ranges_of(&config, range), 0);
}

// The port shares an interface with the kernel, and has no exception.
TEST_WITH(test_xdp, setup, teardown)
{
	static const char *const server[] = {"198.18.9.5"};
	static char name[] = "seg0";
	need();
	config.dataplane.ports[1].exception = config.dataplane.ports[0].exception;
	ask_of(1, server);
	assert_int_equal(way(0), ROUTE_elsewhere);
	config.dataplane.ports[1].xdp = name;
	ask_of(1, server);
	assert_int_equal(way(0), ROUTE_port);
	assert_int_equal(hop_to(0)->port, 1);
	assert_memory_equal(hop_to(0)->source, "\2\0\0\0\0\1", 6);
}

TEST_WITH(test_changes_are_followed, setup, teardown)
{
	static const char *const server[] = {"198.18.9.5"};
	need();
	ask_of(1, server);
	assert_int_equal(hop_to(0)->destination[5], 2);
	const uint64_t turn = route_board_turn();
	assert_int_equal(net_segment_ip("neigh replace 198.18.7.2 lladdr 02:00:00:00:00:22 dev "
					"seg0 nud permanent\n"),
		0);
	RUN_UNTIL(published == 2);
	assert_int_equal(hop_to(0)->destination[5], 0x22);
	assert_int_equal(route_board_turn(), turn); // no resolver need know
	assert_int_equal(net_segment_ip("route replace 198.18.9.0/24 dev other0\n"), 0);
	RUN_UNTIL(way(0) == ROUTE_elsewhere);
	assert_int_equal(image.server_count, 1); // replies may be in flight
	assert_int_equal(net_segment_ip("route replace 198.18.9.0/24 via 198.18.7.2\n"
					"link set seg0 mtu 1280\n"),
		0);
	RUN_UNTIL(way(0) == ROUTE_port && image.server_count && hop_to(0)->mtu == 1280);
	assert_int_equal(net_segment_ip("link set seg0 mtu 1500\n"
					"neigh replace 198.18.7.2 lladdr " NEXT_HOP
					" dev seg0 nud permanent\n"),
		0);
}

// A datagram of its own makes the kernel ask for the MAC address, and keep asking.
TEST_WITH(test_a_missing_neighbour_is_asked_for, setup, teardown)
{
	static const char *const server[] = {"198.18.7.200"};
	need();
	(void)!net_segment_ip("neigh del 198.18.7.200 dev seg0\n");
	ask_of(1, server);
	assert_int_equal(way(0), ROUTE_no_neighbour);
	// The kernel has an entry for it: INCOMPLETE or FAILED, as nobody is there.
	RUN_UNTIL(net_segment_ip("neigh get 198.18.7.200 dev seg0\n") == 0);
	assert_int_equal(net_segment_ip("neigh replace 198.18.7.200 lladdr 02:00:00:00:00:99 dev "
					"seg0 nud reachable\n"),
		0);
	RUN_UNTIL(way(0) == ROUTE_port);
	assert_int_equal(hop_to(0)->destination[5], 0x99);
}

TEST_WITH(test_a_failed_publication_is_tried_again, setup, teardown)
{
	static const char *const server[] = {"198.18.7.2"};
	need();
	refuse = -ENOSPC;
	ask_of(1, server);
	assert_int_equal(published, 0);
	refuse = 0;
	RUN_UNTIL(published == 1);
	again = true; // the data plane does not take it
	RUN_UNTIL(published == 2);
	assert_int_equal(image.server_count, 1);
}

TEST_GROUP(group_setup, NULL)
