// SPDX-License-Identifier: BSD-3-Clause

#include "import_dnsmasq.h"

#include "import_add.h"
#include "import_dnsmasq_records.h"
#include "import_file.h"
#include "import_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config.h>

struct reading {
	struct import_model *m;
	const char *path;
	unsigned depth;
	bool no_hosts;
	bool has_lines, has_known; // any; an option among them
};

static void file_take(struct import_model *m, const char *path, unsigned depth);
static void line_take(void *arg, char *line);

static void each_file(void *arg, const char *path)
{
	struct reading *r = arg;
	file_take(r->m, path, r->depth + 1);
}

// "/a.example/b.example/value": the domains in turn, and the value behind the last slash.
static char *domains_split(char *text, char **domains)
{
	char *last = text[0] == '/' ? strrchr(text + 1, '/') : NULL;
	if (!last)
		return NULL;
	*last = '\0';
	*domains = text + 1;
	return last + 1;
}

static char *part_cut(char **rest, char separator)
{
	char *part = *rest, *end;
	if (!part)
		return NULL;
	end = strchr(part, separator);
	*rest = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	return part + strspn(part, " ");
}

static void address_take(struct import_model *m, const char *key, char *value)
{
	char *domains, *address = domains_split(value, &domains), *name;
	static const char *const nothing[] = {"", "#", "0.0.0.0", "::", "127.0.0.1", "::1"};
	bool is_block = false;
	if (!address) {
		import_miss(m, key, "`%.200s` is not /domain/address", value);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(nothing); i++)
		is_block |= strcmp(address, nothing[i]) == 0;
	while ((name = part_cut(&domains, '/'))) {
		char wild[300];
		const char *plain = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
		if (!*name || strcmp(name, "#") == 0) {
			import_miss(
				m, key, "an address for every name is left out: %.100s", address);
			continue;
		}
		if (is_block) {
			import_add_name(m, &m->deny, name, NULL);
			continue;
		}
		snprintf(wild, sizeof(wild), "*.%.250s", plain);
		if (plain == name)
			import_add_address(m, plain, address, -1);
		import_add_address(m, wild, address, -1);
	}
}

// "9.9.9.9#53@eth0": without the interface or source address, which is a miss.
static char *source_cut(struct import_model *m, const char *key, char *server)
{
	char *at = strchr(server, '@');
	if (at) {
		*at = '\0';
		import_miss(m, key,
			"the source `%.60s` of queries to %.60s is left out: weir has one "
			"for all servers (upstreams.source)",
			at + 1, server);
	}
	return server;
}

static void server_take(struct import_model *m, const char *key, char *value)
{
	char *domains, *server, *name;
	if (value[0] != '/') {
		import_server_add(m, &m->upstreams, source_cut(m, key, value), NULL);
		return;
	}
	server = domains_split(value, &domains);
	if (!server) {
		import_miss(m, key, "`%.200s` is not /domain/server", value);
		return;
	}
	source_cut(m, key, server);
	while ((name = part_cut(&domains, '/'))) {
		if (!*name)
			import_miss(m, key,
				"a server for names without a dot is left out: weir sends "
				"them to the upstreams, or has local.zones");
		else if (strcmp(name, "#") == 0)
			import_server_add(m, &m->upstreams, server, NULL);
		else if (!*server)
			import_add_name(m, &m->closed_zones, name, NULL);
		else if (strcmp(server, "#") == 0)
			import_add_name(m, &m->open_zones, name, NULL);
		else
			import_server_add_zone(m, name, server);
	}
}

static void rev_server_take(struct import_model *m, const char *key, char *value)
{
	char *prefix = part_cut(&value, ','), *server = part_cut(&value, ',');
	char zone[160];
	if (server && import_server_reverse(prefix, zone, sizeof(zone)))
		import_server_add_zone(m, zone, source_cut(m, key, server));
	else
		import_miss(m, key, "`%.100s` is left out: it is not prefix,server", prefix);
}

