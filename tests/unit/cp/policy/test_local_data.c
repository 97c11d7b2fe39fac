// SPDX-License-Identifier: BSD-3-Clause

// Local data as rules: which rule decides each name once the image is built of them, and what it
// answers with. The rules go through the real builder, so what is tested is what clients get.

#include "local_rig.h"

TEST_WITH(test_records, setup, teardown)
{
	everyone("nas.lan", "A", "192.0.2.1");
	everyone("nas.lan", "A", "192.0.2.2");
	everyone("nas.lan", "AAAA", "2001:db8::1");
	everyone("nas.lan", "MX", "10 mail.lan");
	everyone("*.apps.lan", "A", "192.0.2.3");
	everyone("one.apps.lan", "TXT", "here");
	everyone("svc.lan", "HTTPS", "1 . alpn=h2");
	build();
	expect("nas.lan", DNS_TYPE_A, "2");
	expect("NAS.lan", DNS_TYPE_AAAA, "1");
	expect("nas.lan", DNS_TYPE_MX, "1");
	expect("nas.lan", DNS_TYPE_TXT, "0"); // NODATA
	expect("below.nas.lan", DNS_TYPE_A, "");
	expect("lan", DNS_TYPE_A, "");
	expect("a.apps.lan", DNS_TYPE_A, "1");
	expect("a.b.apps.lan", DNS_TYPE_A, "1");
	expect("apps.lan", DNS_TYPE_A, "");
	expect("one.apps.lan", DNS_TYPE_A, "0"); // beats the wildcard
	expect("one.apps.lan", DNS_TYPE_TXT, "1");
	expect("svc.lan", DNS_TYPE_HTTPS, "1");
}

// local.missing_types: forward. A rule is for the types that its name has, where nothing else
// local speaks of the others.
TEST_WITH(test_missing_types, setup, teardown)
{
	everyone("nas.example", "A", "192.0.2.1");
	everyone("nas.example", "MX", "10 mail.example");
	everyone("*.apps.example", "A", "192.0.2.2");
	everyone("one.apps.example", "AAAA", "2001:db8::1");
	everyone("two.apps.example", "A", "192.0.2.3");
	everyone("www.example", "CNAME", "nas.example");
	everyone("*.star.example", "CNAME", "nas.example");
	everyone("one.star.example", "A", "192.0.2.4");
	everyone("lan", "A", "192.0.2.5");
	everyone("nas.lan", "A", "192.0.2.6");
	everyone("*.w.lan", "A", "192.0.2.7");
	everyone("to.lan", "CNAME", "nas.lan");
	everyone("nas.guest.lan", "A", "192.0.2.8");
	everyone("nas.home.arpa", "A", "192.0.2.9");
	hosts("192.0.2.10 web.example\n127.0.0.1 ads.example\n");
	zone("lan", false);
	zone("guest.lan", true);
	build();
	expect("nas.example", DNS_TYPE_AAAA, "0");
	expect("web.example", DNS_TYPE_AAAA, "0");
	config.local.missing_forward = true;
	build();
	expect("nas.example", DNS_TYPE_A, "1");
	expect("nas.example", DNS_TYPE_MX, "1");
	expect("nas.example", DNS_TYPE_AAAA, "");
	expect("x.apps.example", DNS_TYPE_A, "1");
	expect("x.apps.example", DNS_TYPE_AAAA, "");
	expect("one.apps.example", DNS_TYPE_A, "0"); // the wildcard has this type
	expect("one.apps.example", DNS_TYPE_TXT, "0");
	expect("two.apps.example", DNS_TYPE_A, "1");
	expect("two.apps.example", DNS_TYPE_AAAA, "");
	expect("www.example", DNS_TYPE_A, "RESOLVE"); // its target's other types are others'
	expect("one.star.example", DNS_TYPE_AAAA, "0");
	expect("lan", DNS_TYPE_AAAA, "0");
	expect("nas.lan", DNS_TYPE_AAAA, "0");
	expect("x.w.lan", DNS_TYPE_AAAA, "0");
	expect_answer(NULL, "to.lan", DNS_TYPE_A, "0: @ CNAME nas.lan, nas.lan A");
	expect("nas.guest.lan", DNS_TYPE_A, "1");
	expect("nas.guest.lan", DNS_TYPE_AAAA, "");
	expect("nas.home.arpa", DNS_TYPE_AAAA, "0");
	expect("web.example", DNS_TYPE_A, "1");
	expect("web.example", DNS_TYPE_AAAA, "");
	expect("ads.example", DNS_TYPE_AAAA, "0"); // exists without an address
}

