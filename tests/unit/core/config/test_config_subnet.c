// SPDX-License-Identifier: BSD-3-Clause
// How much of a client's address upstream servers get.

#include "config_text.h"

#define BEFORE                                          \
	"dataplane:\n  ports:\n  - device: net_null0\n" \
	"  service_addresses: [192.0.2.53]\n"           \
	"upstreams:\n"

// Bits of a client's address: lists have their own, or those of `upstreams`, each version by
// itself.
TEST(test_client_subnets)
{
	struct config *c = config_text_load(BEFORE
		"  servers: [{address: 9.9.9.9}]\n"
		"  client_subnet_ipv4: 24\n"
		"  client_subnet_ipv6: 56\n"
		"forward_zones: [{name: a.example, servers: [192.0.2.9], client_subnet_ipv4: 0},"
		" {name: b.example, servers: [192.0.2.9]}]\n"
		"groups: [{name: kids, clients: [192.0.2.7], upstreams: [{address: 8.8.8.8}],"
		" upstream_client_subnet_ipv6: 0}]\n");
	assert_int_equal(c->upstreams.subnet.ipv4, 24);
	assert_int_equal(c->upstreams.subnet.ipv6, 56);
	assert_int_equal(c->forwards[0].pick.subnet.ipv4, 0);
	assert_int_equal(c->forwards[0].pick.subnet.ipv6, 56);
	assert_int_equal(c->forwards[1].pick.subnet.ipv4, 24);
	assert_int_equal(c->groups[0].pick.subnet.ipv4, 24);
	assert_int_equal(c->groups[0].pick.subnet.ipv6, 0);
	assert_true(config_sends_subnet(c));
	c = config_text_load(BEFORE "  servers: [{address: 9.9.9.9}]\n");
	assert_int_equal(c->upstreams.subnet.ipv4 + c->upstreams.subnet.ipv6, 0);
	assert_false(config_sends_subnet(c));
	c = config_text_load(BEFORE "  servers: [{address: 9.9.9.9}]\n"
				    "forward_zones: [{name: a.example, servers: [192.0.2.9], "
				    "client_subnet_ipv6: 48}]\n");
	assert_true(config_sends_subnet(c));
}

TEST(test_refused)
{
	static const struct refusal bad[] = {
		{"  servers: [{address: 9.9.9.9}]\n  client_subnet_ipv4: 33\n",
			"upstreams.client_subnet_ipv4: must be 0 to 32"},
		{"  servers: [{address: 9.9.9.9}]\n"
		 "forward_zones: [{name: a.example, servers: [192.0.2.9], client_subnet_ipv6: "
		 "129}]\n",
			"client_subnet_ipv6: must be 0 to 128"},
		{"  servers: [{address: 9.9.9.9}]\n"
		 "groups: [{name: kids, clients: [192.0.2.7], upstream_client_subnet_ipv4: 24}]\n",
			"upstream_client_subnet_ipv4: does nothing in a group without `upstreams`"},
	};
	EACH_REFUSED(config_text_refused, BEFORE "%s", bad);
}
