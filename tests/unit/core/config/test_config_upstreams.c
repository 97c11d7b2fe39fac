// SPDX-License-Identifier: BSD-3-Clause
// The section `upstreams`: how a server is chosen and checked.

#include "config_text.h"

#define BEFORE                                          \
	"dataplane:\n  ports:\n  - device: net_null0\n" \
	"  service_addresses: [192.0.2.53]\n"           \
	"upstreams:\n"

TEST(test_defaults)
{
	struct config *c = config_text_load(BEFORE "  servers: [{address: 9.9.9.9}]\n");
	assert_int_equal(c->upstreams.server[0].weight, 1);
	assert_false(c->upstreams.server[0].trust_ad);
	assert_int_equal(c->upstreams.policy, UPSTREAM_FAILOVER);
	assert_int_equal(c->upstreams.race, 1);
	assert_int_equal(c->upstreams.check, UPSTREAM_CHECK_DOWN);
	assert_int_equal(c->upstreams.check_interval_s, 1);
	assert_int_equal(c->upstreams.check_type, DNS_TYPE_NS);
	assert_int_equal(c->upstreams.check_name.len, 1);
}

TEST(test_values)
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
}

TEST(test_trust_ad)
{
	struct config *c = config_text_load(
		BEFORE "  servers: [{address: 9.9.9.9, trust_ad: true}, {address: 1.1.1.1}]\n"
		       "forward_zones: [{name: a.example, servers: [192.0.2.9, 192.0.2.8], "
		       "trust_ad: true},"
		       " {name: b.example, servers: [192.0.2.9]}]\n"
		       "groups: [{name: kids, clients: [192.0.2.7],"
		       " upstreams: [{address: 8.8.8.8, trust_ad: true}]}]\n");
	assert_true(c->upstreams.server[0].trust_ad);
	assert_false(c->upstreams.server[1].trust_ad);
	assert_true(c->forwards[0].servers[0].trust_ad && c->forwards[0].servers[1].trust_ad);
	assert_false(c->forwards[1].servers[0].trust_ad);
	assert_true(c->groups[0].upstreams[0].trust_ad);
}

// Lists of groups and zones have their own, or those of `upstreams`.
TEST(test_own_policies)
{
	struct config *c = config_text_load(BEFORE
		"  servers: [{address: 9.9.9.9}]\n"
		"  policy: latency\n"
		"forward_zones: [{name: a.example, servers: [192.0.2.9], policy: round-robin},"
		" {name: b.example, servers: [192.0.2.9], race: 2},"
		" {name: c.example, servers: [192.0.2.9]}]\n"
		"groups: [{name: kids, clients: [192.0.2.7], upstreams: [{address: 8.8.8.8}],"
		" upstream_policy: failover, upstream_race: 2}]\n");
	const struct config_forward_zone *z = c->forwards;
	assert_true(z[0].pick.has_policy && z[0].pick.policy == UPSTREAM_ROUND_ROBIN);
	assert_int_equal(z[0].pick.race, 0);
	assert_false(z[1].pick.has_policy);
	assert_int_equal(z[1].pick.race, 2);
	assert_true(!z[2].pick.has_policy && z[2].pick.race == 0);
	const struct config_pick *p = &c->groups[0].pick;
	assert_true(p->has_policy && p->policy == UPSTREAM_FAILOVER);
	assert_int_equal(p->race, 2);
}

#define PIN "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

TEST(test_over_tls)
{
	struct config *c = config_text_load(
		BEFORE "  servers: [{address: tls://DNS.Quad9.net@9.9.9.9, pin: [\"" PIN "\"]},"
		       " {address: 'tls://[2620:fe::fe]:8853'}, {address: 1.1.1.1}]\n"
		       "groups: [{name: kids, clients: [192.0.2.7],"
		       " upstreams: [{address: 'tls://kids.example.@8.8.8.8:99'}],"
		       " forward_zones: [{name: corp.example, servers: "
		       "[tls://ns.example@192.0.2.9]}]}]\n");
	const struct config_upstream *s = c->upstreams.server;
	assert_true(s[0].tls.is_on);
	assert_string_equal(s[0].tls.name, "dns.quad9.net");
	assert_int_equal(s[0].address.port, 853);
	assert_int_equal(s[0].tls.pin_count, 1);
	for (unsigned i = 0; i < CONFIG_PIN_LEN; i++)
		assert_int_equal(s[0].tls.pin[0][i], i);
	assert_true(s[1].tls.is_on);
	assert_string_equal(s[1].tls.name, "");
	assert_int_equal(s[1].address.port, 8853);
	assert_string_equal(s[1].tls.path, "");
	assert_false(s[2].tls.is_on);
	assert_int_equal(s[2].address.port, 53);
	assert_string_equal(c->groups[0].upstreams[0].tls.name, "kids.example");
	assert_int_equal(c->groups[0].upstreams[0].address.port, 99);
	assert_string_equal(c->groups[0].forwards[0].servers[0].tls.name, "ns.example");
	assert_false(c->upstreams.strict);
	assert_string_equal(c->upstreams.ca_file, "");
}

