// SPDX-License-Identifier: BSD-3-Clause

#include "import_pihole_settings.h"

#include "import_add.h"
#include "import_dnsmasq.h"
#include "import_server.h"
#include "import_toml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void mode_take(struct import_model *m, const char *key, const char *mode)
{
	static const struct {
		const char *word, *mode;
	} modes[] = {{"NULL", "'null'"}, {"NXDOMAIN", "nxdomain"}, {"NX", "nxdomain"},
		{"NODATA", "nodata"}};
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (strcasecmp(mode, modes[i].word) == 0) {
			import_add_value(m, "blocking", "mode", key, "%s", modes[i].mode);
			return;
		}
	import_add_value(m, "blocking", "mode", key, "'null'");
	import_miss(m, key,
		"`%.60s` answers with the address of Pi-hole; weir answers 0.0.0.0 and :: "
		"unless blocking.mode is `address`, with blocking.ipv4 and ipv6",
		mode);
}

// "true,192.168.0.0/24,192.168.0.1#53,lan": a network, its server, and the domain of its names.
static void rev_server_take(struct import_model *m, const char *key, char *value)
{
	const char *part[4] = {"", "", "", ""};
	char zone[160];
	for (unsigned i = 0; i < 4 && value; i++)
		part[i] = strsep(&value, ",");
	if (strcmp(part[0], "true") != 0) {
		import_miss(m, key,
			"the conditional forwarding of %.60s is off there, so it is left "
			"out",
			part[1]);
		return;
	}
	if (!import_server_reverse(part[1], zone, sizeof(zone))) {
		import_miss(m, key, "`%.60s` is no network", part[1]);
		return;
	}
	import_server_add_zone(m, zone, part[2]);
	if (*part[3])
		import_server_add_zone(m, part[3], part[2]);
}

static void cname_take(struct import_model *m, const char *value)
{
	char line[600];
	snprintf(line, sizeof(line), "cname=%.580s", value);
	import_dnsmasq_line(m, NULL, line);
}

static void rate_take(struct import_model *m, const char *key, long count, long interval)
{
	if (count > 0 && interval > 0 && (count + interval - 1) / interval != 17)
		import_miss(m, key,
			"%ld queries in %ld s for one client: weir has access.rate, a "
			"second, for clients that access.unlimited does not name",
			count, interval);
}

struct settings {
	struct import_model *m;
	long rate_count;
};

typedef void (*take_value)(struct import_model *m, const char *key, char *value);

static void upstream_take(struct import_model *m, const char *, char *value)
{
	if (*value)
		import_server_add(m, &m->upstreams, value, NULL);
}

static void hosts_take(struct import_model *m, const char *, char *value)
{
	import_dnsmasq_hosts_line(m, value);
}

static void cnames_take(struct import_model *m, const char *, char *value)
{
	cname_take(m, value);
}

static void host_record_take(struct import_model *m, const char *, char *value)
{
	char line[600];
	snprintf(line, sizeof(line), "host-record=%.580s", value);
	if (*value)
		import_dnsmasq_line(m, NULL, line);
}

static void dnsmasq_take(struct import_model *m, const char *, char *value)
{
	import_dnsmasq_line(m, m->place, value);
}

static void dnssec_take(struct import_model *m, const char *key, char *value)
{
	if (strcmp(value, "true") == 0)
		import_add_value(m, "dnssec", "validate", key, "true");
}

static void blocking_take(struct import_model *m, const char *key, char *value)
{
	if (strcmp(value, "false") == 0)
		import_add_value(m, "blocking", "enabled", key, "false");
}

static void mode_value_take(struct import_model *m, const char *key, char *value)
{
	mode_take(m, key, value);
}

static void ttl_take(struct import_model *m, const char *key, char *value)
{
	import_add_number(m, "blocking", "ttl", key, strtol(value, NULL, 10), 1, 86400);
}

static void days_take(struct import_model *m, const char *key, char *value)
{
	const long days = strtol(value, NULL, 10);
	if (days > 0 && days != 7)
		import_miss(m, key,
			"%ld days of queries: weir has query_log.store.hours, and a bound "
			"in MiB beside it",
			days);
}

