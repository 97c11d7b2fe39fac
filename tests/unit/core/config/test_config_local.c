// SPDX-License-Identifier: BSD-3-Clause

// The operator's own records and zones in the configuration file: what is taken, and what is
// refused with which words.

#include "config_text.h"

enum { TEXT_MAX = 1200000 };

static const char *whole(const char *text)
{
	return text_from(MINIMAL "%s", text);
}

static const char *name_of(const struct dns_name *name)
{
	static char text[DNS_NAME_TEXT_MAX];
	return dns_name_to_text(name, text);
}

TEST(test_defaults)
{
	struct config *c = config_text_load(MINIMAL);
	assert_int_equal(c->local.ttl_s, 300);
	assert_true(c->local.special_names && c->local.doh_canary && c->local.hosts_ptr);
	assert_false(c->local.relay_canary || c->local.missing_forward);
	assert_false(c->local.test_names);
	assert_int_equal(c->local.record_count + c->local.zone_count + c->local.hosts_file_count
				 + c->forward_count,
		0);
}

TEST(test_taken)
{
	struct config *c = config_text_load(
		whole("local:\n"
		      "  ttl: 60\n"
		      "  records:\n"
		      "  - {name: NAS.lan., type: a, value: 192.168.1.10}\n"
		      "  - {name: nas.lan, type: A, value: 192.168.1.11, ttl: 5}\n"
		      "  - {name: '*.apps.lan', type: CNAME, value: Nas.Lan}\n"
		      "  - {name: apps.lan, type: TXT, value: 'v=1 two words'}\n"
		      "  hosts_files: [hosts, /etc/hosts]\n"
		      "  zones: [{name: lan}, {name: corp.example, unknown: forward}]\n"
		      "forward_zones:\n"
		      "- {name: 168.192.in-addr.arpa, servers: [192.168.1.1, '192.168.1.2:5353']}\n"
		      "- {name: '.', servers: ['fd00::1']}\n"
		      "- {name: free.example, exempt: true}\n"
		      "groups:\n"
		      "- name: kids\n"
		      "  clients: [192.168.7.0/24]\n"
		      "  local_records: [{name: nas.lan, type: A, value: 192.168.7.10}]\n"
		      "  forward_zones: [{name: lan, servers: [192.168.7.1]}]\n"));
	const struct config_local *l = &c->local;
	assert_int_equal(l->record_count, 4);
	assert_string_equal(name_of(&l->records[0].name), "nas.lan");
	assert_int_equal(l->records[0].ttl_s, 60);
	assert_int_equal(l->records[1].ttl_s, 5);
	assert_memory_equal(l->records[1].rdata, "\xc0\xa8\x01\x0b", 4);
	assert_true(l->records[2].wildcard);
	assert_string_equal(name_of(&l->records[2].name), "apps.lan");
	assert_memory_equal(l->records[2].rdata, "\3Nas\3Lan", 9);
	assert_int_equal(l->records[3].rdata_len, 14);
	assert_string_equal(l->hosts_files[0], "/tmp/hosts"); // beside the configuration
	assert_string_equal(l->hosts_files[1], "/etc/hosts");
	assert_false(l->zones[0].forward);
	assert_true(l->zones[1].forward);
	assert_int_equal(c->forward_count, 3);
	assert_int_equal(c->forwards[2].server_count, 0);
	assert_int_equal(c->forwards[0].server_count, 2);
	assert_int_equal(c->forwards[0].servers[1].address.port, 5353);
	assert_int_equal(c->forwards[1].name.labels, 0);
	assert_int_equal(c->groups[0].record_count, 1);
	assert_int_equal(c->groups[0].records[0].ttl_s, 60);
	assert_string_equal(name_of(&c->groups[0].forwards[0].name), "lan");
}

// The domain of the house is a local zone, unless a zone or a forward zone has its name.
TEST(test_house)
{
	struct config *c =
		config_text_load(whole("local: {domain: Lan., single_labels: complete}\n"));
	assert_string_equal(name_of(&c->local.house), "lan");
	assert_int_equal(c->local.single_labels, SINGLE_LABELS_COMPLETE);
	assert_int_equal(c->local.zone_count, 1);
	assert_string_equal(name_of(&c->local.zones[0].name), "lan");
	assert_false(c->local.zones[0].forward);
	c = config_text_load(
		whole("local: {domain: lan, zones: [{name: lan, unknown: forward}]}\n"));
	assert_int_equal(c->local.zone_count, 1);
	assert_true(c->local.zones[0].forward);
	c = config_text_load(whole("local: {domain: lan, zones: [{name: a.lan}]}\n"
				   "forward_zones: [{name: lan, servers: [1.1.1.1]}]\n"));
	assert_int_equal(c->local.zone_count, 1);
	c = config_text_load(whole("local: {single_labels: home}\n"));
	assert_int_equal(c->local.house.labels + c->local.zone_count, 0);
}