TEST(test_over_https)
{
	struct config *c = config_text_load(BEFORE
		"  strict: true\n"
		"  servers: [{address: https://DNS.Quad9.net@9.9.9.9/dns-query, pin: [\"" PIN
		"\"]},"
		" {address: 'HTTPS://[2620:fe::fe]:8443/a/b'}]\n"
		"forward_zones: [{name: a.example, servers: [https://x.example@192.0.2.1/q]},"
		" {name: b.example, servers: [https://x.example@192.0.2.1/other]}]\n");
	const struct config_upstream *s = c->upstreams.server;
	assert_true(s[0].tls.is_on);
	assert_string_equal(s[0].tls.name, "dns.quad9.net");
	assert_string_equal(s[0].tls.path, "/dns-query");
	assert_int_equal(s[0].address.port, 443);
	assert_int_equal(s[0].tls.pin_count, 1);
	assert_string_equal(s[1].tls.name, "");
	assert_string_equal(s[1].tls.path, "/a/b");
	assert_int_equal(s[1].address.port, 8443);
	assert_string_equal(c->forwards[1].servers[0].tls.path, "/other");
}

TEST(test_strict)
{
	struct config *c =
		config_text_load(BEFORE "  strict: true\n  ca_file: /dev/null\n"
					"  servers: [{address: tls://a.example@9.9.9.9}]\n"
					"forward_zones: [{name: lan, servers: [192.0.2.1]}]\n");
	assert_true(c->upstreams.strict);
	assert_string_equal(c->upstreams.ca_file, "/dev/null");
	static const struct refusal bad[] = {
		{", {address: 1.1.1.1}]\n",
			"upstreams.servers[1].address: would be asked in clear text"},
		{"]\ngroups: [{name: kids, clients: [192.0.2.7], upstreams: [{address: "
		 "8.8.8.8}]}]\n",
			"groups \"kids\": upstreams[0].address: would be asked in clear text"},
		{"]\nforward_zones: [{name: ., servers: [8.8.8.8]}]\n",
			"forward_zones \".\": servers[0].address: would be asked in clear text"},
	};
	EACH_REFUSED(config_text_refused,
		BEFORE "  strict: true\n  servers: [{address: tls://a.example@9.9.9.9}%s", bad);
}

TEST(test_recursion)
{
	struct config *c = config_text_load(
		BEFORE "  mode: recursive\n  root_hints: /usr/share/dns/root.hints\n");
	assert_int_equal(c->upstreams.mode, UPSTREAM_RECURSIVE);
	assert_int_equal(c->upstreams.count, 1);
	assert_true(c->upstreams.server[0].is_recursion);
	assert_string_equal(c->upstreams.server[0].name, "recursion");
	assert_true(c->upstreams.root_hints_hash != 0);
	assert_int_equal(c->upstreams.recursion_ip, RECURSION_IP_AUTO);
	c = config_text_load(BEFORE "  mode: recursive\n  recursion_ip: ipv4\n");
	assert_int_equal(c->upstreams.recursion_ip, RECURSION_IP_V4);
	c = config_text_load(
		BEFORE "  mode: forward-first\n  servers: [{address: 9.9.9.9, name: a}]\n");
	assert_int_equal(c->upstreams.count, 2);
	assert_false(c->upstreams.server[0].is_recursion);
	assert_true(c->upstreams.server[1].is_recursion);
	static const struct refusal bad[] = {
		{"recursive\n  strict: true",
			"upstreams.mode: asks authoritative servers in clear text"},
		{"recursive\n  servers: [{address: 9.9.9.9}]",
			"upstreams.servers: are not asked where `upstreams.mode` is `recursive`"},
		{"forward-first", "upstreams.servers: at least one server is needed"},
		{"forward-first\n  policy: latency\n  servers: [{address: 9.9.9.9}]",
			"upstreams.mode: `forward-first` needs the policy `failover`"},
		{"forward-first\n  servers: [{address: 9.9.9.9, name: recursion}]",
			"upstreams.servers: `recursion` is the name of weir's own"},
		{"recursive\n  recursion_ip: ipv5", "upstreams.recursion_ip: "},
		{"recursive\n  root_hints: /nonexistent", "upstreams.root_hints: cannot be read"},
		{"recursive\n  root_hints: /dev/null", "upstreams.root_hints: cannot be read"},
		{"recursive\n  root_hints: root.hints",
			"upstreams.root_hints: must be an absolute path"},
	};
	EACH_REFUSED(config_text_refused, BEFORE "  mode: %s\n", bad);
}