static void conf_dir_take(struct reading *r, const char *key, char *value)
{
	char *dir = part_cut(&value, ','), *ending = part_cut(&value, ',');
	char pattern[600];
	// Endings with a star are those to read; without one, those to leave out.
	if (ending && ending[0] != '*')
		import_miss(r->m, key, "all files of the folder are read, `%.60s` too", ending);
	snprintf(pattern, sizeof(pattern), "%.500s/%.60s", dir,
		ending && ending[0] == '*' ? ending : "*");
	import_file_glob(r->m, r->path, pattern, key, each_file, r);
}

static void rebind_ok_take(struct import_model *m, char *value)
{
	char *domains = value, *name;
	while ((name = part_cut(&domains, '/')))
		if (*name)
			import_add_name(m, &m->rebinding_allow, name, NULL);
}

struct resolv {
	struct import_model *m;
	const char *path;
};

static void resolv_line_take(void *arg, char *line)
{
	const struct resolv *r = arg;
	char *word = import_file_word(&line);
	char *server = word && strcmp(word, "nameserver") == 0 ? import_file_word(&line) : NULL;
	if (server)
		import_server_add(r->m, &r->m->upstreams, server, r->path);
}

// The servers of a file like /etc/resolv.conf.
static void resolv_take(struct import_model *m, const char *path)
{
	char why[IMPORT_WHY_MAX];
	struct resolv r = {m, path};
	if (import_file_lines(path, resolv_line_take, &r, why) < 0)
		import_miss(m, "resolv-file", "%s; its servers are left out", why);
}

// Keys with one number, or with none.
static bool value_take(struct import_model *m, const char *key, const char *value)
{
	static const struct {
		const char *key, *section, *to;
		long least, most;
	} numbers[] = {{"min-cache-ttl", "cache", "min_ttl", 0, 86400},
		{"max-cache-ttl", "cache", "max_ttl", 1, 604800},
		{"max-ttl", "cache", "client_ttl_cap", 0, 604800},
		{"neg-ttl", "cache", "negative_ttl", 1, 86400},
		{"local-ttl", "local", "ttl", 0, 604800}};
	static const struct {
		const char *key, *section, *to, *text;
	} words[] = {{"dnssec", "dnssec", "validate", "true"},
		{"stop-dns-rebind", "blocking.rebinding", "enabled", "true"},
		{"filter-AAAA", "ipv6", "filter_aaaa", "true"},
		{"all-servers", "upstreams", "race", "2"},
		{"strict-order", "upstreams", "policy", "failover"}};
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(key, numbers[i].key) == 0) {
			import_add_number(m, numbers[i].section, numbers[i].to, numbers[i].key,
				strtol(value, NULL, 10), numbers[i].least, numbers[i].most);
			return true;
		}
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(key, words[i].key) == 0) {
			import_add_value(m, words[i].section, words[i].to, words[i].key, "%s",
				words[i].text);
			return true;
		}
	return false;
}

// What weir does anyway, or does not need.
static bool is_needless(const char *key, const char *value)
{
	static const char *const needless[] = {"user", "group", "pid-file", "no-poll", "no-resolv",
		"bind-interfaces", "bind-dynamic", "interface", "listen-address",
		"except-interface", "domain-needed", "bogus-priv", "expand-hosts", "domain",
		"localise-queries", "log-queries", "log-facility", "log-async", "cache-size",
		"dns-forward-max", "edns-packet-max", "trust-anchor", "dnssec-check-unsigned",
		"no-hosts", "keep-in-foreground", "no-daemon", "conf-dir", "local-service",
		"quiet-dhcp", "log-dhcp", "except", "query-port", "min-port", "fast-dns-retry",
		"use-stale-cache", "proxy-dnssec", "clear-on-reload", "enable-dbus",
		"no-dhcp-interface"};
	for (size_t i = 0; i < ARRAY_LEN(needless); i++)
		if (strcmp(key, needless[i]) == 0)
			return true;
	return strcmp(key, "port") == 0 && strcmp(value, "53") == 0;
}

