// SPDX-License-Identifier: BSD-3-Clause
// Servers that are given by a host name, and `upstreams.bootstrap`.

#include "config_text.h"

#define BEFORE                                          \
	"dataplane:\n  ports:\n  - device: net_null0\n" \
	"  service_addresses: [192.0.2.53]\n"           \
	"dot: {enabled: true}\n"                        \
	"tls: {certificates: [{cert: /a/cert.pem, key: /a/key.pem}]}\n"
#define BOOTSTRAP BEFORE "upstreams:\n  bootstrap: [9.9.9.9, '[2620:fe::fe]:5353']\n"

TEST(test_forms)
{
	struct config *c = config_text_load(BOOTSTRAP
		"  servers: [{address: DNS.Example.net}, {address: 'dns.example.net:5353'},"
		" {address: tls://dns.quad9.net}, {address: 'tls://dns.quad9.net.:8853'},"
		" {address: https://dns.quad9.net/dns-query, name: quad9},"
		" {address: 'https://dns.quad9.net:8443/q'}, {address: 1.1.1.1},"
		" {address: tls://one.one.one.one@1.1.1.1}]\n");
	const struct config_upstream *s = c->upstreams.server;
	static const struct {
		const char *host, *tls, *path, *name;
		uint16_t port;
	} want[] = {
		{"dns.example.net", "", "", "dns.example.net:53", 53},
		{"dns.example.net", "", "", "dns.example.net:5353", 5353},
		{"dns.quad9.net", "dns.quad9.net", "", "dns.quad9.net:853", 853},
		{"dns.quad9.net", "dns.quad9.net", "", "dns.quad9.net:8853", 8853},
		{"dns.quad9.net", "dns.quad9.net", "/dns-query", "quad9", 443},
		{"dns.quad9.net", "dns.quad9.net", "/q", "dns.quad9.net:8443", 8443},
		{"", "", "", "1.1.1.1:53", 53},
		{"", "one.one.one.one", "", "1.1.1.1:853", 853},
	};
	assert_int_equal(c->upstreams.count, ARRAY_LEN(want));
	for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
		assert_string_equal(s[i].host, want[i].host);
		assert_string_equal(s[i].tls.name, want[i].tls);
		assert_string_equal(s[i].tls.path, want[i].path);
		assert_string_equal(s[i].name, want[i].name);
		assert_int_equal(s[i].address.port, want[i].port);
		assert_int_equal(s[i].address.ip.version, *want[i].host ? 0 : 4);
	}
	assert_int_equal(c->upstreams.bootstrap_count, 2);
	assert_int_equal(c->upstreams.bootstrap[0].port, 53);
	assert_int_equal(c->upstreams.bootstrap[1].port, 5353);
}

// One for each name and port.
TEST(test_all_lists)
{
	const struct config_upstream *hosts[CONFIG_HOSTS_MAX];
	struct config *c = config_text_load(BOOTSTRAP
		"  servers: [{address: tls://a.example}]\n"
		"forward_zones: [{name: corp.example, servers: [b.example, tls://a.example]}]\n"
		"groups: [{name: kids, clients: [192.0.2.7], upstreams: [{address: c.example},"
		" {address: 'b.example:5353'}],"
		" forward_zones: [{name: lab.example, servers: [b.example, 192.0.2.9]}]}]\n");
	assert_int_equal(config_hosts(c, hosts), 4);
	assert_string_equal(hosts[0]->host, "a.example");
	assert_string_equal(hosts[1]->host, "b.example");
	assert_string_equal(hosts[2]->host, "c.example");
	assert_int_equal(hosts[3]->address.port, 5353);
	assert_int_equal(config_servers_most(c->upstreams.server, 1), 8);
	assert_int_equal(config_servers_most(c->groups[0].forwards[0].servers, 2), 9);
}

TEST(test_refusals)
{
	static const struct refusal bad[] = {
		{"a.example}, {address: a.example", "given twice"},
		{"tls://a.example}, {address: tls://A.example", "given twice"},
		{"9.9.9.300", "is not an IP address"},
		{"9.9.9", "is not an IP address"},
		{"'a.example:'", "is not an IP address"},
		{"'a.example:0'", "is not an IP address"},
		{"'a.example:65536'", "is not an IP address"},
		{"'a.example:53x'", "is not an IP address"},
		{"'a.example:+53'", "is not an IP address"},
		{"'a example'", "is not an IP address"},
		{"'tls://a.example:x'", "needs an IP address or a host name"},
		{"tls://", "needs an IP address or a host name"},
		{"tls://a.example@b.example", "needs an IP address or a host name"},
		{"https://a.example", "needs the path"},
	};
	EACH_REFUSED(config_text_refused, BOOTSTRAP "  servers: [{address: %s}]\n", bad);
}

// The message says the line and what to add.
TEST(test_without_bootstrap)
{
	config_text_refused_at(BEFORE "upstreams:\n  servers: [{address: tls://dns.quad9.net}]\n",
		"8:14: upstreams.servers[0].address: is a host name");
	config_text_refused(BEFORE "upstreams:\n  servers: [{address: dns.quad9.net}]\n",
		"add `upstreams.bootstrap: [9.9.9.9]`");
	config_text_refused(BEFORE "upstreams: {servers: [{address: 9.9.9.9}]}\n"
				   "forward_zones: [{name: a.example, servers: [b.example]}]\n",
		"forward_zones \"a.example\": servers[0].address: is a host name");
}

TEST(test_bootstrap_refusals)
{
	static const struct refusal bad[] = {
		{"dns.quad9.net", "upstreams.bootstrap[0]: is not an IP address"},
		{"tls://9.9.9.9", "is not an IP address"},
		{"192.0.2.53", "is an address of this service"},
		{"'192.0.2.53:853'", "is an address of this service"},
		{"0.0.0.0", "no host can have this address"},
		{"9.9.9.9, 9.9.9.9", "given twice"},
	};
	EACH_REFUSED(config_text_refused,
		BEFORE "upstreams: {bootstrap: [%s], servers: [{address: 9.9.9.9}]}\n", bad);
}

// In zones of ten servers each.
TEST(test_too_many)
{
	for (unsigned more = 0; more < 2; more++) {
		char text[16384];
		size_t n = (size_t)snprintf(text, sizeof(text),
			BOOTSTRAP "  servers: [{address: x.example}]\nforward_zones:\n");
		for (unsigned i = 0; i < CONFIG_HOSTS_MAX - 1 + more; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
				i % 10 ? "  - h%1$u.example\n"
				       : "- name: z%1$u.example\n  servers:\n  - h%1$u.example\n",
				i);
		if (more)
			config_text_refused(text, "more than 64 servers are given by a host name");
		else
			config_text_load(text);
	}
}
