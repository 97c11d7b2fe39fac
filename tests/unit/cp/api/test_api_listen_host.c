// SPDX-License-Identifier: BSD-3-Clause
// By which names metrics.listen may be asked.

#include "controlplane/api/api_listener.h"
#include "tests/unit/unit.h"

static const struct config_metrics none = {0};

TEST(test_addresses_and_localhost)
{
	static const char *const host[] = {"127.0.0.1", "192.0.2.7:9153", "[::1]", "[fd53::7]:9153",
		"localhost", "LocalHost:9153", "localhost.", "", NULL};
	for (unsigned i = 0; i < ARRAY_LEN(host); i++)
		if (!api_listen_host_is_known(&none, host[i]))
			fail_msg("%s", host[i]);
}

// What a browser sends for a page of a foreign name that has become an address of this box.
TEST(test_other_names)
{
	static const char *const host[] = {"evil.example", "evil.example:9153",
		"127.0.0.1.evil.example", "localhost.evil.example", "evil.localhost", "127.1",
		"[evil]", "[::1", "[]", "fd53::7", "[::1].evil.example", ":9153", "."};
	for (unsigned i = 0; i < ARRAY_LEN(host); i++)
		if (api_listen_host_is_known(&none, host[i]))
			fail_msg("%s", host[i]);
}

TEST(test_names_of_the_configuration)
{
	const struct config_metrics m = {
		.host_count = 2, .host = {"weir1.lab.example", "weir-metrics"}};
	assert_true(api_listen_host_is_known(&m, "Weir1.lab.example:9153"));
	assert_true(api_listen_host_is_known(&m, "weir1.lab.example."));
	assert_true(api_listen_host_is_known(&m, "weir-metrics"));
	assert_false(api_listen_host_is_known(&m, "weir1.lab.example.evil.example"));
	assert_false(api_listen_host_is_known(&m, "weir2.lab.example"));
}

TEST(test_own_name)
{
	char own[256] = "";
	assert_int_equal(gethostname(own, sizeof(own) - 1), 0);
	assert_true(api_listen_host_is_known(&none, own));
	assert_true(api_listen_host_is_known(&none, text_from("%s:9153", own)));
	assert_false(api_listen_host_is_known(&none, text_from("%s.evil.example", own)));
}
