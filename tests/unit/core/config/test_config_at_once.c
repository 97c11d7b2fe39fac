// SPDX-License-Identifier: BSD-3-Clause
// All independent errors of a document are reported at once, and none that only follows from
// another one.

#include "config_text.h"

#include <weir/config_tools.h>

#define NET                                                                                   \
	"dataplane:\n  ports: [{device: net_null0}]\n  service_addresses: [198.18.0.53/24]\n" \
	"upstreams:\n  servers:\n  - address: 9.9.9.9\n"

enum { WANTED_MAX = CONFIG_ERRORS_MAX };

static const struct {
	const char *text;
	const char *wanted[WANTED_MAX]; // "line: part of the message"
} documents[] = {
	// Sections do not hide each other, nor do items of one list.
	{"dataplane:\n  worker_lcores: [x, 1, 1, y]\n  ports:\n"
	 "  - {device: net_null0, macs: [zz, '02:00:00:00:00:01', ww], vlans: [5000, 6000]}\n"
	 "  - {device: net_null0, exception: '-x'}\n"
	 "  service_addresses: [a, 198.18.0.53/24, 0.0.0.0]\n"
	 "upstreams: {servers: [{address: 9.9.9.9}], source: [a, b]}\n",
		{"2: worker_lcores[0]: must be", "2: worker_lcores[2]: given twice",
			"2: worker_lcores[3]: must be", "4: macs[0]: is not", "4: macs[2]: is not",
			"4: vlans[0]: must be", "4: vlans[1]: must be", "5: device: given twice",
			"5: exception: is not", "6: service_addresses[0]: is not",
			"6: service_addresses[2]: no host", "7: source[0]: is not",
			"7: source[1]: is not"}},
	// Servers keep their numbers, and a refused resolver is no reason to refuse host names.
	{"dataplane:\n  ports: [{device: net_null0}]\n  service_addresses: [198.18.0.53/24]\n"
	 "upstreams:\n  strict: true\n  check_name: a..b\n  bootstrap: [nobody]\n  servers:\n"
	 "  - {address: 'tls://dns.example', weight: 0}\n"
	 "  - {address: 9.9.9, trust_ad: maybe}\n"
	 "  - {address: 'tls://1.1.1.1', pin: [short]}\n",
		{"6: check_name: is not", "7: bootstrap[0]: is not", "9: weight: must be",
			"10: trust_ad: must be", "10: address: is not", "11: pin: is not"}},
	{NET "access: {allow: [x, 10.0.0.1/8], deny: [y], unlimited: [z]}\n"
	     "limits: {unlimited_clients: [a, b], unlimited_zones: ['.', '.']}\n"
	     "cookies: {secrets: [a, b]}\ndnssec: {negative_anchors: ['.', '\"']}\n",
		{"7: allow[0]: is not", "7: allow[1]: has bits", "7: deny[0]: is not",
			"7: unlimited[0]: is not", "8: unlimited_clients[0]: is not",
			"8: unlimited_clients[1]: is not", "8: unlimited_zones[0]: is the root",
			"8: unlimited_zones[1]: is the root", "9: secrets[0]: a secret",
			"9: secrets[1]: a secret", "10: negative_anchors[0]: is the root",
			"10: negative_anchors[1]: must have no"}},
	// Relations of values, beside a group's error.
	{NET "runtime: {directory: x, state_directory: y, hugepages: z}\n"
	     "cache: {min_ttl: 20, max_ttl: 10}\n"
	     "refresh: {hit_window: 30, sweep_interval: 31, hot_threshold_rate: 5, warm_threshold: "
	     "6}\n"
	     "dataplane_: {}\n"
	     "groups: [{name: kids, clients: [192.0.2.1], disable_cache: x, blocking: y, inherit: "
	     "z}]\n",
		{"10: dataplane_: unknown", "7: directory: must be", "7: state_directory: must be",
			"7: hugepages: must be", "8: min_ttl: is above",
			"9: sweep_interval: is above", "9: warm_threshold: is above",
			"11: disable_cache: must be", "11: blocking: must be",
			"11: inherit: must be"}},
	// What names a list, a client or a server that is refused is not refused for that.
	{NET "blocking:\n  lists:\n  - {url: 'nothing://x', name: ads, allow: maybe, tsig: k}\n"
	     "  - {path: /a, name: \"a\\tb\"}\n"
	     "  deny: ['.']\n"
	     "  schedules: [{name: night, from: x, to: y, days: [so, mon], lists: [ads, other]}]\n"
	     "clients: [{name: tv, addresses: [x, y]}, {name: pc, macs: [z]}]\n"
	     "groups: [{name: kids, clients: [tv], lists: [ads]}]\n",
		{"9: \"ads\": url: is not", "9: \"ads\": allow: must be",
			"10: name: ", "11: deny[0]: ", "12: from: must be", "12: to: must be",
			"12: days[0]: must be", "13: addresses[0]: is not",
			"13: addresses[1]: is not", "13: macs[0]: is not"}},
	{NET "forward_zones:\n- {name: a..b, servers: [x.y:z, 192.0.2.1], policy: q, trust_ad: w}\n"
	     "- {name: lan, servers: []}\n"
	     "query_log:\n  exclude_clients: [a, b]\n  exclude_domains: ['.', '.']\n"
	     "  store: {directory: x}\n  clickhouse: {url: 'ftp://a', database: 1a, table: 2b}\n"
	     "client_names: {lease_files: [a, b], ptr_servers: [x]}\n",
		{"8: name: is not", "8: servers[0].address: is not", "8: policy: must be",
			"8: trust_ad: must be", "9: servers: at least",
			"11: exclude_clients[0]: is not", "11: exclude_clients[1]: is not",
			"12: exclude_domains[0]: is the root",
			"12: exclude_domains[1]: is the root", "13: directory: must be",
			"14: url: is no http", "14: database: must be", "14: table: must be",
			"15: lease_files[0]: must", "15: lease_files[1]: must",
			"15: ptr_servers[0]: is not"}},
	{NET "local:\n  records:\n  - {name: a..b, type: A, value: x, ttl: y}\n"
	     "  - {name: ok.lan, type: Q, value: x}\n"
	     "  zones: [{name: a..b, unknown: q}, {name: '.'}]\n"
	     "redis: {mode: sentinel, addresses: [x, y], namespace: 'a b', username: me}\n"
	     "groups: [{name: kids, clients: [x, y], vlans: [0, 5000], client_names: [a.b, "
	     "c.d]}]\n",
		{"9: name: is not a domain", "9: ttl: must be", "9: value: ", "10: type: must be",
			"11: \"a..b\": name: is not", "11: unknown: must be",
			"11: name: is the root", "12: addresses[0]: is not",
			"12: addresses[1]: is not", "12: master_name: is needed",
			"12: namespace: takes", "12: username: needs", "13: clients[0]: is not",
			"13: clients[1]: is not", "13: vlans[0]: must be",
			"13: vlans[1]: must be"}},
};

