// SPDX-License-Identifier: BSD-3-Clause

// Local CNAMEs: what they lead to is found when the image is built, and is what clients get.

#include "local_rig.h"

TEST_WITH(test_aliases, setup, teardown)
{
	everyone("host.lan", "A", "192.0.2.1");
	everyone("*.wild.lan", "A", "192.0.2.2");
	everyone("www.lan", "CNAME", "host.lan");
	everyone("w2.lan", "CNAME", "www.lan");
	everyone("w3.lan", "CNAME", "a.wild.lan");
	everyone("out.lan", "CNAME", "www.example");
	everyone("out2.lan", "CNAME", "out.lan");
	everyone("*.star.lan", "CNAME", "host.lan");
	everyone("apex.lan", "CNAME", "wild.lan"); // the wildcard is not for it
	everyone("gone.lan", "CNAME", "no.such.zone");
	everyone("circle.lan", "CNAME", "back.lan");
	record(own, &group.record_count, "back.lan", "CNAME", "circle.lan");
	zone("such.zone", false);
	build();
	expect("www.lan", DNS_TYPE_A, "2");
	expect("w2.lan", DNS_TYPE_A, "3");
	expect("w3.lan", DNS_TYPE_A, "2");
	expect("www.lan", DNS_TYPE_CNAME, "1");
	expect_answer(NULL, "www.lan", DNS_TYPE_AAAA, "0: @ CNAME host.lan; host.lan SOA");
	expect("x.star.lan", DNS_TYPE_A, "2");
	expect("out.lan", DNS_TYPE_A, "RESOLVE");
	expect("out2.lan", DNS_TYPE_A, "RESOLVE");
	expect("apex.lan", DNS_TYPE_A, "RESOLVE");
	expect("circle.lan", DNS_TYPE_A, "RESOLVE");
	expect_group("circle.lan", DNS_TYPE_A, "RESOLVE"); // the control plane refuses it
	expect("gone.lan", DNS_TYPE_A, "1");               // nothing there, and no query upstream
}

// RFC 6604 3: the code is that of the last name; RFC 2308 2.1, 2.2: with a SOA, else nobody may
// cache it.
TEST_WITH(test_aliases_to_nothing, setup, teardown)
{
	everyone("host.lan", "A", "192.0.2.1");
	everyone("host.lan", "AAAA", "2001:db8::1");
	everyone("*.apps.lan", "TXT", "any");
	everyone("gone.lan", "CNAME", "no.such.lan");
	everyone("two.lan", "CNAME", "gone.lan");
	everyone("v4.lan", "CNAME", "host.lan");
	everyone("v42.lan", "CNAME", "v4.lan");
	everyone("apex.lan", "CNAME", "lan");
	everyone("between.lan", "CNAME", "apps.lan");
	everyone("wild.lan", "CNAME", "x.apps.lan");
	everyone("*.star.lan", "CNAME", "gone.lan");
	zone("lan", false);
	build();
	expect_answer(NULL, "gone.lan", DNS_TYPE_A, "3: @ CNAME no.such.lan; no.such.lan SOA");
	expect_answer(NULL, "two.lan", DNS_TYPE_A,
		"3: @ CNAME gone.lan, gone.lan CNAME no.such.lan; no.such.lan SOA");
	expect_answer(NULL, "two.lan", DNS_TYPE_CNAME, "0: @ CNAME gone.lan");
	expect_answer(NULL, "two.lan", DNS_TYPE_ANY, "0: @ CNAME gone.lan");
	expect_answer(NULL, "x.star.lan", DNS_TYPE_A,
		"3: @ CNAME gone.lan, gone.lan CNAME no.such.lan; no.such.lan SOA");
	expect_answer(NULL, "v4.lan", DNS_TYPE_A, "0: @ CNAME host.lan, host.lan A");
	expect_answer(NULL, "v4.lan", DNS_TYPE_TXT, "0: @ CNAME host.lan; host.lan SOA");
	expect_answer(NULL, "v42.lan", DNS_TYPE_AAAA,
		"0: @ CNAME v4.lan, v4.lan CNAME host.lan, host.lan AAAA");
	expect_answer(NULL, "v42.lan", DNS_TYPE_TXT,
		"0: @ CNAME v4.lan, v4.lan CNAME host.lan; host.lan SOA");
	expect_answer(NULL, "apex.lan", DNS_TYPE_A, "0: @ CNAME lan; lan SOA");
	expect_answer(NULL, "between.lan", DNS_TYPE_A, "0: @ CNAME apps.lan; apps.lan SOA");
	expect_answer(NULL, "wild.lan", DNS_TYPE_TXT, "0: @ CNAME x.apps.lan, x.apps.lan TXT");
	expect_answer(NULL, "wild.lan", DNS_TYPE_A, "0: @ CNAME x.apps.lan; x.apps.lan SOA");
}

