// SPDX-License-Identifier: BSD-3-Clause

// AdGuardHome.yaml. Keys moved between the sections over time: both places are read.

#include "import_add.h"
#include "import_adguard_clients.h"
#include "import_rules.h"
#include "import_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/config.h>

// The first of two places that is there.
static const struct yaml_place *either(const struct yaml_tree *t, const char *a, const char *b)
{
	const struct yaml_place *n = import_yaml_get(t, import_yaml_root(t), a);
	return n ? n : import_yaml_get(t, import_yaml_root(t), b);
}

static const char *either_word(const struct yaml_tree *t, const char *a, const char *b)
{
	return import_yaml_text(either(t, a, b));
}

static void lists_take(
	struct import_model *m, const struct yaml_tree *t, const char *key, bool allow)
{
	const struct yaml_place *all = import_yaml_get(t, import_yaml_root(t), key);
	for (size_t i = 0; i < import_yaml_count(all); i++) {
		const struct yaml_place *one = import_yaml_at(t, all, i);
		const char *url = import_yaml_word(t, one, "url");
		if (!import_yaml_flag(t, one, "enabled"))
			import_miss(m, url, "the list is disabled there, so it is left out");
		else
			import_add_list(m, import_yaml_word(t, one, "name"), url, allow, NULL);
	}
}

// "[/a.example/b.example/]9.9.9.9 tls://dns.quad9.net": servers of zones.
static void zones_take(struct import_model *m, char *line)
{
	char *end = strstr(line, "/]"), *zones = line + 2, *zone, *server, *rest, *words;
	if (!end) {
		import_miss(m, line, "the server is left out: its zones have no end");
		return;
	}
	*end = '\0';
	rest = end + 2;
	while ((zone = strsep(&zones, "/"))) {
		char *copy = words = import_model_text(m, "%s", rest);
		while (words && (server = strsep(&words, " \t"))) {
			if (!*server)
				continue;
			if (!*zone)
				import_miss(
					m, server, "a server for names without a dot is left out");
			else if (strcmp(server, "#") == 0)
				import_add_name(m, &m->open_zones, zone, "by the upstreams");
			else
				import_server_add_zone(m, zone, server);
		}
		free(copy);
	}
}

static void upstream_take(struct import_model *m, const char *text)
{
	char line[1000];
	snprintf(line, sizeof(line), "%s", text + strspn(text, " \t"));
	if (!*line || *line == '#')
		return;
	if (strncmp(line, "[/", 2) == 0)
		zones_take(m, line);
	else
		import_server_add(m, &m->upstreams, line, NULL);
}

static void upstreams_take(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *dns = import_yaml_get(t, import_yaml_root(t), "dns");
	const struct yaml_place *list = import_yaml_get(t, dns, "upstream_dns");
	const char *mode = import_yaml_word(t, dns, "upstream_mode");
	const char *file = import_yaml_word(t, dns, "upstream_dns_file");
	for (size_t i = 0; i < import_yaml_count(list); i++)
		upstream_take(m, import_yaml_text(import_yaml_at(t, list, i)));
	list = import_yaml_get(t, dns, "bootstrap_dns");
	for (size_t i = 0; i < import_yaml_count(list); i++)
		import_server_add_bootstrap(m, import_yaml_text(import_yaml_at(t, list, i)));
	list = import_yaml_get(t, dns, "fallback_dns");
	for (size_t i = 0; i < import_yaml_count(list); i++)
		import_miss(m, "dns.fallback_dns",
			"%.100s is left out: with `policy: failover` the last of upstreams.servers "
			"is "
			"one",
			import_yaml_text(import_yaml_at(t, list, i)));
	if (*file)
		import_miss(m, "dns.upstream_dns_file",
			"%.200s is not read: write its servers here", file);
	if (strcmp(mode, "parallel") == 0 || import_yaml_flag(t, dns, "all_servers"))
		import_add_value(m, "upstreams", "race", "upstream_mode: parallel", "2");
	else if (strcmp(mode, "fastest_addr") == 0 || import_yaml_flag(t, dns, "fastest_addr"))
		import_miss(m, "dns.upstream_mode",
			"fastest_addr: weir does not measure the addresses of answers");
	else
		import_add_value(
			m, "upstreams", "policy", "upstream_mode: load_balance", "latency");
}