TEST_WITH(test_zones, setup, teardown)
{
	everyone("lan", "TXT", "ours");
	everyone("a.b.c.lan", "A", "192.0.2.1");
	everyone("*.w.lan", "A", "192.0.2.2");
	zone("lan", false);
	zone("guest.lan", true);
	zone("free.example", true);
	forward("corp.lan");
	forward("other.example");
	build();
	expect("lan", DNS_TYPE_TXT, "1");
	expect("lan", DNS_TYPE_A, "0");
	expect("x.lan", DNS_TYPE_A, "NXDOMAIN");
	expect("a.b.c.lan", DNS_TYPE_A, "1");
	expect("b.c.lan", DNS_TYPE_A, "NODATA"); // RFC 8020
	expect("c.lan", DNS_TYPE_A, "NODATA");
	expect("x.c.lan", DNS_TYPE_A, "NXDOMAIN");
	expect("w.lan", DNS_TYPE_A, "NODATA");
	expect("x.w.lan", DNS_TYPE_A, "1");
	expect("guest.lan", DNS_TYPE_A, "");
	expect("x.guest.lan", DNS_TYPE_A, "");
	expect("x.corp.lan", DNS_TYPE_A, "");
	expect("x.free.example", DNS_TYPE_A, ""); // as ever, block lists included
	expect("x.other.example", DNS_TYPE_A, "");
}

// `deny` counts below a zone that is left to servers, wherever that is; no pause closes the zone.
TEST_WITH(test_denied_below_zones, setup, teardown)
{
	static const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	static const char *const open[] = {"x.ads.guest.lan", "ads.guest.lan"};
	struct rule_verdict v;
	uint64_t kept[4];
	denied = "ads.guest.lan";
	zone("lan", false);
	zone("guest.lan", true);
	everyone("guest.lan", "TXT", "ours");
	build();
	for (unsigned i = 0; i < ARRAY_LEN(open); i++) {
		const struct dns_name name = name_of(open[i]);
		v = verdict_of(NULL, open[i], DNS_TYPE_A);
		assert_true(v.d.matched && v.d.rule_class == RULE_CLASS_OPERATOR_DENY);
		rule_lists_unblocked(&reader, all, kept);
		rule_decide(&reader, &name, DNS_TYPE_A, kept, &v);
		assert_false(v.d.matched);
	}
	expect("guest.lan", DNS_TYPE_TXT, "1");
	expect("guest.lan", DNS_TYPE_A, "0"); // a name with a record
	expect("x.guest.lan", DNS_TYPE_A, "");
	expect("x.lan", DNS_TYPE_A, "NXDOMAIN");
}

// A zone that is left to servers has its own name and those above the records in it, too.
TEST_WITH(test_names_between, setup, teardown)
{
	zone("lan", false);
	zone("guest.lan", true);
	zone("in.guest.lan", false);
	forward("guest.lan"); // as the import writes `server=/guest.lan/`
	forward("corp.lan");
	everyone("nas.guest.lan", "A", "192.0.2.1");
	everyone("www.nas.guest.lan", "CNAME", "nas.guest.lan");
	everyone("a.b.guest.lan", "A", "192.0.2.2");
	everyone("a.b.in.guest.lan", "A", "192.0.2.3");
	everyone("a.b.corp.lan", "A", "192.0.2.4");
	everyone("a.b.lan", "A", "192.0.2.5");
	everyone("to.lan", "CNAME", "b.guest.lan");
	build();
	expect("guest.lan", DNS_TYPE_A, "");
	expect("b.guest.lan", DNS_TYPE_A, "");
	expect("nas.guest.lan", DNS_TYPE_A, "1");
	expect("nas.guest.lan", DNS_TYPE_AAAA, "0");
	expect("www.nas.guest.lan", DNS_TYPE_A, "2");   // the CNAME, and the A
	expect("b.in.guest.lan", DNS_TYPE_A, "NODATA"); // the nearest zone is no server's
	expect("corp.lan", DNS_TYPE_A, "");
	expect("b.corp.lan", DNS_TYPE_A, "");
	expect("a.b.corp.lan", DNS_TYPE_A, "1");
	expect("b.lan", DNS_TYPE_A, "NODATA");
	expect("to.lan", DNS_TYPE_A, "RESOLVE");
	everyone("guest.lan", "TXT", "ours");
	config.local.missing_forward = true;
	build();
	expect("guest.lan", DNS_TYPE_TXT, "1");
	expect("guest.lan", DNS_TYPE_A, "");
	expect("nas.guest.lan", DNS_TYPE_AAAA, "");
}