static bool is_wanted(const char *text, const char *path, const char *wanted)
{
	char why[CONFIG_WHY_MAX];
	snprintf(why, sizeof(why), "%s", text);
	const char *part = strchr(wanted, ' ');
	const size_t line = (size_t)(part - wanted); // with its colon
	return config_text_turn(path, why) && strncmp(why, wanted, line) == 0
	       && strstr(why, part + 1);
}

static void check(unsigned n, const char *path, const struct config_errors *e)
{
	unsigned count = 0;
	for (; count < WANTED_MAX && documents[n].wanted[count]; count++) {
		bool found = false;
		for (unsigned i = 0; i < e->count && i < CONFIG_ERRORS_MAX; i++)
			found |= is_wanted(e->text[i], path, documents[n].wanted[count]);
		if (!found)
			print_error(
				"document %u: nothing says %s\n", n, documents[n].wanted[count]);
	}
	for (unsigned i = 0; i < e->count && i < CONFIG_ERRORS_MAX; i++) {
		bool found = false;
		for (unsigned k = 0; k < count; k++)
			found |= is_wanted(e->text[i], path, documents[n].wanted[k]);
		if (!found)
			fail_msg("document %u: %s", n, e->text[i]);
	}
	assert_int_equal(e->count > CONFIG_ERRORS_MAX ? CONFIG_ERRORS_MAX : e->count, count);
}

TEST(every_error_of_a_document_is_reported)
{
	for (unsigned i = 0; i < ARRAY_LEN(documents); i++) {
		const char *path = file_with(documents[i].text);
		struct config *c = NULL;
		struct config_errors errors;
		assert_int_equal(config_load_all(path, &c, &errors), -EINVAL);
		check(i, path, &errors);
	}
}