static void rewrites_take(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *all = either(t, "filtering.rewrites", "dns.rewrites");
	for (size_t i = 0; i < import_yaml_count(all); i++) {
		const struct yaml_place *one = import_yaml_at(t, all, i);
		const char *name = import_yaml_word(t, one, "domain");
		const char *answer = import_yaml_word(t, one, "answer");
		const char *enabled = import_yaml_word(t, one, "enabled");
		struct ip_address a;
		if (strcmp(enabled, "false") == 0)
			import_miss(m, name, "the rewrite is disabled there, so it is left out");
		else if (strcasecmp(answer, name) == 0)
			import_miss(m, name,
				"a rewrite to itself, an exemption from a wildcard, is left out");
		else if (ip_address_parse(answer, &a) == 0)
			import_add_address(m, name, answer, -1);
		else if (strcmp(answer, "A") == 0 || strcmp(answer, "AAAA") == 0)
			import_miss(m, name,
				"a rewrite that keeps the records of the upstream is left out");
		else
			import_add_record(m, name, "CNAME", answer, -1);
	}
}

// An address that blocked names get.
static void blocking_address_take(
	struct import_model *m, const char *key, uint8_t version, const char *text)
{
	struct ip_address a;
	const bool is_address = ip_address_parse(text, &a) == 0 && a.version == version;
	if (!*text)
		return;
	if (!is_address || strchr(text, '/'))
		import_miss(m, key, "`%.100s` is no address, so it is left out", text);
	else if (version == 4)
		import_add_value(m, "blocking", "ipv4", NULL, "%s", text);
	else
		import_add_value(m, "blocking", "ipv6", NULL, "'%s'", text);
}

static void blocking_take(struct import_model *m, const struct yaml_tree *t)
{
	static const struct {
		const char *word, *mode;
	} modes[] = {{"default", "'null'"}, {"null_ip", "'null'"}, {"nxdomain", "nxdomain"},
		{"refused", "refused"}, {"custom_ip", "address"}};
	const char *mode = either_word(t, "filtering.blocking_mode", "dns.blocking_mode");
	const char *v4 = either_word(t, "filtering.blocking_ipv4", "dns.blocking_ipv4");
	const char *v6 = either_word(t, "filtering.blocking_ipv6", "dns.blocking_ipv6");
	const char *ttl =
		either_word(t, "filtering.blocked_response_ttl", "dns.blocked_response_ttl");
	const char *hours =
		either_word(t, "filtering.filters_update_interval", "dns.filters_update_interval");
	const char *enabled =
		either_word(t, "filtering.protection_enabled", "dns.protection_enabled");
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (strcmp(mode, modes[i].word) == 0)
			import_add_value(m, "blocking", "mode", mode, "%s", modes[i].mode);
	if (strcmp(mode, "custom_ip") == 0) {
		blocking_address_take(m, "blocking_ipv4", 4, v4);
		blocking_address_take(m, "blocking_ipv6", 6, v6);
	}
	if (*ttl)
		import_add_number(m, "blocking", "ttl", "blocked_response_ttl",
			strtol(ttl, NULL, 10), 1, 86400);
	if (*hours && strcmp(hours, "0") != 0)
		import_add_number(m, "blocking.update", "interval", "filters_update_interval",
			strtol(hours, NULL, 10) * 3600, 3600, 604800);
	if (strcmp(enabled, "false") == 0)
		import_add_value(m, "blocking", "enabled", "protection_enabled", "false");
	import_adguard_services(m, t,
		either(t, "filtering.blocked_services", "dns.blocked_services"), &m->services);
	import_adguard_search(m, t, either(t, "filtering.safe_search", "dns.safe_search"),
		&m->safe_search, false);
	if (strcmp(either_word(t, "filtering.safebrowsing_enabled", "dns.safebrowsing_enabled"),
		    "true")
		== 0)
		import_miss(m, "safebrowsing_enabled",
			"weir asks no service about names: add lists of malware and phishing");
	if (strcmp(either_word(t, "filtering.parental_enabled", "dns.parental_enabled"), "true")
		== 0)
		import_miss(m, "parental_enabled",
			"weir asks no service about names: add lists of "
			"adult sites");
}

static void rules_take(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *all = import_yaml_get(t, import_yaml_root(t), "user_rules");
	for (size_t i = 0; i < import_yaml_count(all); i++)
		import_rules_text(
			m, &m->allow, &m->deny, import_yaml_text(import_yaml_at(t, all, i)), false);
}

