// SPDX-License-Identifier: BSD-3-Clause
// Routes that are not as the address alone says.

#include "routes_rig.h"

// Rules by protocol and port hold for the queries too.
TEST_WITH(test_rules_by_port, setup, teardown)
{
	static const char *const server[] = {"198.18.9.5", "198.18.9.5:5353"};
	need();
	if (net_segment_ip("rule add ipproto udp dport 5353 table 77\n"))
		skip(); // a kernel without policy rules
	assert_int_equal(net_segment_ip("route add 198.18.9.0/24 dev other0 table 77\n"), 0);
	ask_of(ARRAY_LEN(server), server);
	assert_int_equal(way(0), ROUTE_port);
	assert_int_equal(way(1), ROUTE_elsewhere);
}

// A tunnel of the route's own wraps what the kernel sends.
TEST_WITH(test_encapsulation, setup, teardown)
{
	static const char *const server[] = {"198.18.14.5"};
	need();
	if (net_segment_ip("route add 198.18.14.0/24 encap ip id 1 dst 198.18.7.2 via 198.18.7.2 "
			   "dev seg0\n"))
		skip(); // a kernel without such routes
	ask_of(1, server);
	assert_int_equal(way(0), ROUTE_elsewhere);
}

// The kernel has routes from IPv6 addresses of others too.
TEST_WITH(test_source_of_another, setup, teardown)
{
	static const char *const server[] = {"fd53:7::2", "198.18.7.2"};
	need();
	config.upstreams.source_count = 1;
	config.upstreams.source[0] = address_of_text("fd53:7::99");
	ask_of(ARRAY_LEN(server), server);
	assert_int_equal(way(0), ROUTE_no_route);
	assert_int_equal(way(1), ROUTE_port);
	config.upstreams.source[0] = address_of_text("fd53:7::1");
	ask_of(ARRAY_LEN(server), server);
	assert_int_equal(way(0), ROUTE_port);
	assert_int_equal(image.source_v6[15], 1);
}

TEST_GROUP(group_setup, NULL)
