// SPDX-License-Identifier: BSD-3-Clause
// The section `metrics`: where they are served, and to whom.

#include "config_text.h"

#include <weir/config_tools.h>

TEST(test_off)
{
	struct config *c = config_text_load(MINIMAL);
	assert_string_equal(c->metrics.listen, "");
}

TEST(test_loopback_unless_said)
{
	struct config *c = config_text_load(MINIMAL "metrics: {listen: 127.0.0.1}\n");
	assert_int_equal(c->metrics.address.port, 9153);
	assert_int_equal(c->metrics.allow_count, 2);
	assert_int_equal(c->metrics.allow[0].prefix_len, 8);
	assert_int_equal(c->metrics.allow[1].version, 6);
}

TEST(test_given)
{
	char keys[256];
	struct config *c = config_text_load(
		MINIMAL "metrics: {listen: '[fd53::1]:9999', allow: ['fd53::/48', 192.0.2.9]}\n");
	struct config *other = config_text_load(
		MINIMAL "metrics: {listen: '[fd53::1]:9998', allow: ['fd53::/47', 192.0.2.9]}\n");
	assert_int_equal(c->metrics.address.port, 9999);
	assert_int_equal(c->metrics.address.ip.version, 6);
	assert_int_equal(c->metrics.allow_count, 2);
	assert_int_equal(config_needs_restart(c, c, keys, sizeof(keys)), 0);
	assert_int_equal(config_needs_restart(c, other, keys, sizeof(keys)), 2);
	assert_string_equal(keys, "metrics.listen, metrics.allow");
}

TEST(test_hosts_are_live)
{
	char keys[256];
	struct config *c = config_text_load(MINIMAL "metrics: {listen: 127.0.0.1}\n");
	struct config *other = config_text_load(
		MINIMAL "metrics: {listen: 127.0.0.1, hosts: [weir1.lab.example., weir1]}\n");
	assert_int_equal(c->metrics.host_count, 0);
	assert_int_equal(other->metrics.host_count, 2);
	assert_string_equal(other->metrics.host[0], "weir1.lab.example");
	assert_int_equal(config_needs_restart(c, other, keys, sizeof(keys)), 0);
}

TEST(test_refused)
{
	static const struct refusal bad[] = {
		{"listen: localhost", "metrics.listen"},
		{"listen: '192.0.2.7:99999'", "metrics.listen"},
		{"allow: [192.0.2.9/24]", "metrics.allow[0]"},
		{"allow: [any]", "metrics.allow[0]"},
		{"listen: 192.0.2.7, allow: ['fd53::/48']", "metrics.allow"},
		{"hosts: ['weir1:9153']", "metrics.hosts[0]"},
		{"hosts: [weir1, '']", "metrics.hosts[1]"},
		{"hosts: ['*.example']", "metrics.hosts[0]"},
	};
	EACH_REFUSED(config_text_refused, MINIMAL "metrics: {%s}\n", bad);
}