static void access_take(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *dns = import_yaml_get(t, import_yaml_root(t), "dns");
	const struct yaml_place *list = import_yaml_get(t, dns, "allowed_clients");
	static const char *const usual[] = {"version.bind", "id.server", "hostname.bind"};
	for (size_t i = 0; i < import_yaml_count(list); i++) {
		const char *text = import_yaml_text(import_yaml_at(t, list, i));
		struct config_mac mac;
		if (config_mac_parse(text, &mac) == 0
			|| !import_add_member(m, &m->access_allow, text, NULL))
			import_miss(m, "dns.allowed_clients", "%.60s: weir allows addresses alone",
				text);
	}
	list = import_yaml_get(t, dns, "disallowed_clients");
	for (size_t i = 0; i < import_yaml_count(list); i++)
		import_miss(m, "dns.disallowed_clients",
			"%.60s is left out: weir answers those alone that access.allow names, and "
			"access.deny takes away from these",
			import_yaml_text(import_yaml_at(t, list, i)));
	list = import_yaml_get(t, dns, "blocked_hosts");
	for (size_t i = 0; i < import_yaml_count(list); i++) {
		const char *name = import_yaml_text(import_yaml_at(t, list, i));
		bool is_usual = false;
		for (size_t k = 0; k < ARRAY_LEN(usual); k++)
			is_usual |= strcmp(name, usual[k]) == 0;
		if (!is_usual)
			import_rules_text(m, &m->allow, &m->deny, name, false);
	}
}

static void cache_take(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *dns = import_yaml_get(t, import_yaml_root(t), "dns");
	const long least = strtol(import_yaml_word(t, dns, "cache_ttl_min"), NULL, 10);
	const long most = strtol(import_yaml_word(t, dns, "cache_ttl_max"), NULL, 10);
	if (least > 0)
		import_add_number(m, "cache", "min_ttl", "cache_ttl_min", least, 0, 86400);
	if (most > 0)
		import_add_number(m, "cache", "max_ttl", "cache_ttl_max", most, 1, 604800);
	if (import_yaml_flag(t, dns, "cache_optimistic"))
		import_add_value(m, "cache", "stale", "cache_optimistic", "immediate");
	if (import_yaml_flag(t, dns, "enable_dnssec"))
		import_miss(m, "dns.enable_dnssec",
			"AdGuard Home asks for DNSSEC records and validates nothing; weir "
			"validates "
			"with `dnssec: {validate: true}`");
	if (import_yaml_flag(t, dns, "aaaa_disabled"))
		import_add_value(m, "ipv6", "filter_aaaa", "aaaa_disabled", "true");
	if (import_yaml_flag(t, dns, "edns_client_subnet.enabled")) {
		import_add_value(m, "upstreams", "client_subnet_ipv4", "edns_client_subnet", "24");
		import_add_value(m, "upstreams", "client_subnet_ipv6", "edns_client_subnet", "56");
	}
}

static void others_note(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *root = import_yaml_root(t);
	const struct yaml_place *ptr = import_yaml_get(t, root, "dns.local_ptr_upstreams");
	static const char *const private_zones[] = {"10.in-addr.arpa", "168.192.in-addr.arpa"};
	for (size_t i = 0; i < import_yaml_count(ptr); i++)
		for (size_t k = 0; k < ARRAY_LEN(private_zones); k++)
			import_server_add_zone(
				m, private_zones[k], import_yaml_text(import_yaml_at(t, ptr, i)));
	if (import_yaml_flag(t, root, "dhcp.enabled"))
		import_miss(
			m, "dhcp", "weir is no DHCP server: let the router, Kea or dnsmasq do it");
	if (import_yaml_flag(t, root, "tls.enabled"))
		import_miss(m, "tls",
			"the certificate is left out: set `tls`, `dot` and `doh` "
			"(docs/how-to/dot.md); /etc/weir must have the files");
}

int import_adguard(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX])
{
	struct yaml_tree *t;
	int rc = import_yaml_read(&t, path, why);
	if (rc < 0)
		return rc;
	if (!import_yaml_get(t, import_yaml_root(t), "dns")
		&& !import_yaml_get(t, import_yaml_root(t), "filters")) {
		snprintf(why, IMPORT_WHY_MAX, "%.250s: is no configuration of AdGuard Home", path);
		import_yaml_free(t);
		return -EINVAL;
	}
	m->list_exact = true;
	lists_take(m, t, "filters", false);
	lists_take(m, t, "whitelist_filters", true);
	upstreams_take(m, t);
	rewrites_take(m, t);
	rules_take(m, t);
	blocking_take(m, t);
	access_take(m, t);
	cache_take(m, t);
	import_adguard_clients(m, t);
	others_note(m, t);
	import_yaml_free(t);
	return 0;
}