static void option_take(struct reading *r, char *key, char *value)
{
	struct import_model *m = r->m;
	r->no_hosts |= strcmp(key, "no-hosts") == 0;
	if (strcmp(key, "address") == 0)
		address_take(m, key, value);
	else if (strcmp(key, "server") == 0 || strcmp(key, "local") == 0)
		server_take(m, key, value);
	else if (strcmp(key, "rev-server") == 0)
		rev_server_take(m, key, value);
	else if (strcmp(key, "conf-file") == 0)
		import_file_glob(m, r->path, value, key, each_file, r);
	else if (strcmp(key, "conf-dir") == 0)
		conf_dir_take(r, key, value);
	else if (strcmp(key, "resolv-file") == 0)
		resolv_take(m, value);
	else if (strcmp(key, "rebind-domain-ok") == 0)
		rebind_ok_take(m, value);
	else if (strcmp(key, "addn-hosts") == 0)
		import_add_hosts_file(m, value);
	else if (strncmp(key, "dhcp", 4) == 0 || strncmp(key, "tftp", 4) == 0
		 || strncmp(key, "enable-", 7) == 0 || strncmp(key, "pxe", 3) == 0
		 || strcmp(key, "enable-ra") == 0)
		import_miss(m, key,
			"weir is no DHCP, TFTP or router advertisement server: keep "
			"dnsmasq for that (port=0)");
	else if (!import_dnsmasq_record(m, key, value) && !value_take(m, key, value)
		 && !is_needless(key, value))
		import_miss(m, key, "`%.200s` has no counterpart", value);
}

static void line_take(void *arg, char *line)
{
	struct reading *r = arg;
	static char none[] = "";
	// A comment begins the line, or follows a blank.
	for (char *p = line; *p; p++)
		if (*p == '#' && (p == line || p[-1] == ' ' || p[-1] == '\t')) {
			*p = '\0';
			break;
		}
	size_t len = strlen(line);
	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		line[--len] = '\0';
	if (len == 0)
		return;
	char *value = strchr(line, '='), *end = value ? value : line + len;
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (value)
		value += 1 + strspn(value + 1, " \t");
	*end = '\0';
	r->has_lines = true;
	r->has_known |= line[strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
	option_take(r, line, value ? value : none);
}

void import_dnsmasq_line(struct import_model *m, const char *path, char *line)
{
	struct reading r = {.m = m, .path = path};
	line_take(&r, line);
}

void import_dnsmasq_hosts_line(struct import_model *m, char *line)
{
	char *address, *name;
	bool is_first = true;
	line[strcspn(line, "#")] = '\0';
	address = import_file_word(&line);
	while (address && (name = import_file_word(&line))) {
		import_add_address(m, name, address, -1);
		if (is_first)
			import_add_reverse(m, address, name, -1);
		is_first = false;
	}
}

static void file_take(struct import_model *m, const char *path, unsigned depth)
{
	char why[IMPORT_WHY_MAX];
	const char *before = m->place;
	struct reading r = {.m = m, .path = path, .depth = depth};
	if (depth > IMPORT_DEPTH_MAX) {
		import_miss(m, path, "the file is left out: files include each other %d deep",
			IMPORT_DEPTH_MAX);
		return;
	}
	if (import_file_is_folder(path))
		return;
	m->place = path;
	if (import_file_lines(path, line_take, &r, why) < 0)
		import_miss(m, NULL, "%s", why);
	m->place = before;
}

int import_dnsmasq(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX])
{
	struct reading r = {.m = m, .path = path};
	int rc = import_file_lines(path, line_take, &r, why);
	if (rc == 0 && r.has_lines && !r.has_known) {
		snprintf(why, IMPORT_WHY_MAX, "%.250s: has no option of dnsmasq", path);
		return -EINVAL;
	}
	if (rc == 0 && !r.no_hosts)
		import_miss(m, "no-hosts",
			"dnsmasq answers from /etc/hosts of its machine; for that too, add "
			"`hosts_files: [/etc/hosts]` to `local`");
	return rc;
}
