// SPDX-License-Identifier: BSD-3-Clause
// The section `proxy_protocol`: whose headers are read.

#include "config_text.h"

#include <weir/config_tools.h>

TEST(test_off)
{
	struct config *c = config_text_load(MINIMAL);
	assert_int_equal(c->proxy_protocol.from_count, 0);
	c = config_text_load(MINIMAL "proxy_protocol: {from: []}\n");
	assert_int_equal(c->proxy_protocol.from_count, 0);
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
}

TEST(test_most)
{
	char text[4096] = MINIMAL "proxy_protocol:\n  from:\n";
	for (unsigned i = 0; i < CONFIG_BALANCERS_MAX; i++)
		sprintf(text + strlen(text), "  - 192.0.2.%u\n", i);
	struct config *c = config_text_load(text);
	assert_int_equal(c->proxy_protocol.from_count, CONFIG_BALANCERS_MAX);
	strcat(text, "  - 198.51.100.1\n");
	config_text_refused(text, "proxy_protocol.from");
}

TEST(test_refused)
{
	static const struct refusal bad[] = {
		{"from: [balancer.example]", "proxy_protocol.from[0]"},
		{"from: [private]", "proxy_protocol.from"},
		{"from: [192.0.2.1, 192.0.2.9/24]", "proxy_protocol.from[1]"},
		{"from: {a: 192.0.2.1}", "proxy_protocol.from"},
		{"to: [192.0.2.1]", "proxy_protocol.to"},
	};
	EACH_REFUSED(config_text_refused, MINIMAL "proxy_protocol: {%s}\n", bad);
}