// What libunbound would find out with the first question.
TEST(test_root_hints)
{
	static const struct {
		const char *text, *why; // NULL: good
	} hints[] = {
		{". 3600000 NS ns1.host.\nns1.host. 3600000 A 192.0.2.1\n", NULL},
		{"; private\n$TTL 60\n@ IN NS ns1.\n\tns NS2.\nns1. AaAa 2001:db8::1 ; v6\n"
		 ". 60 IN SOA ns1. me. (\n  1 2\n  3 )\n",
			NULL},
		{"NS\n", "has no NS record of the root"},
		{"example. NS ns1.\nns1. A 192.0.2.1\n", "has no NS record of the root"},
		{"; . NS ns1.\nns1. A 192.0.2.1\n", "has no NS record of the root"},
		{". NS ns1.\nns1. NS ns2.\n", "has no address"},
		{". NS ns1.\nns1. A 192.0.2\n", "\"192.0.2\" is no address"},
		{". NS ns1.\nns1. AAAA 192.0.2.1\n", "\"192.0.2.1\" is no address"},
	};
	char folder[FOLDER_MAX];

	assert_int_equal(folder_make(folder, "hints"), 0);
	const char *path = text_from("%s/hints", folder),
		   *text = text_from(BEFORE "  mode: recursive\n  root_hints: %s\n", path);
	for (unsigned i = 0; i < ARRAY_LEN(hints); i++) {
		text_to_file(path, hints[i].text);
		if (hints[i].why)
			config_text_refused(text, hints[i].why);
		else
			config_text_load(text);
	}
	assert_int_equal(truncate(path, 65536), 0);
	config_text_refused(text, "has more than 65535 bytes");
	assert_int_equal(folder_remove(folder, ""), 0);
}

TEST(test_refused)
{
	static const struct refusal bad[] = {
		{"  servers: [{address: 9.9.9.9, weight: 0}]\n",
			"upstreams.servers[0].weight: must be 1 to 100"},
		{"  servers: [{address: 9.9.9.9, weight: 101}]\n",
			"upstreams.servers[0].weight: must be 1 to 100"},
		{"  servers: [{address: 9.9.9.9, weight: heavy}]\n",
			"upstreams.servers[0].weight: \"heavy\" is not a whole number"},
		{"  servers: [{address: 9.9.9.9, trust_ad: perhaps}]\n",
			"upstreams.servers[0].trust_ad: "},
		{"  servers: [{address: 9.9.9.9}]\n"
		 "forward_zones: [{name: a.example, servers: [192.0.2.9], trust_ad: 2}]\n",
			"trust_ad: "},
		{"  servers: [{address: 9.9.9.9}]\n  policy: round-robbin\n", "round-robin"},
		{"  servers: [{address: 9.9.9.9}]\n  race: 3\n", "upstreams.race: must be 1 to 2"},
		{"  servers: [{address: 9.9.9.9}]\n"
		 "forward_zones: [{name: a.example, servers: [192.0.2.9], policy: quick}]\n",
			"policy: must be one of: failover"},
		{"  servers: [{address: 9.9.9.9}]\n"
		 "forward_zones: [{name: a.example, servers: [192.0.2.9], race: 3}]\n",
			"race: must be 1 to 2"},
		{"  servers: [{address: 9.9.9.9}]\n"
		 "groups: [{name: kids, clients: [192.0.2.7], upstream_race: 2}]\n",
			"upstream_race: does nothing in a group without `upstreams`"},
		{"  servers: [{address: 'quic://dns.example/'}]\n", "no such protocol"},
		{"  servers: [{address: 'https://dns.example@9.9.9.9'}]\n", "needs the path"},
		{"  servers: [{address: 'https://dns.example@9.9.9.9/'}]\n", "needs the path"},
		{"  servers: [{address: 'https://dns.example@9.9.9.9/dns-query{?dns}'}]\n",
			"needs the path"},
		{"  servers: [{address: 'https://dns.example/dns-query'}]\n", "is a host name"},
		{"  servers: [{address: tls://dns.example}]\n", "is a host name"},
		{"  servers: [{address: tls://a_b!@9.9.9.9}]\n", "not that of a host"},
		{"  servers: [{address: tls://@9.9.9.9}]\n", "not that of a host"},
		{"  servers: [{address: dns.example@9.9.9.9}]\n", "\"tls://NAME@ADDRESS\" or"},
		{"  servers: [{address: 9.9.9.9, pin: [\"" PIN "\"]}]\n",
			"is for servers over TLS"},
		{"  servers: [{address: tls://9.9.9.9, pin: [AAEC]}]\n", "SHA-256 of a public key"},
		{"  servers: [{address: tls://9.9.9.9, pin: "
		 "[\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\"]}]\n",
			"SHA-256 of a public key"},
		{"  servers: [{address: tls://9.9.9.9}, {address: '9.9.9.9:853'}]\n",
			"given twice"},
		{"  servers: [{address: 9.9.9.9}]\n  ca_file: ca.pem\n",
			"upstreams.ca_file: must be an absolute path"},
		{"  servers: [{address: 9.9.9.9}]\n  ca_file: /nowhere/ca.pem\n",
			"upstreams.ca_file: No such file"},
		{"  servers: [{address: 9.9.9.9}]\n  check_name: a..b\n",
			"upstreams.check_name: is not a domain name"},
	};
	EACH_REFUSED(config_text_refused, BEFORE "%s", bad);
}

