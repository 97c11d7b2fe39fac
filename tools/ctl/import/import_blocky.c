// SPDX-License-Identifier: BSD-3-Clause

// blocky's config.yml. Keys that were renamed over time are read by both names.

#include "import_add.h"
#include "import_blocky_groups.h"
#include "import_server.h"
#include "import_zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/config.h>

static const struct yaml_place *top(const struct yaml_tree *t, const char *path)
{
	return import_yaml_get(t, import_yaml_root(t), path);
}

static void each_part(struct import_model *m, const char *text,
	void (*take)(struct import_model *m, const char *key, const char *part), const char *key)
{
	char *copy = import_model_text(m, "%s", text), *rest = copy, *part;
	while (rest && (part = strsep(&rest, ", \t")))
		if (*part)
			take(m, key, part);
	free(copy);
}

// A list, or one text with commas.
static void each_value(struct import_model *m, const struct yaml_tree *t,
	const struct yaml_place *n,
	void (*take)(struct import_model *m, const char *key, const char *part), const char *key)
{
	for (size_t i = 0; import_yaml_is_list(n) && i < import_yaml_count(n); i++)
		each_part(m, import_yaml_text(import_yaml_at(t, n, i)), take, key);
	each_part(m, import_yaml_text(n), take, key);
}

static void mapping_take(struct import_model *m, const char *name, const char *part)
{
	char wild[300];
	struct ip_address a;
	if (ip_address_parse(part, &a) < 0) {
		import_miss(m, name, "`%.100s` is no address, so it is left out", part);
		return;
	}
	snprintf(wild, sizeof(wild), "*.%.250s", name);
	import_add_address(m, name, part, -1);
	import_add_address(m, wild, part, -1);
}

static void custom_take(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *all = top(t, "customDNS.mapping");
	const char *zone = import_yaml_text(top(t, "customDNS.zone"));
	const char *ttl = import_yaml_text(top(t, "customDNS.customTTL"));
	for (size_t i = 0; i < import_yaml_count(all); i++)
		each_value(
			m, t, import_yaml_at(t, all, i), mapping_take, import_yaml_key(t, all, i));
	if (*ttl && import_add_seconds(ttl) >= 0)
		import_add_number(
			m, "local", "ttl", "customTTL", import_add_seconds(ttl), 0, 604800);
	if (*zone)
		(void)import_zone_text(m, zone, "");
	if (import_yaml_count(top(t, "customDNS.rewrite"))
		|| import_yaml_count(top(t, "conditional.rewrite")))
		import_miss(m, "rewrite",
			"rewritten domains have no counterpart: write local.records "
			"of type CNAME");
}

static void conditional_take(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *all = top(t, "conditional.mapping");
	for (size_t i = 0; i < import_yaml_count(all); i++) {
		const char *zone = import_yaml_key(t, all, i);
		if (strcmp(zone, ".") == 0)
			import_miss(m, "conditional.mapping",
				"servers for names without a dot are left out: %.100s",
				import_yaml_text(import_yaml_at(t, all, i)));
		else
			each_value(m, t, import_yaml_at(t, all, i), import_server_add_zone, zone);
	}
}

static void bootstrap_take(
	struct import_model *m, const struct yaml_tree *t, const struct yaml_place *n)
{
	const struct yaml_place *ips = import_yaml_get(t, n, "ips");
	const char *text =
		import_yaml_is_map(n) ? import_yaml_word(t, n, "upstream") : import_yaml_text(n);
	if (import_yaml_count(ips))
		import_server_add_bootstrap(m, import_yaml_text(import_yaml_at(t, ips, 0)));
	else if (*text)
		import_server_add_bootstrap(m, text);
}

static void upstreams_take(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *bootstrap = top(t, "bootstrapDns");
	const char *strategy = import_yaml_text(top(t, "upstreams.strategy"));
	for (size_t i = 0; import_yaml_is_list(bootstrap) && i < import_yaml_count(bootstrap); i++)
		bootstrap_take(m, t, import_yaml_at(t, bootstrap, i));
	if (!import_yaml_is_list(bootstrap))
		bootstrap_take(m, t, bootstrap);
	if (strcmp(strategy, "strict") == 0)
		import_add_value(m, "upstreams", "policy", "strategy: strict", "failover");
	else if (strcmp(strategy, "random") == 0)
		import_add_value(m, "upstreams", "policy", "strategy: random", "round-robin");
	else {
		import_add_value(m, "upstreams", "policy", "strategy: parallel_best", "latency");
		import_add_value(m, "upstreams", "race", "strategy: parallel_best", "2");
	}
}