static void dhcp_take(struct import_model *m, const char *key, char *value)
{
	if (strcmp(value, "true") == 0)
		import_miss(m, key, "weir is no DHCP server: let the router, Kea or dnsmasq do it");
}

static void port_take(struct import_model *m, const char *key, char *value)
{
	if (strcmp(value, "53") != 0)
		import_miss(m, key, "weir answers on port 53, not on %.10s", value);
}

static void listening_take(struct import_model *m, const char *key, char *value)
{
	if (strcasecmp(value, "ALL") == 0 || strcasecmp(value, "SINGLE") == 0
		|| strcmp(value, "all") == 0)
		import_miss(m, key,
			"weir answers private and local addresses, and no others unless "
			"access.allow says so");
}

static void toml_take(void *arg, const char *key, const char *value)
{
	static const struct {
		const char *key;
		take_value take;
	} keys[] = {{"dns.upstreams", upstream_take}, {"dns.hosts", hosts_take},
		{"dns.cnameRecords", cnames_take}, {"dns.hostRecord", host_record_take},
		{"dns.revServers", rev_server_take}, {"dns.dnssec", dnssec_take},
		{"dns.blocking.active", blocking_take}, {"dns.blocking.mode", mode_value_take},
		{"dns.blockTTL", ttl_take}, {"dns.port", port_take},
		{"dns.listeningMode", listening_take}, {"misc.dnsmasq_lines", dnsmasq_take},
		{"database.maxDBdays", days_take}, {"dhcp.active", dhcp_take}};
	struct settings *s = arg;
	char text[1000];
	snprintf(text, sizeof(text), "%s", value);
	if (strcmp(key, "dns.rateLimit.count") == 0)
		s->rate_count = strtol(value, NULL, 10);
	if (strcmp(key, "dns.rateLimit.interval") == 0)
		rate_take(s->m, key, s->rate_count, strtol(value, NULL, 10));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(key, keys[i].key) == 0)
			keys[i].take(s->m, keys[i].key, text);
}

unsigned import_pihole_toml(struct import_model *m, char *text)
{
	struct settings s = {.m = m};
	return import_toml_read(text, toml_take, &s);
}

// The conditional forwarding of setupVars.conf is in four lines, which this puts together.
static void rev_line_take(struct import_model *m, const char *key, const char *value)
{
	static char cidr[60], target[100], domain[260];
	char *to = strcmp(key, "REV_SERVER_CIDR") == 0     ? cidr
		   : strcmp(key, "REV_SERVER_TARGET") == 0 ? target
							   : domain;
	const size_t cap = to == cidr     ? sizeof(cidr)
			   : to == target ? sizeof(target)
					  : sizeof(domain);
	snprintf(to, cap, "%s", value);
	if (to == domain) {
		char whole[440];
		snprintf(whole, sizeof(whole), "true,%s,%s,%s", cidr, target, domain);
		rev_server_take(m, "REV_SERVER", whole);
	}
}

void import_pihole_setting(struct import_model *m, const char *, char *line)
{
	static const struct {
		const char *key;
		take_value take;
	} keys[] = {{"DNSSEC", dnssec_take}, {"BLOCKING_ENABLED", blocking_take},
		{"BLOCKINGMODE", mode_value_take}, {"BLOCK_TTL", ttl_take},
		{"DHCP_ACTIVE", dhcp_take}, {"MAXDBDAYS", days_take},
		{"DNSMASQ_LISTENING", listening_take}};
	char *value = strchr(line, '=');
	if (!value || line[0] == '#')
		return;
	*value++ = '\0';
	value[strcspn(value, "\r\n")] = '\0';
	if (strncmp(line, "PIHOLE_DNS_", 11) == 0)
		upstream_take(m, line, value);
	if (strncmp(line, "REV_SERVER_", 11) == 0)
		rev_line_take(m, line, value);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (strcmp(line, keys[i].key) == 0)
			keys[i].take(m, keys[i].key, value);
}

void import_pihole_defaults(struct import_model *m)
{
	import_add_value(m, "blocking", "mode", "as Pi-hole does", "'null'");
	import_add_value(m, "blocking", "ttl", "as Pi-hole does", "2");
}