// A server that is to be tried before it is in the list.
TEST(test_a_candidate)
{
	static const struct {
		const char *text, *why; // `why` NULL: it is taken
		uint16_t port;
		bool is_tls;
	} cases[] = {
		{"9.9.9.9", NULL, 53, false},
		{"9.9.9.9:5353", NULL, 5353, false},
		{"[2620:fe::fe]:53", NULL, 53, false},
		{"127.0.0.1:5301", NULL, 5301, false},
		{"tls://9.9.9.9", NULL, 853, true},
		{"TLS://dns.quad9.net@9.9.9.9:8853", NULL, 8853, true},
		{"https://dns.quad9.net@[2620:fe::fe]/dns-query", NULL, 443, true},
		{"", "is not an IP address", 0, false},
		{"9.9.9.9:0", "is not an IP address", 0, false},
		{"9.9.9.9:65536", "is not an IP address", 0, false},
		{"9.9.9", "is not an IP address", 0, false},
		{"fe80::1%eth0", "is not an IP address", 0, false},
		{"tls://[fe80::1%25eth0]", "needs an IP address or a host name", 0, false},
		{"tls://dns.quad9.net@9.9.9.9:0", "needs an IP address", 0, false},
		{"tls://dns quad9@9.9.9.9", "the name before \"@\" is not that of a host", 0,
			false},
		{"tls://", "needs an IP address", 0, false},
		{"tls://dns.quad9.net", "\"tls://dns.quad9.net@ADDRESS\"", 0, false},
		{"dns.quad9.net", "is a host name alone", 0, false},
		{"https://dns.quad9.net@9.9.9.9", "needs the path", 0, false},
		{"https://dns.quad9.net@9.9.9.9/q?dns=", "needs the path", 0, false},
		{"https://dns.quad9.net@9.9.9.9/\r\nHost: x", "needs the path", 0, false},
		{"quic://9.9.9.9", "no such protocol", 0, false},
		{"224.0.0.1", "no host can have this address", 0, false},
		{"0.0.0.0:5301", "no host can have this address", 0, false},
		{"[::]:53", "no host can have this address", 0, false},
		{"192.0.2.53", "is an address of this service", 0, false},
		{"tls://192.0.2.53:53", "is an address of this service", 0, false},
		{"127.0.0.53", "is an address of this service", 0, false},
		{"[::ffff:192.0.2.53]:53", "is an IPv4 address in IPv6", 0, false},
		{"::ffff:9.9.9.9", "is an IPv4 address in IPv6", 0, false},
	};
	struct config *c = config_text_load("dataplane:\n  ports:\n  - device: net_null0\n"
					    "  service_addresses: [192.0.2.53, 127.0.0.53]\n"
					    "upstreams:\n  servers: [{address: 9.9.9.9}]\n");
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct config_upstream s;
		char why[CONFIG_WHY_MAX] = "";
		const int rc = config_server_parse(c, cases[i].text, &s, why);
		if (rc != (cases[i].why ? -EINVAL : 0)
			|| (cases[i].why && !strstr(why, cases[i].why)))
			fail_msg("%s: %d %s", cases[i].text, rc, why);
		if (cases[i].why && (strstr(why, "config:") || strstr(why, "1:1")))
			fail_msg("%s names a file: %s", cases[i].text, why);
		if (!cases[i].why
			&& (s.address.port != cases[i].port || s.tls.is_on != cases[i].is_tls))
			fail_msg("%s: port %u", cases[i].text, s.address.port);
	}
	c->upstreams.strict = true;
	struct config_upstream s;
	char why[CONFIG_WHY_MAX];
	assert_int_equal(config_server_parse(c, "1.1.1.1", &s, why), -EINVAL);
	assert_non_null(strstr(why, "clear text"));
	assert_int_equal(config_server_parse(c, "tls://1.1.1.1", &s, why), 0);
	// Text that does not fit is refused too.
	static char longest[2048];
	memset(longest, 'a', sizeof(longest) - 1);
	memcpy(longest, "https://", 8);
	assert_int_equal(config_server_parse(c, longest, &s, why), -EINVAL);
}
