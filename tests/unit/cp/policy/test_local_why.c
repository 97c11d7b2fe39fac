// SPDX-License-Identifier: BSD-3-Clause

// Local data in `weirctl why`.

#include "controlplane/policy/lease_names.h"
#include "controlplane/policy/local_why.h"
#include "tests/unit/core/config/config_text.h"

static char folder[] = "/tmp/weir-test-local-why-XXXXXX";
static char file[96], hosts[96];
static struct config *config;
static struct local_why why;

static const char text[] =
	"dataplane: {ports: [{device: net_null0}], service_addresses: [198.18.0.53/24]}\n"
	"upstreams: {servers: [{address: 9.9.9.9}], bootstrap: [9.9.9.9]}\n"
	"tls: {name: dns.lan}\n"
	"local:\n"
	"  relay_canary: true\n"
	"  hosts_files: [hosts]\n"
	"  zones: [{name: lan}, {name: free.lan, unknown: forward}]\n"
	"  records:\n"
	"  - {name: nas.lan, type: A, value: 192.0.2.1}\n"
	"  - {name: www.lan, type: CNAME, value: nas.lan}\n"
	"  - {name: out.lan, type: CNAME, value: a.corp.example}\n"
	"  - {name: '*.w.lan', type: A, value: 192.0.2.2}\n"
	"forward_zones:\n"
	"- {name: corp.example, servers: [10.0.0.1, '10.0.0.2:5353']}\n"
	"- {name: 10.in-addr.arpa, servers: [10.0.0.3]}\n"
	"- {name: corp.w.lan, servers: [10.0.0.6]}\n"
	"- {name: hosted.example, servers: [ns.corp.example, 10.0.0.5]}\n"
	"groups:\n"
	"- name: kids\n"
	"  clients: [192.0.2.0/24]\n"
	"  local_records: [{name: nas.lan, type: A, value: 192.0.2.3}]\n"
	"  forward_zones: [{name: corp.example, servers: [10.0.0.4]}]\n";

static int setup(void **)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof(file), "%s/weir.yaml", folder);
	snprintf(hosts, sizeof(hosts), "%s/hosts", folder);
	text_to_file(file, text);
	text_to_file(hosts, "# of hosts\n127.0.1.1 dns.lan\n192.0.2.9 host.lan\n"
			    "127.0.0.1 dns.lan\n192.0.2.8 a.localhost\n");
	config = config_file_load(file);
	config->dot.enabled = true; // without the certificate that a file needs
	return 0;
}

static int teardown(void **)
{
	unlink(file);
	unlink(hosts);
	return rmdir(folder);
}

static void expect(
	const struct config_group *g, const char *name, uint16_t type, const char *wanted)
{
	char all[4096] = "", *p = all;
	struct dns_name n = name_of_text(name);
	local_why(config, g, &n, type, true, &why);
	for (unsigned i = 0; i < why.count; i++)
		p += sprintf(p, "%s%s", i ? "; " : "", why.step[i].text);
	if (!strstr(all, wanted) || (wanted[0] == '\0' && all[0]))
		fail_msg("%s: \"%s\", not \"%s\"", name, all, wanted);
}

