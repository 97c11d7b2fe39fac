// SPDX-License-Identifier: BSD-3-Clause
// The section `upstreams`: how a server is chosen and checked.

#include "config_text.h"

#define BEFORE                                          \
	"dataplane:\n  ports:\n  - device: net_null0\n" \
	"  service_addresses: [192.0.2.53]\n"           \
	"upstreams:\n"

static void test_defaults(void **)
{
	struct config *c = config_text_load(BEFORE "  servers: [{address: 9.9.9.9}]\n");
	assert_int_equal(c->upstreams.server[0].weight, 1);
	assert_int_equal(c->upstreams.policy, UPSTREAM_FAILOVER);
	assert_int_equal(c->upstreams.race, 1);
	assert_int_equal(c->upstreams.check, UPSTREAM_CHECK_DOWN);
	assert_int_equal(c->upstreams.check_interval_s, 1);
	assert_int_equal(c->upstreams.check_type, DNS_TYPE_NS);
	assert_int_equal(c->upstreams.check_name.len, 1);
	config_free(c);
}

static void test_values(void **)
{
	struct config *c = config_text_load(BEFORE
		"  servers: [{address: 9.9.9.9, weight: 100}, {address: 1.1.1.1, weight: 1}]\n"
		"  policy: least-outstanding\n"
		"  race: 2\n"
		"  check: all\n"
		"  check_interval: 60\n"
		"  check_name: Check.Example.\n"
		"  check_type: SOA\n"
		"groups: [{name: kids, clients: [192.0.2.7],"
		" upstreams: [{address: 8.8.8.8, weight: 7}]}]\n");
	assert_int_equal(c->upstreams.server[0].weight, 100);
	assert_int_equal(c->upstreams.server[1].weight, 1);
	assert_int_equal(c->groups[0].upstreams[0].weight, 7);
	assert_int_equal(c->upstreams.policy, UPSTREAM_LEAST);
	assert_int_equal(c->upstreams.race, 2);
	assert_int_equal(c->upstreams.check, UPSTREAM_CHECK_ALL);
	assert_int_equal(c->upstreams.check_interval_s, 60);
	assert_int_equal(c->upstreams.check_type, DNS_TYPE_SOA);
	assert_int_equal(c->upstreams.check_name.len, 15);
	assert_memory_equal(c->upstreams.check_name.wire, "\5check\7example", 15);
	config_free(c);
}

static void test_refused(void **)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"  servers: [{address: 9.9.9.9, weight: 0}]\n",
			"upstreams.servers[0].weight: must be 1 to 100"},
		{"  servers: [{address: 9.9.9.9, weight: 101}]\n",
			"upstreams.servers[0].weight: must be 1 to 100"},
		{"  servers: [{address: 9.9.9.9, weight: heavy}]\n",
			"upstreams.servers[0].weight: \"heavy\" is not a whole number"},
		{"  servers: [{address: 9.9.9.9}]\n  policy: round-robbin\n", "round-robin"},
		{"  servers: [{address: 9.9.9.9}]\n  race: 3\n", "upstreams.race: must be 1 to 2"},
		{"  servers: [{address: 9.9.9.9}]\n  check_name: a..b\n",
			"upstreams.check_name: is not a domain name"},
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char text[512];
		snprintf(text, sizeof(text), BEFORE "%s", bad[i].text);
		config_text_refused(text, bad[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
