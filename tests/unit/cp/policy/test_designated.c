// SPDX-License-Identifier: BSD-3-Clause

// The SVCB records of `_dns.resolver.arpa`, against what the parser of local records makes of text.

#include "controlplane/policy/special_names.h"
#include "tests/unit/unit.h"

#include <weir/rdata_parse.h>

static char name[254], path[CONFIG_DOH_PATH_MAX + 1];
static struct config config;

static void address(const char *text)
{
	struct ip_address *a = &config.dataplane.addresses[config.dataplane.address_count++];
	assert_int_equal(ip_address_parse(text, a), 0);
}

static int setup(void **)
{
	memset(&config, 0, sizeof(config));
	strcpy(name, "dns.example");
	strcpy(path, "/dns-query");
	config.tls.name = name;
	config.dot = (struct config_dot){.port = 853};
	config.doh = (struct config_dot){.port = 443, .path = path};
	return 0;
}

static void expect(unsigned i, const char *text)
{
	uint8_t wanted[RDATA_PARSE_MAX];
	uint16_t len;
	const char *why = "";
	struct designated d;
	if (rdata_parse(DNS_TYPE_SVCB, text, strlen(text), wanted, &len, &why) != 0)
		fail_msg("%s: %s", text, why);
	special_designated(&config, &d);
	assert_true(i < d.count);
	assert_int_equal(d.record[i].rdata_len, len);
	assert_memory_equal(d.record[i].rdata, wanted, len);
}

static void expect_count(unsigned count)
{
	struct designated d;
	special_designated(&config, &d);
	assert_int_equal(d.count, count);
	assert_int_equal(special_settings_of(&config).designated, count > 0);
}

TEST_WITH(test_services, setup, NULL)
{
	expect_count(0);
	config.dot.enabled = true;
	expect_count(1);
	expect(0, "1 dns.example alpn=dot");
	config.doh.enabled = true;
	expect_count(2);
	expect(0, "1 dns.example alpn=dot");
	expect(1, "2 dns.example alpn=h2,http/1.1 dohpath=/dns-query{?dns}");
	config.dot.enabled = false;
	expect_count(1);
	expect(0, "1 dns.example alpn=h2,http/1.1 dohpath=/dns-query{?dns}");
}

TEST_WITH(test_ports_and_addresses, setup, NULL)
{
	config.dot = (struct config_dot){.enabled = true, .port = 8853};
	config.doh.enabled = true;
	config.doh.port = 853; // usual for the other one alone
	address("192.0.2.53");
	expect(0, "1 dns.example alpn=dot port=8853 ipv4hint=192.0.2.53");
	address("2001:db8::53");
	address("192.0.2.54");
	expect(0, "1 dns.example alpn=dot port=8853 ipv4hint=192.0.2.53,192.0.2.54 "
		  "ipv6hint=2001:db8::53");
	expect(1, "2 dns.example alpn=h2,http/1.1 port=853 ipv4hint=192.0.2.53,192.0.2.54 "
		  "ipv6hint=2001:db8::53 dohpath=/dns-query{?dns}");
}

// The address that moves; the own one of a version in which none moves.
TEST_WITH(test_virtual_addresses, setup, NULL)
{
	config.dot.enabled = true;
	address("192.0.2.11");
	address("2001:db8::11");
	config.dataplane.own_count = 2;
	address("192.0.2.53");
	expect(0, "1 dns.example alpn=dot ipv4hint=192.0.2.53 ipv6hint=2001:db8::11");
}

TEST_WITH(test_no_name, setup, NULL)
{
	config.dot.enabled = config.doh.enabled = true;
	name[0] = '\0';
	expect_count(0);
	config.tls.name = NULL;
	expect_count(0);
}

// The longest of all has room.
TEST_WITH(test_longest, setup, NULL)
{
	struct designated d;
	memset(name, 'a', sizeof(name) - 1);
	for (unsigned i = 63; i < sizeof(name); i += 64)
		name[i] = '.';
	name[sizeof(name) - 1] = '\0';
	memset(path, '/', sizeof(path) - 1);
	config.dot = (struct config_dot){.enabled = true, .port = 1};
	config.doh.enabled = true;
	config.doh.port = 1;
	for (unsigned i = 0; i < CONFIG_ADDRESSES_MAX; i++)
		address(i == 0 ? "192.0.2.1" : "2001:db8::1");
	special_designated(&config, &d);
	assert_int_equal(d.count, 2);
	assert_int_equal(d.record[1].rdata_len, 2 + 255 + 4 + 12 + 6 + 8 + 4 + 15 * 16 + 4 + 126);
}