TEST(test_steps)
{
	const struct config_group *kids = &config->groups[0];
	expect(NULL, "www.example", DNS_TYPE_A, "");
	expect(NULL, "nas.lan", DNS_TYPE_A, "local record nas.lan A");
	assert_int_equal(why.count, 1);
	expect(NULL, "nas.lan", DNS_TYPE_TXT, "is NODATA");
	expect(NULL, "x.y.w.lan", DNS_TYPE_A, "local record *.w.lan A");
	expect(NULL, "x.corp.w.lan", DNS_TYPE_A, "forwarding zone corp.w.lan: asks 10.0.0.6:53");
	expect(NULL, "www.lan", DNS_TYPE_A, "local record www.lan CNAME nas.lan");
	assert_int_equal(why.count, 2);
	expect(kids, "www.lan", DNS_TYPE_A, "local record nas.lan A");
	assert_string_equal(why.step[1].group, "kids");
	expect(NULL, "out.lan", DNS_TYPE_A,
		"forwarding zone corp.example: asks 10.0.0.1:53, 10.0.0.2:5353");
	expect(kids, "a.corp.example", DNS_TYPE_A,
		"forwarding zone corp.example: asks 10.0.0.4:53");
	assert_string_equal(why.step[0].group, "kids");
	expect(NULL, "a.hosted.example", DNS_TYPE_A, "asks ns.corp.example:53, 10.0.0.5:53");
	expect(NULL, "none.lan", DNS_TYPE_A, "local zone lan: has no such name");
	expect(NULL, "x.free.lan", DNS_TYPE_A, "");
	expect(NULL, "a.onion", DNS_TYPE_A, "special-use name onion (RFC 7686)");
	expect(NULL, "dns.lan", DNS_TYPE_A, "special-use name dns.lan (tls.name)");
	expect(NULL, "a.localhost", DNS_TYPE_A, "special-use name localhost");
	expect(NULL, "8.2.0.192.in-addr.arpa", DNS_TYPE_PTR, "special-use name 2.0.192");
	expect(NULL, "1.0.0.127.in-addr.arpa", DNS_TYPE_PTR, "special-use name");
	expect(NULL, "mask-h2.icloud.com", DNS_TYPE_A, "(local.relay_canary)");
	expect(NULL, "1.168.192.in-addr.arpa", DNS_TYPE_PTR, "(RFC 6303)");
	expect(NULL, "1.10.in-addr.arpa", DNS_TYPE_PTR, "asks 10.0.0.3:53");
	const char *line = text_from("hosts file %s line 3", hosts);
	expect(NULL, "host.lan", DNS_TYPE_A, line);
	expect(NULL, "9.2.0.192.in-addr.arpa", DNS_TYPE_PTR, line);
}

TEST(test_house)
{
	struct lease_names *table;
	const struct lease_own own = {0};
	const struct lease_given g[] = {
		{"laptop", "/var/leases", address_of_text("192.168.1.5"), 0, false},
		{"nas", "/var/leases", address_of_text("192.168.1.6"), 0, false},
		{"tv", "192.168.1.1", address_of_text("192.168.1.8"), 0, true}};
	config->local.house = name_of_text("lan");
	assert_int_equal(lease_names_make(&config->local.house, &own, g, ARRAY_LEN(g), &table), 0);
	lease_names_publish(table);
	expect(NULL, "laptop.lan", DNS_TYPE_A, "DHCP lease of laptop, 192.168.1.5, in /var/leases");
	assert_true(why.is_house);
	expect(NULL, "5.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "DHCP lease of laptop");
	expect(NULL, "tv.lan", DNS_TYPE_A, "PTR record of tv, 192.168.1.8, at 192.168.1.1");
	expect(NULL, "nas.lan", DNS_TYPE_A, "local record nas.lan A");
	assert_false(why.is_house);
	expect(NULL, "none.lan", DNS_TYPE_A, "local zone lan: has no such name");
	assert_true(why.is_house);
	expect(NULL, "7.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "(RFC 6303)");
	assert_true(why.is_house);
	expect(NULL, "a.onion", DNS_TYPE_A, "special-use name onion");
	assert_false(why.is_house);
	expect(NULL, "laptop", DNS_TYPE_A, "");
	config->local.single_labels = SINGLE_LABELS_HOME;
	expect(NULL, "laptop", DNS_TYPE_A, "single label: kept at home");
	assert_true(why.is_house);
	expect(NULL, "laptop", DNS_TYPE_NS, "");
	config->local.single_labels = SINGLE_LABELS_COMPLETE;
	expect(NULL, "laptop", DNS_TYPE_A,
		"single label: answered as laptop.lan; DHCP lease of laptop");
	expect(NULL, "nas", DNS_TYPE_A,
		"single label: answered as nas.lan; local record nas.lan A");
	assert_true(why.is_house);
	expect(NULL, "localhost", DNS_TYPE_A, "special-use name localhost");
	config->local.single_labels = SINGLE_LABELS_FORWARD;
	expect(NULL, "6.1.168.192.in-addr.arpa", DNS_TYPE_PTR, "(RFC 6303)"); // nas.lan is a record
	lease_names_publish(NULL);
	expect(NULL, "laptop.lan", DNS_TYPE_A, "local zone lan: has no such name");
	config->local.house = (struct dns_name){0};
}

TEST_GROUP(setup, teardown)