static void address_reply(struct import_model *m, const char *, const char *part)
{
	struct ip_address a;
	if (ip_address_parse(part, &a) < 0) {
		import_miss(m, "blocking.blockType", "`%.60s` has no counterpart", part);
		return;
	}
	import_add_value(m, "blocking", "mode", "blockType", "address");
	import_add_value(m, "blocking", a.version == 4 ? "ipv4" : "ipv6", NULL, "'%s'", part);
}

static void seconds_take(struct import_model *m, const struct yaml_tree *t, const char *path,
	const char *section, const char *key, long least, long most)
{
	const char *text = import_yaml_text(top(t, path));
	const long seconds = *text ? import_add_seconds(text) : -1;
	if (*text && seconds < 0)
		import_miss(m, path, "`%.60s` has no counterpart", text);
	else if (seconds > 0)
		import_add_number(m, section, key, path, seconds, least, most);
}

static void blocking_take(struct import_model *m, const struct yaml_tree *t)
{
	const char *type = import_yaml_text(top(t, "blocking.blockType"));
	if (!*type || strcasecmp(type, "zeroIp") == 0)
		import_add_value(m, "blocking", "mode", "blockType: zeroIp", "'null'");
	else if (strcasecmp(type, "nxDomain") == 0)
		import_add_value(m, "blocking", "mode", "blockType: nxDomain", "nxdomain");
	else
		each_part(m, type, address_reply, NULL);
	seconds_take(m, t, "blocking.blockTTL", "blocking", "ttl", 1, 86400);
	seconds_take(m, t, "blocking.refreshPeriod", "blocking.update", "interval", 60, 604800);
	seconds_take(
		m, t, "blocking.loading.refreshPeriod", "blocking.update", "interval", 60, 604800);
	seconds_take(m, t, "caching.minTime", "cache", "min_ttl", 0, 86400);
	seconds_take(m, t, "caching.maxTime", "cache", "max_ttl", 1, 604800);
	seconds_take(m, t, "caching.cacheTimeNegative", "cache", "negative_ttl", 1, 86400);
}

static void type_take(struct import_model *m, const char *key, const char *type)
{
	if (strcmp(type, "AAAA") == 0)
		import_add_value(m, "ipv6", "filter_aaaa", key, "true");
	else
		import_miss(m, key, "weir drops no queries by their type: %.20s", type);
}

static void hosts_take(struct import_model *m, const char *, const char *path)
{
	import_add_hosts_file(m, path);
}

static void others_take(struct import_model *m, const struct yaml_tree *t)
{
	static const struct {
		const char *path, *text;
	} other[] = {
		{"redis", "the Redis server is left out: weir's `redis` is a second cache, with "
			  "another format"},
		{"queryLog", "weir has a query log of its own (docs/how-to/query-store.md)"},
		{"clientLookup.upstream", "weir does not ask for names of clients; give them in "
					  "`clients`"},
		{"fqdnOnly.enable", "weir answers names without a dot, too"},
		{"certFile", "the certificate is left out: set `tls`, `dot` and `doh` "
			     "(docs/how-to/dot.md)"}};
	each_value(m, t, top(t, "filtering.queryTypes"), type_take, "filtering.queryTypes");
	each_value(m, t, top(t, "hostsFile.sources"), hosts_take, "hostsFile.sources");
	each_value(m, t, top(t, "hostsFile.filePath"), hosts_take, "hostsFile.filePath");
	if (import_yaml_flag(t, import_yaml_root(t), "dnssec.validate"))
		import_add_value(m, "dnssec", "validate", "dnssec.validate", "true");
	for (size_t i = 0; i < ARRAY_LEN(other); i++) {
		const struct yaml_place *n = top(t, other[i].path);
		const char *text = import_yaml_text(n);
		if (n && strcmp(text, "false") != 0 && (*text || import_yaml_count(n)))
			import_miss(m, other[i].path, "%s", other[i].text);
	}
}

int import_blocky(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX])
{
	struct yaml_tree *t;
	int rc = import_yaml_read(&t, path, why);
	if (rc < 0)
		return rc;
	if (!top(t, "upstreams") && !top(t, "upstream") && !top(t, "blocking")) {
		snprintf(why, IMPORT_WHY_MAX, "%.250s: is no configuration of blocky", path);
		import_yaml_free(t);
		return -EINVAL;
	}
	m->list_exact = true;
	upstreams_take(m, t);
	custom_take(m, t);
	conditional_take(m, t);
	blocking_take(m, t);
	rc = import_blocky_groups(m, t);
	others_take(m, t);
	import_yaml_free(t);
	return rc;
}