#define RECORDS(text)   "local: {records: [" text "]}\n"
#define CNAME(name, to) "{name: " name ", type: CNAME, value: " to "},"

TEST(test_refused)
{
	static const struct refusal bad[] = {
		{RECORDS("{type: A, value: 1.1.1.1}"), "8:19: local.records[0].name: has no value"},
		{RECORDS("{name: a..b, type: A, value: 1.1.1.1}"),
			"8:20: local.records \"a..b\": name: is not a"},
		{RECORDS("{name: ., type: A, value: 1.1.1.1}"),
			"8:20: local.records \".\": name: is the root"},
		{RECORDS("{name: b\u00fccher.b, type: A, value: 1.1.1.1}"),
			"8:20: local.records \"b\\xc3\\xbccher.b\": name: is not ASCII: write it "
			"with xn--"},
		{RECORDS(CNAME("a.b", "b\u00fccher.b")),
			"8:44: local.records \"a.b\": value: has a domain name that is not ASCII"},
		{"local: {zones: [{name: b\u00fccher}]}\n",
			"8:18: local.zones \"b\\xc3\\xbccher\": name: is not ASCII"},
		{"forward_zones: [{name: b\u00fccher, servers: [1.1.1.1]}]\n",
			"8:18: forward_zones \"b\\xc3\\xbccher\": name: is not ASCII"},
		{RECORDS("{name: a.b, value: 1.1.1.1}"),
			"8:19: local.records \"a.b\": type: has no value"},
		{RECORDS("{name: a.b, type: NS, value: c}"),
			"8:31: local.records \"a.b\": type: must be one of"},
		{RECORDS("{name: a.b, type: A}"),
			"8:19: local.records \"a.b\": value: has no value"},
		{RECORDS("{name: a.b, type: A, value: c}"),
			"8:40: local.records \"a.b\": value: is not an address"},
		{RECORDS("{name: a.b, type: A, value: 1.1.1.1, ttl: 1x}"),
			"8:56: local.records \"a.b\": ttl: must be 0"},
		{RECORDS("{name: a.b, type: A, value: 1.1.1.1, ttl: 604801}"),
			"8:56: local.records \"a.b\": ttl: must be"},
		{RECORDS("{name: a.b, type: A, value: 1.1.1.1}, {name: A.b, type: a, value: "
			 "1.1.1.1}"),
			"8:57: local.records \"A.b\": given twice"},
		{RECORDS("{name: a.b, type: TXT, value: x}, {name: a.b, type: CNAME, value: c}"),
			"8:19: local.records \"a.b\": a name with a CNAME"},
		{RECORDS("{name: a.b, type: CNAME, value: d}, {name: a.b, type: CNAME, value: c}"),
			"8:19: local.records \"a.b\": a name with a CNAME"},
		{RECORDS(CNAME("a.b", "a.b")), "8:19: local.records \"a.b\": leads in a circle"},
		{RECORDS(CNAME("a.b", "c.d") CNAME("'*.d'", "x.a.b") CNAME("'*.b'", "a.b")),
			"8:19: local.records \"a.b\": leads in a circle"},
		{"local: {zones: [{unknown: forward}]}\n",
			"8:17: local.zones[0].name: has no value"},
		{"local: {zones: [{name: a, unknown: x}]}\n",
			"8:27: local.zones \"a\": unknown: must be one of"},
		{"local: {zones: [{name: a}, {name: A}]}\n",
			"8:29: local.zones \"A\": name: given twice"},
		{"local: {domain: a..b}\n", "8:9: local.domain: is not a"},
		{"local: {domain: .}\n", "8:9: local.domain: is the root"},
		{"local: {single_labels: complete}\n",
			"8:9: local.single_labels: needs local.domain"},
		{"local: {single_labels: x}\n", "8:9: local.single_labels: must be one of"},
		{"local: {hosts_files: [/a, /a]}\n", "8:27: local.hosts_files[1]: given twice"},
		{"forward_zones: [{name: a}]\n",
			"8:17: forward_zones \"a\": servers: at least one"},
		{"forward_zones: [{name: a, exempt: true, servers: [1.1.1.1]}]\n",
			"8:27: forward_zones \"a\": exempt: the zone has servers"},
		{"forward_zones: [{name: a, exempt: true, race: 2}]\n",
			"8:27: forward_zones \"a\": exempt: the zone has servers, or says"},
		{"forward_zones: [{name: a, exempt: x}]\n",
			"8:27: forward_zones \"a\": exempt: must be"},
		{"forward_zones: [{servers: [1.1.1.1]}]\n",
			"8:17: forward_zones[0].name: has no value"},
		{"forward_zones: [{name: a, servers: [x]}]\n",
			"8:37: forward_zones \"a\": servers[0].address: is a host"},
		{"forward_zones: [{name: a, servers: [198.18.0.53]}]\n",
			"8:37: forward_zones \"a\": servers[0].address: is an address of this "
			"service"},
		{"forward_zones: [{name: a, servers: [1.1.1.1]}, {name: A., servers: [1.1.1.1]}]\n",
			"8:49: forward_zones \"A.\": name: given twice"},
		{"groups: [{name: g, clients: [10.0.0.1], local_records: [{name: a.b, type: A, "
		 "value: x}]}]\n",
			"8:78: groups \"g\": local_records \"a.b\": value: is not an address"},
		{"groups: [{name: g, clients: [10.0.0.1], local_records: [" CNAME(
			 "a.b", "a.b") "]}]\n",
			"8:57: groups \"g\": local_records \"a.b\": leads in a circle"},
		{"groups: [{name: g, clients: [10.0.0.1], forward_zones: [{name: a, servers: "
		 "[]}]}]\n",
			"8:67: groups \"g\": forward_zones \"a\": servers: at least one"},
	};
	EACH_REFUSED(config_text_refused_at, MINIMAL "%s", bad);
}

