// SPDX-License-Identifier: BSD-3-Clause
// Lists by URL and blocking.update; what is refused of them is in test_config_bad.h.

#include "config_text.h"

#define MINIMAL                                                                                \
	"dataplane:\n  ports:\n  - device: net_null0\n  service_addresses: [198.18.0.53/24]\n" \
	"upstreams:\n  servers:\n  - address: 9.9.9.9\n"

static void test_lists_that_are_fetched(void **)
{
	struct config *c = config_text_load(MINIMAL
		"blocking:\n"
		"  lists:\n"
		"  - {url: 'https://u:p@lists.example:8443/a/ads.txt?token=x', format: hosts}\n"
		"  - {url: 'http://[fd53::1]/', force: true, allow: true}\n"
		"  - {url: 'file:///etc/hosts', format: dnsmasq}\n"
		"  update: {interval: 60, jitter: 0, start: fail, start_timeout: 9, timeout: 7,\n"
		"    max_mb: 3, max_redirects: 0, allow_private: true,\n"
		"    bootstrap: [192.0.2.53, '[fd53::53]:5353']}\n");
	const struct config_list *l = c->blocking.lists;
	const struct config_update *u = &c->blocking.update;
	assert_string_equal(l[0].name, "ads.txt");
	assert_string_equal(l[0].url, "https://u:p@lists.example:8443/a/ads.txt?token=x");
	assert_null(l[0].path);
	assert_int_equal(l[0].format, LIST_FORMAT_HOSTS);
	assert_false(l[0].force);
	assert_string_equal(l[1].name, "[fd53::1]");
	assert_true(l[1].force && l[1].allow);
	assert_int_equal(l[1].format, LIST_FORMAT_AUTO);
	assert_string_equal(l[2].path, "/etc/hosts");
	assert_null(l[2].url);
	assert_int_equal(l[2].format, LIST_FORMAT_DNSMASQ);
	assert_int_equal(u->interval_s, 60);
	assert_int_equal(u->jitter_s, 0);
	assert_int_equal(u->start, UPDATE_START_FAIL);
	assert_int_equal(u->start_timeout_s, 9);
	assert_int_equal(u->timeout_s, 7);
	assert_int_equal(u->max_mb, 3);
	assert_int_equal(u->max_redirects, 0);
	assert_true(u->allow_private);
	assert_int_equal(u->bootstrap_count, 2);
	assert_int_equal(u->bootstrap[0].port, 53);
	assert_int_equal(u->bootstrap[1].port, 5353);
	config_free(c);
	c = config_text_load(
		MINIMAL "blocking:\n  update:\n  # interval: 60\n  deny: [a.example]\n");
	assert_int_equal(c->blocking.update.interval_s, 86400);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists_that_are_fetched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
