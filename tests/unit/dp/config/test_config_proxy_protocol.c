// SPDX-License-Identifier: BSD-3-Clause
// The section `proxy_protocol`: whose headers are read.

#include "config_text.h"

#include <weir/config_tools.h>

#define MINIMAL                                               \
	"dataplane:\n  ports:\n  - device: net_null0\n"       \
	"  service_addresses: [203.0.113.53/25, 192.0.2.1]\n" \
	"upstreams:\n  servers:\n  - address: 9.9.9.9\n"

TEST(test_off)
{
	struct config *c = config_text_load(MINIMAL);
	assert_int_equal(c->proxy_protocol.from_count, 0);
	config_free(c);
	c = config_text_load(MINIMAL "proxy_protocol: {from: []}\n");
	assert_int_equal(c->proxy_protocol.from_count, 0);
	config_free(c);
}

TEST(test_given)
{
	char keys[256];
	struct config *none = config_text_load(MINIMAL);
	struct config *c =
		config_text_load(MINIMAL "proxy_protocol: {from: [192.0.2.9, 'fd53::/48']}\n");
	assert_int_equal(c->proxy_protocol.from_count, 2);
	assert_int_equal(c->proxy_protocol.from[0].version, 4);
	assert_int_equal(c->proxy_protocol.from[0].prefix_len, 32);
	assert_int_equal(c->proxy_protocol.from[1].version, 6);
	assert_int_equal(c->proxy_protocol.from[1].prefix_len, 48);
	assert_int_equal(config_needs_restart(none, c, keys, sizeof(keys)), 0);
	config_free(c);
	config_free(none);
}

TEST(test_most)
{
	char text[4096] = MINIMAL "proxy_protocol:\n  from:\n";
	for (unsigned i = 0; i < CONFIG_BALANCERS_MAX; i++)
		sprintf(text + strlen(text), "  - 192.0.2.%u\n", i);
	struct config *c = config_text_load(text);
	assert_int_equal(c->proxy_protocol.from_count, CONFIG_BALANCERS_MAX);
	config_free(c);
	strcat(text, "  - 198.51.100.1\n");
	config_text_refused(text, "proxy_protocol.from");
}

TEST(test_refused)
{
	config_text_refused(
		MINIMAL "proxy_protocol: {from: [balancer.example]}\n", "proxy_protocol.from[0]");
	config_text_refused(MINIMAL "proxy_protocol: {from: [private]}\n", "proxy_protocol.from");
	config_text_refused(MINIMAL "proxy_protocol: {from: [192.0.2.1, 192.0.2.9/24]}\n",
		"proxy_protocol.from[1]");
	config_text_refused(MINIMAL "proxy_protocol: {from: 192.0.2.1}\n", "proxy_protocol.from");
	config_text_refused(MINIMAL "proxy_protocol: {to: [192.0.2.1]}\n", "proxy_protocol.to");
}
