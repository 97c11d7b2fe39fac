// SPDX-License-Identifier: BSD-3-Clause
// The section `metrics`: where they are served, and to whom.

#include "config_text.h"

#include <weir/config_tools.h>

#define MINIMAL                                               \
	"dataplane:\n  ports:\n  - device: net_null0\n"       \
	"  service_addresses: [203.0.113.53/25, 192.0.2.1]\n" \
	"upstreams:\n  servers:\n  - address: 9.9.9.9\n"

TEST(test_off)
{
	struct config *c = config_text_load(MINIMAL);
	assert_string_equal(c->metrics.listen, "");
	config_free(c);
}

TEST(test_loopback_unless_said)
{
	struct config *c = config_text_load(MINIMAL "metrics: {listen: 127.0.0.1}\n");
	assert_int_equal(c->metrics.address.port, 9153);
	assert_int_equal(c->metrics.allow_count, 2);
	assert_int_equal(c->metrics.allow[0].prefix_len, 8);
	assert_int_equal(c->metrics.allow[1].version, 6);
	config_free(c);
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
	config_free(other);
	config_free(c);
}

TEST(test_refused)
{
	config_text_refused(MINIMAL "metrics: {listen: localhost}\n", "metrics.listen");
	config_text_refused(MINIMAL "metrics: {listen: '192.0.2.7:99999'}\n", "metrics.listen");
	config_text_refused(MINIMAL "metrics: {allow: [192.0.2.9/24]}\n", "metrics.allow[0]");
	config_text_refused(MINIMAL "metrics: {allow: [any]}\n", "metrics.allow[0]");
	config_text_refused(
		MINIMAL "metrics: {listen: 192.0.2.7, allow: ['fd53::/48']}\n", "metrics.allow");
}