TEST(test_bounds)
{
	static char text[TEXT_MAX];
	char *p = stpcpy(text, "forward_zones:\n");
	for (unsigned i = 0; i < CONFIG_FORWARD_SETS_MAX + 1; i++)
		p += sprintf(p, "- {name: z%u, servers: [10.0.0.%u]}\n", i, i + 1);
	config_text_refused(whole(text), "more than 64 different lists of servers");
	p = stpcpy(text, "local: {records: [");
	for (unsigned i = 0; i < CONFIG_ALIASES_MAX; i++)
		p += sprintf(p, CNAME("a%u.b", "a%u.b"), i, i + 1);
	strcpy(p, "]}\n");
	config_text_load(whole(text));
	sprintf(p, CNAME("a%u.b", "end") "]}\n", CONFIG_ALIASES_MAX);
	config_text_refused(whole(text),
		"8:19: local.records \"a0.b\": leads in a circle, or over more than 16");
}

// All that there may be for everyone, then as many in a group.
static void with_group(char *text, const char *list, const char *entry, unsigned count,
	const char *group_list, unsigned own)
{
	char *p = text + sprintf(text, "%s:\n", list);
	for (unsigned i = 0; i < count; i++) {
		p = stpcpy(p, "  - ");
		p += sprintf(p, entry, i);
	}
	p += sprintf(p, "groups:\n- name: g\n  clients: [10.0.0.1]\n  %s: [", group_list);
	for (unsigned i = 0; i < own; i++) {
		p += sprintf(p, entry, i);
		p = stpcpy(p - 1, ",");
	}
	strcpy(p, "]\n");
}

TEST(test_records_with_groups)
{
	static const char record[] = "{name: a%u.b, type: A, value: 1.1.1.1}\n";
	static char text[TEXT_MAX];
	with_group(text, "local:\n  records", record, CONFIG_RECORDS_MAX - 1, "local_records", 1);
	config_text_load(whole(text));
	with_group(text, "local:\n  records", record, CONFIG_RECORDS_MAX - 1, "local_records", 2);
	config_text_refused(
		whole(text), "local.records: more than 20000 records, those of groups included");
}

TEST(test_zones_with_groups)
{
	static const char zone[] = "{name: a%u.b, servers: [1.1.1.1]}\n";
	static char text[TEXT_MAX];
	with_group(text, "forward_zones", zone, CONFIG_FORWARD_ZONES_MAX - 1, "forward_zones", 1);
	config_text_load(whole(text));
	with_group(text, "forward_zones", zone, CONFIG_FORWARD_ZONES_MAX - 1, "forward_zones", 2);
	config_text_refused(
		whole(text), "forward_zones: more than 256 zones, those of groups included");
}
