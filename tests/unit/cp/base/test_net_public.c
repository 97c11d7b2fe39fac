// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/base/net_public.h"
#include "tests/unit/unit.h"

static void check(const char *const *text, size_t count, bool expected)
{
	for (size_t i = 0; i < count; i++) {
		struct ip_address a;
		assert_int_equal(ip_address_parse(text[i], &a), 0);
		if (net_public(&a) != expected)
			fail_msg("%s", text[i]);
	}
}

static void test_public(void **)
{
	static const char *const text[] = {"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255",
		"100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
		"172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
		"198.20.0.0", "223.255.255.255", "2606:4700::1111", "2001:200::1", "2400::1",
		"2001:db7:ffff::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"};
	check(text, ARRAY_LEN(text), true);
}

static void test_not_public(void **)
{
	static const char *const text[] = {"0.0.0.0", "0.1.2.3", "10.0.0.0", "10.255.255.255",
		"100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.169.254",
		"172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.0.1",
		"192.168.255.255", "198.18.0.53", "198.19.255.255", "198.51.100.1", "203.0.113.1",
		"224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::1.1.1.1", "fe80::1",
		"fc00::1", "fd53::53", "fdff::1", "fec0::1", "ff02::1", "2001::1", "2001:1ff::1",
		"2001:db8::1", "3fff::1", "100::1", "64:ff9b:1::1.1.1.1", "::ffff:127.0.0.1",
		"::ffff:10.0.0.1", "64:ff9b::192.168.0.1", "2002:7f00:1::1", "4000::1"};
	check(text, ARRAY_LEN(text), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_public),
		cmocka_unit_test(test_not_public),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