// What is nearer than a wildcard's name is not the wildcard's.
TEST_WITH(test_zones_below_wildcards, setup, teardown)
{
	everyone("*.example", "A", "192.0.2.1");
	everyone("*.corp.example", "A", "192.0.2.2");
	record(own, &group.record_count, "*.own.net", "A", "192.0.2.3");
	forward("office.example");
	forward("corp.example");
	forward("ads.own.net");
	zone("free.example", true);
	build();
	expect("x.office.example", DNS_TYPE_A, "");
	expect("office.example", DNS_TYPE_A, "");
	expect("x.free.example", DNS_TYPE_A, "");
	expect("corp.example", DNS_TYPE_A, "");
	expect("x.corp.example", DNS_TYPE_A, "1"); // a record comes before a zone of its name
	expect("x.other.example", DNS_TYPE_A, "1");
	expect("x.ads.own.net", DNS_TYPE_A, "");
	expect_group("x.ads.own.net", DNS_TYPE_A, "");
	expect_group("x.own.net", DNS_TYPE_A, "1");
}

TEST_WITH(test_special, setup, teardown)
{
	forward("168.192.in-addr.arpa");
	forward("1.10.in-addr.arpa");
	zone("home.arpa", false);
	everyone("printer.home.arpa", "A", "10.0.0.9");
	build();
	expect("localhost", DNS_TYPE_A, "1");
	expect("x.localhost", DNS_TYPE_AAAA, "1");
	expect("localhost", DNS_TYPE_MX, "0");
	expect("1.0.0.127.in-addr.arpa", DNS_TYPE_PTR, "1");
	expect("2.0.0.127.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
		DNS_TYPE_PTR, "1");
	expect("x.invalid", DNS_TYPE_A, "NXDOMAIN");
	expect("invalid", DNS_TYPE_A, "NXDOMAIN");
	expect("x.test", DNS_TYPE_A, "NXDOMAIN");
	expect("x.local", DNS_TYPE_A, "NXDOMAIN");
	expect("abc.onion", DNS_TYPE_A, "NXDOMAIN");
	expect("x.example", DNS_TYPE_A, "");
	expect("_dns.resolver.arpa", DNS_TYPE_SVCB, "NODATA");
	expect("6tisch.arpa", DNS_TYPE_A, "NXDOMAIN");
	expect("noob.eap.arpa", DNS_TYPE_A, "NXDOMAIN");
	expect("eap-noob.arpa", DNS_TYPE_A, "NXDOMAIN");
	expect("use-application-dns.net", DNS_TYPE_A, "NXDOMAIN");
	expect("10.in-addr.arpa", DNS_TYPE_SOA, "1");
	expect("10.in-addr.arpa", DNS_TYPE_NS, "1");
	expect("10.in-addr.arpa", DNS_TYPE_PTR, "0");
	expect("4.3.2.10.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect("4.3.1.10.in-addr.arpa", DNS_TYPE_PTR, "");
	expect("1.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "");
	expect("1.1.16.172.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect("1.1.31.172.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect("1.1.15.172.in-addr.arpa", DNS_TYPE_PTR, "");
	expect("1.1.32.172.in-addr.arpa", DNS_TYPE_PTR, "");
	expect("1.1.100.100.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect("1.1.128.100.in-addr.arpa", DNS_TYPE_PTR, "");
	expect("1.d.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect("1.c.f.ip6.arpa", DNS_TYPE_PTR, "");
	expect("1.b.e.f.ip6.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect("home.arpa", DNS_TYPE_DS, "NODATA"); // the operator's zone, not RFC 8375's
	expect("printer.home.arpa", DNS_TYPE_A, "1");
	expect("x.home.arpa", DNS_TYPE_A, "NXDOMAIN");
}

// RFC 9462: the records, and nothing else below resolver.arpa.
TEST_WITH(test_designated, setup, teardown)
{
	static char host[] = "dns.example";
	config.tls.name = host;
	config.dot.enabled = true;
	build();
	expect("_dns.resolver.arpa", DNS_TYPE_SVCB, "1");
	expect("_dns.resolver.arpa", DNS_TYPE_A, "0");
	expect("x._dns.resolver.arpa", DNS_TYPE_SVCB, "NODATA");
	expect("resolver.arpa", DNS_TYPE_SVCB, "NODATA");
	record(own, &group.record_count, "_dns.resolver.arpa", "A", "192.0.2.3");
	build();
	expect_group("_dns.resolver.arpa", DNS_TYPE_A, "1"); // instead of the records
	expect_group("_dns.resolver.arpa", DNS_TYPE_SVCB, "0");
	expect("_dns.resolver.arpa", DNS_TYPE_SVCB, "1");
	config.local.special_names = false;
	build();
	expect("_dns.resolver.arpa", DNS_TYPE_SVCB, "");
}

static void own_address(const char *text)
{
	struct ip_address *a = &config.dataplane.addresses[config.dataplane.address_count++];
	assert_int_equal(ip_address_parse(text, a), 0);
}

// The name by which clients reach the box over TLS.
TEST_WITH(test_own_name, setup, teardown)
{
	static char host[] = "Dns.home.arpa";
	config.tls.name = host;
	own_address("192.0.2.53/24");
	own_address("192.0.2.54/24");
	build();
	expect("dns.home.arpa", DNS_TYPE_A, "NXDOMAIN"); // nothing is served over TLS
	config.dot.enabled = true;
	build();
	expect("dns.home.arpa", DNS_TYPE_A, "2");
	expect("dns.home.arpa", DNS_TYPE_AAAA, "0"); // NODATA, not another box's address
	config.dataplane.own_count = 1;              // the other one moves
	build();
	expect("dns.home.arpa", DNS_TYPE_A, "1");
	config.dataplane.own_count = 2;
	build();
	expect("x.dns.home.arpa", DNS_TYPE_A, "NXDOMAIN");
	own_address("2001:db8::53");
	everyone("*.dns.home.arpa", "CNAME", "dns.home.arpa"); // clients with names of their own
	build();
	expect("dns.home.arpa", DNS_TYPE_AAAA, "1");
	expect("kid.dns.home.arpa", DNS_TYPE_AAAA, "2");
	record(own, &group.record_count, "dns.home.arpa", "A", "192.0.2.99");
	build();
	expect_group("dns.home.arpa", DNS_TYPE_A, "1"); // instead of the addresses
	expect_group("dns.home.arpa", DNS_TYPE_AAAA, "0");
	expect("dns.home.arpa", DNS_TYPE_A, "2");
	forward("dns.home.arpa");
	build();
	expect("dns.home.arpa", DNS_TYPE_A, "");
}

// A name between a zone and its records hides no special-use name, and a zone that is left to
// servers below a closed one leaves both as they are.
TEST_WITH(test_own_name_in_zones, setup, teardown)
{
	static char host[] = "dns.lan";
	config.tls.name = host;
	config.dot.enabled = true;
	own_address("192.0.2.53");
	zone("lan", false);
	zone("home.arpa", false);
	everyone("*.dns.lan", "CNAME", "dns.lan");
	everyone("kid.mask.icloud.com", "A", "192.0.2.1");
	everyone("a.b.local", "A", "192.0.2.2");
	zone("com", false);
	zone("local", false);
	forward("icloud.com");
	config.local.relay_canary = true;
	build();
	expect("dns.lan", DNS_TYPE_A, "1");
	expect("dns.lan", DNS_TYPE_AAAA, "0");
	expect("kid.dns.lan", DNS_TYPE_A, "2"); // the CNAME, and the A
	expect("mask.icloud.com", DNS_TYPE_A, "NXDOMAIN");
	expect("kid.mask.icloud.com", DNS_TYPE_A, "1");
	expect("b.local", DNS_TYPE_A, "NODATA");
	zone("192.in-addr.arpa", false);
	everyone("1.1.168.192.in-addr.arpa", "PTR", "router.lan");
	build();
	expect("168.192.in-addr.arpa", DNS_TYPE_SOA, "1"); // RFC 6303
	expect("1.168.192.in-addr.arpa", DNS_TYPE_SOA, "NODATA");
	zone("guest.lan", true);
	static char opened[] = "dns.guest.lan";
	config.tls.name = opened;
	everyone("*.dns.guest.lan", "CNAME", "dns.guest.lan");
	build();
	expect("dns.guest.lan", DNS_TYPE_A, "1");
	expect("kid.dns.guest.lan", DNS_TYPE_A, "2");
	expect("x.guest.lan", DNS_TYPE_A, "");
	expect("dns.lan", DNS_TYPE_A, "NODATA");
}

TEST_WITH(test_own_name_elsewhere, setup, teardown)
{
	static char host[] = "dns.example", special[] = "invalid", path[] = "/dns-query";
	config.tls.name = host;
	config.doh = (struct config_dot){.enabled = true, .port = 443, .path = path};
	own_address("2001:db8::53");
	hosts("127.0.1.1 dns.example dns\n");
	build();
	expect("dns.example", DNS_TYPE_AAAA, "1"); // Debian's line is about the machine
	expect("_acme-challenge.dns.example", DNS_TYPE_TXT, "");
	hosts("127.0.1.1 dns.example dns\n192.0.2.7 dns.example\n");
	build();
	expect("dns.example", DNS_TYPE_A, "1");
	expect("dns.example", DNS_TYPE_AAAA, "0");
	config.local.hosts_file_count = 0;
	config.tls.name = special;
	build();
	expect("invalid", DNS_TYPE_AAAA, "NXDOMAIN");
	config.tls.name = host;
	config.local.special_names = false;
	build();
	expect("dns.example", DNS_TYPE_AAAA, "");
}

// The resolver answers names that leases may have; the image answers names with records, and an
// empty zone's SOA.
TEST_WITH(test_house, setup, teardown)
{
	house("lan");
	zone("1.168.192.in-addr.arpa", false);
	zone("iot.lan", false);
	everyone("nas.lan", "A", "192.0.2.1");
	everyone("x.deep.lan", "A", "192.0.2.2");
	hosts("192.168.1.9 web.lan\n");
	build();
	expect("laptop.lan", DNS_TYPE_A, "RESOLVE");
	expect("nas.lan", DNS_TYPE_A, "1");
	expect("web.lan", DNS_TYPE_A, "1");
	expect("deep.lan", DNS_TYPE_A, "RESOLVE"); // a lease may have the name
	expect("deep.lan", DNS_TYPE_AAAA, "RESOLVE");
	expect("deep.lan", DNS_TYPE_TXT, "NODATA");
	expect("y.deep.lan", DNS_TYPE_A, "RESOLVE");
	expect("lan", DNS_TYPE_A, "NODATA");
	expect("x.iot.lan", DNS_TYPE_A, "NXDOMAIN");
	expect("5.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "RESOLVE");
	expect("9.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "1");
	expect("1.168.192.in-addr.arpa", DNS_TYPE_PTR, "NODATA");
	expect("5.0.0.10.in-addr.arpa", DNS_TYPE_PTR, "RESOLVE");
	expect("10.in-addr.arpa", DNS_TYPE_SOA, "1");
	expect("5.0.31.172.in-addr.arpa", DNS_TYPE_PTR, "RESOLVE");
	expect("5.0.0.127.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect("x.onion", DNS_TYPE_A, "NXDOMAIN");
	record(own, &group.record_count, "nas.lan", "A", "192.0.2.3");
	build();
	expect_group("laptop.lan", DNS_TYPE_A, "RESOLVE");
	expect_group("5.0.0.10.in-addr.arpa", DNS_TYPE_PTR, "RESOLVE");
	everyone("*.lan", "A", "192.0.2.4"); // the operator's own come first
	build();
	expect("laptop.lan", DNS_TYPE_A, "1");
}

// As in any closed zone, though leases may have names there.
TEST_WITH(test_missing_types_of_a_house, setup, teardown)
{
	config.local.missing_forward = true;
	house("lan");
	zone("open.lan", true);
	everyone("nas.lan", "A", "192.0.2.1");
	everyone("mail.lan", "TXT", "here");
	everyone("to.lan", "CNAME", "nas.lan");
	everyone("*.w.lan", "A", "192.0.2.2");
	everyone("nas.open.lan", "A", "192.0.2.3");
	everyone("nas", "AAAA", "2001:db8::1");
	everyone("9.1.168.192.in-addr.arpa", "PTR", "nas.lan");
	hosts("192.168.1.8 web.lan\n");
	build();
	expect("nas.lan", DNS_TYPE_A, "1");
	expect("nas.lan", DNS_TYPE_AAAA, "0");
	expect("mail.lan", DNS_TYPE_A, "0");
	expect("web.lan", DNS_TYPE_AAAA, "0");
	expect_answer(NULL, "to.lan", DNS_TYPE_A, "0: @ CNAME nas.lan, nas.lan A");
	expect("x.w.lan", DNS_TYPE_AAAA, "0");
	expect("laptop.lan", DNS_TYPE_A, "RESOLVE");
	expect("nas.open.lan", DNS_TYPE_AAAA, "");
	expect("nas", DNS_TYPE_A, "");
	expect("9.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "1");
	expect("9.1.168.192.in-addr.arpa", DNS_TYPE_TXT, "0");
	expect("8.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "1");
	expect("8.1.168.192.in-addr.arpa", DNS_TYPE_TXT, "0");
	expect("7.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "RESOLVE");
}

// Block lists count for names of an open or forwarded domain: no rule speaks for the leases.
TEST_WITH(test_open_house, setup, teardown)
{
	config.local.house = name_of("lan");
	config.local.special_names = false;
	zone("lan", true);
	forward("168.192.in-addr.arpa");
	build();
	expect("laptop.lan", DNS_TYPE_A, "");
	expect("5.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "");
	expect("5.0.0.10.in-addr.arpa", DNS_TYPE_PTR, "");
	config.local.zone_count = 0;
	forward("lan");
	build();
	expect("laptop.lan", DNS_TYPE_A, "");
	everyone("*.example", "A", "192.0.2.4"); // nearer than any closed zone
	config.local.house = name_of("home.example");
	zone("home.example", true);
	build();
	expect("laptop.home.example", DNS_TYPE_A, ""); // by the zone, as without leases
	config.local.zone_count = 0;
	build();
	expect("laptop.home.example", DNS_TYPE_A, "1");
}

// The zone of the domain is none for a group that forwards that name.
TEST_WITH(test_forwarded_house_of_a_group, setup, teardown)
{
	house("lan");
	everyone("x.deep.lan", "A", "192.0.2.2");
	own_forwards[group.forward_count++].name = name_of("lan");
	build();
	expect("laptop.lan", DNS_TYPE_A, "RESOLVE");
	expect("deep.lan", DNS_TYPE_TXT, "NODATA");
	expect("lan", DNS_TYPE_A, "NODATA");
	expect_group("laptop.lan", DNS_TYPE_A, "");
	expect_group("deep.lan", DNS_TYPE_TXT, "");
	expect_group("lan", DNS_TYPE_A, "");
	expect_group("x.deep.lan", DNS_TYPE_A, "1");
	own_forwards[0].name = name_of("corp.lan");
	build();
	expect_group("laptop.lan", DNS_TYPE_A, "RESOLVE");
	expect_group("lan", DNS_TYPE_A, "NODATA");
}

TEST_WITH(test_special_switches, setup, teardown)
{
	config.local.test_names = true;
	config.local.doh_canary = false;
	build();
	expect("x.test", DNS_TYPE_A, "");
	expect("use-application-dns.net", DNS_TYPE_A, "");
	expect("home.arpa", DNS_TYPE_DS, ""); // RFC 8375 4
	expect("home.arpa", DNS_TYPE_A, "NODATA");
	expect("x.home.arpa", DNS_TYPE_DS, "NXDOMAIN");
	config.local.special_names = false;
	build();
	expect("x.onion", DNS_TYPE_A, "");
	expect("localhost", DNS_TYPE_A, "");
}

TEST_WITH(test_private_relay, setup, teardown)
{
	build();
	expect("mask.icloud.com", DNS_TYPE_A, "");
	config.local.special_names = config.local.doh_canary = false;
	config.local.relay_canary = true;
	build();
	expect("mask.icloud.com", DNS_TYPE_A, "NXDOMAIN");
	expect("mask-h2.icloud.com", DNS_TYPE_AAAA, "NXDOMAIN");
	expect("icloud.com", DNS_TYPE_A, "");
	forward("mask.icloud.com"); // the operator's own wish for it
	build();
	expect("mask.icloud.com", DNS_TYPE_A, "");
}

TEST_WITH(test_hosts, setup, teardown)
{
	hosts("# comment\n"
	      "127.0.0.1\tlocalhost loop.alias\n"
	      "192.0.2.7  Web.lan web www # the rest\r\n"
	      "2001:db8::7 web.lan\n"
	      "192.0.2.7 second.lan\n"
	      "192.0.2.8 over.lan\n"
	      "127.0.1.1 own.lan own\n"
	      "::1 blocked.lan\n"
	      "127.0.0.1 both.lan\n"
	      "192.0.2.11 both.lan\n"
	      "192.0.2.12 b\xc3\xbc"
	      "cher.lan\n"
	      "not-an-address x.lan\n"
	      "192.0.2.0/24 prefix.lan\n"
	      "192.0.2.9\n"
	      "192.0.2.10 bad..name good.lan"); // without a newline
	everyone("to-blocked.lan", "CNAME", "blocked.lan");
	everyone("over.lan", "A", "203.0.113.1");
	everyone("over.lan", "A", "203.0.113.2");
	build();
	expect("web.lan", DNS_TYPE_A, "1");
	expect("web.lan", DNS_TYPE_AAAA, "1");
	expect("web", DNS_TYPE_A, "1");
	expect("www", DNS_TYPE_AAAA, "0");
	expect("7.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "1"); // web.lan alone
	expect("10.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "1");
	expect("9.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect("over.lan", DNS_TYPE_A, "2");   // the record's word alone
	expect("loop.alias", DNS_TYPE_A, "0"); // no address of this machine alone
	expect("own.lan", DNS_TYPE_A, "");
	expect("own", DNS_TYPE_A, "");
	expect("blocked.lan", DNS_TYPE_AAAA, "0");
	expect("blocked.lan", DNS_TYPE_A, "0");
	expect("to-blocked.lan", DNS_TYPE_A, "1");
	expect("both.lan", DNS_TYPE_A, "1");
	expect("both.lan", DNS_TYPE_AAAA, "0");
	expect("b\\195\\188cher.lan", DNS_TYPE_A, "");
	expect("localhost", DNS_TYPE_AAAA, "1"); // RFC 6761 6.3
	expect("x.lan", DNS_TYPE_A, "");
	expect("good.lan", DNS_TYPE_A, "1");
	config.local.hosts_ptr = false;
	build();
	expect("7.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	unlink(hosts_path);
	build(); // logged
	expect("web.lan", DNS_TYPE_A, "");
	expect("over.lan", DNS_TYPE_A, "2");
}

TEST_WITH(test_groups, setup, teardown)
{
	everyone("nas.lan", "A", "192.0.2.1");
	everyone("nas.lan", "A", "192.0.2.2");
	everyone("both.lan", "CNAME", "nas.lan");
	zone("lan", false);
	build();
	expect_group("nas.lan", DNS_TYPE_A, "2");
	record(own, &group.record_count, "nas.lan", "A", "192.0.2.3");
	record(own, &group.record_count, "only.kids", "A", "192.0.2.4");
	group.forward_count = 1;
	own_forwards[0].name = name_of("10.in-addr.arpa");
	build();
	expect("nas.lan", DNS_TYPE_A, "2");
	expect("only.kids", DNS_TYPE_A, "");
	expect("1.10.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
	expect_group("nas.lan", DNS_TYPE_A, "1");
	expect_group("both.lan", DNS_TYPE_A, "2"); // the CNAME, and the group's own
	expect_group("only.kids", DNS_TYPE_A, "1");
	expect_group("x.lan", DNS_TYPE_A, "NXDOMAIN");
	expect_group("x.onion", DNS_TYPE_A, "NXDOMAIN");
	expect_group("1.10.in-addr.arpa", DNS_TYPE_PTR, "");
	expect_group("1.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "NXDOMAIN");
}

static int host_count(void *arg, const struct ip_address *, const struct dns_name *, bool, uint32_t)
{
	++*(unsigned *)arg;
	return 0;
}

// Names that are none, and addresses that are none with all their names.
TEST_WITH(test_hosts_are_counted, setup, teardown)
{
	struct hosts_counts counts = {0};
	unsigned taken = 0;
	hosts("192.0.2.1 good.lan a..b x\\y also.lan\nnonsense one.lan two.lan\n# all of "
	      "it\n");
	assert_int_equal(hosts_file_read(hosts_path, host_count, &taken, &counts), 0);
	assert_int_equal(counts.rejected, 3);
	assert_int_equal(counts.names, 2);
	assert_int_equal(taken, 2);
}
