// SPDX-License-Identifier: BSD-3-Clause

// The section `ipv6` and the same keys of groups. Bad values: test_config_bad.h.

#include "config_text.h"

TEST(test_off_by_default)
{
	struct config *c = config_text_load(MINIMAL);
	assert_int_equal(c->ipv6.dns64.version, 0);
	assert_false(c->ipv6.filter_aaaa);
}

TEST(test_groups_have_their_own)
{
	struct config *c = config_text_load(MINIMAL
		"ipv6: {dns64: '64:ff9b::/96', filter_aaaa: true}\n"
		"groups:\n"
		"- {name: as, clients: [192.0.5.0/24]}\n"
		"- {name: own, clients: [192.0.3.0/24], dns64: '2001:db8:1::/48'}\n"
		"- {name: none, clients: [192.0.4.0/24], dns64: off, filter_aaaa: false}\n");
	assert_int_equal(c->ipv6.dns64.prefix_len, 96);
	const struct config_ipv6 everyone = config_group_ipv6(c, NULL),
				 as = config_group_ipv6(c, &c->groups[0]),
				 own = config_group_ipv6(c, &c->groups[1]),
				 none = config_group_ipv6(c, &c->groups[2]);
	assert_int_equal(everyone.dns64.prefix_len, 96);
	assert_true(everyone.filter_aaaa && as.filter_aaaa && own.filter_aaaa);
	assert_int_equal(as.dns64.prefix_len, 96);
	assert_int_equal(own.dns64.prefix_len, 48);
	assert_int_equal(none.dns64.version, 0);
	assert_false(none.filter_aaaa);
}