// Special-use names are rules of another source, and the end of a chain like any local name.
TEST_WITH(test_aliases_to_special_names, setup, teardown)
{
	hosts("192.0.2.9 nas.home.arpa\n");
	everyone("lo.lan", "CNAME", "localhost");
	everyone("app.lan", "CNAME", "app.localhost");
	everyone("onion.lan", "CNAME", "x.onion");
	everyone("home.lan", "CNAME", "home.arpa");
	everyone("tv.lan", "CNAME", "tv.home.arpa");
	everyone("nas.lan", "CNAME", "nas.home.arpa");
	everyone("9.lan", "CNAME", "9.0.0.10.in-addr.arpa");
	everyone("loop.lan", "CNAME", "1.0.0.127.in-addr.arpa");
	everyone("zone.lan", "CNAME", "10.in-addr.arpa");
	everyone("out.lan", "CNAME", "x.example");
	record(own, &group.record_count, "mine.lan", "CNAME", "lo.lan");
	for (unsigned turn = 0; turn < 3; turn++) {
		const struct config_group *g = turn ? &group : NULL;
		if (turn == 2) // which brings all special names into the group's source
			record(own, &group.record_count, "invalid", "TXT", "ours");
		build();
		expect_answer(g, "lo.lan", DNS_TYPE_A, "0: @ CNAME localhost, localhost A");
		expect_answer(g, "lo.lan", DNS_TYPE_AAAA, "0: @ CNAME localhost, localhost AAAA");
		expect_answer(g, "lo.lan", DNS_TYPE_MX, "0: @ CNAME localhost; localhost SOA");
		expect_answer(
			g, "app.lan", DNS_TYPE_A, "0: @ CNAME app.localhost, app.localhost A");
		expect_answer(g, "onion.lan", DNS_TYPE_A, "3: @ CNAME x.onion; x.onion SOA");
		expect_answer(g, "home.lan", DNS_TYPE_A, "0: @ CNAME home.arpa; home.arpa SOA");
		expect_answer(g, "tv.lan", DNS_TYPE_A, "3: @ CNAME tv.home.arpa; tv.home.arpa SOA");
		expect_answer(
			g, "nas.lan", DNS_TYPE_A, "0: @ CNAME nas.home.arpa, nas.home.arpa A");
		expect_answer(g, "9.lan", DNS_TYPE_PTR,
			"3: @ CNAME 9.0.0.10.in-addr.arpa; 9.0.0.10.in-addr.arpa SOA");
		expect_answer(g, "loop.lan", DNS_TYPE_PTR,
			"0: @ CNAME 1.0.0.127.in-addr.arpa, 1.0.0.127.in-addr.arpa PTR");
		expect_answer(g, "zone.lan", DNS_TYPE_SOA,
			"0: @ CNAME 10.in-addr.arpa, 10.in-addr.arpa SOA");
	}
	expect_answer(&group, "mine.lan", DNS_TYPE_A,
		"0: @ CNAME lo.lan, lo.lan CNAME localhost, localhost A");
	expect("out.lan", DNS_TYPE_A, "RESOLVE");
	config.local.special_names = false;
	build();
	expect("lo.lan", DNS_TYPE_A, "RESOLVE");
}

// As many as the configuration allows; it refuses more.
TEST_WITH(test_a_long_chain, setup, teardown)
{
	char name[CONFIG_ALIASES_MAX + 2][16];
	for (unsigned i = 0; i < CONFIG_ALIASES_MAX + 2; i++)
		snprintf(name[i], sizeof(name[i]), "n%u.lan", i);
	for (unsigned i = 0; i < CONFIG_ALIASES_MAX + 1; i++)
		everyone(name[i], "CNAME", name[i + 1]);
	everyone(name[CONFIG_ALIASES_MAX + 1], "A", "192.0.2.1");
	build();
	char with_address[8], without[8];
	snprintf(with_address, sizeof(with_address), "%d", CONFIG_ALIASES_MAX + 1);
	snprintf(without, sizeof(without), "%d", CONFIG_ALIASES_MAX);
	expect("n1.lan", DNS_TYPE_A, with_address);
	expect("n1.lan", DNS_TYPE_MX, without);
	expect("n0.lan", DNS_TYPE_A, "RESOLVE");
}
