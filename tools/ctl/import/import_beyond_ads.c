// SPDX-License-Identifier: BSD-3-Clause

// The configuration of beyond-ads-dns: one YAML file, or its defaults and the file that overrides
// them, the latter first.

#include "import_add.h"
#include "import_server.h"
#include "import_yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config.h>

static const struct yaml_place *top(const struct yaml_tree *t, const char *path)
{
	return import_yaml_get(t, import_yaml_root(t), path);
}

// Domains or /patterns/.
static void entries_take(struct import_model *m, const struct yaml_tree *t,
	const struct yaml_place *list, struct import_items *to)
{
	for (size_t i = 0; i < import_yaml_count(list); i++) {
		const char *text = import_yaml_text(import_yaml_at(t, list, i));
		const size_t len = strlen(text);
		if (len > 2 && text[0] == '/' && text[len - 1] == '/') {
			char *pattern = import_model_text(m, "%.*s", (int)(len - 2), text + 1);
			if (pattern)
				import_add_pattern(m, to, pattern, NULL);
			free(pattern);
		} else if (*text) {
			import_add_name(m, to, text, NULL);
		}
	}
}

// `names`: takes the lists' names in the model, or NULL.
static void sources_take(struct import_model *m, const struct yaml_tree *t,
	const struct yaml_place *sources, struct import_items *names)
{
	for (size_t i = 0; i < import_yaml_count(sources); i++) {
		const struct yaml_place *one = import_yaml_at(t, sources, i);
		const char *name = import_add_list(m, import_yaml_word(t, one, "name"),
			import_yaml_word(t, one, "url"), false, NULL);
		if (name && names)
			import_items_add(m, names, name, NULL);
	}
}

static void times_note(struct import_model *m, const struct yaml_tree *t,
	const struct yaml_place *of, const char *where)
{
	static const char *const keys[] = {"scheduled_pause", "family_time"};
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct yaml_place *n = import_yaml_get(t, of, keys[i]);
		if (import_yaml_flag(t, n, "enabled"))
			import_miss(m, where,
				"%s from %.10s to %.10s is left out: weir has schedules "
				"and family_time (docs/how-to/groups.md)",
				keys[i], import_yaml_word(t, n, "start"),
				import_yaml_word(t, n, "end"));
	}
}

static void seconds_take(struct import_model *m, const struct yaml_tree *t, const char *path,
	const char *section, const char *key, long least, long most)
{
	const char *text = import_yaml_text(top(t, path));
	const long seconds = *text ? import_add_seconds(text) : -1;
	if (*text && seconds < 0)
		import_miss(m, path, "`%.60s` is no time", text);
	else if (*text)
		import_add_number(m, section, key, path, seconds, least, most);
}

static void values_take(struct import_model *m, const struct yaml_tree *t)
{
	const char *strategy = import_yaml_text(top(t, "resolver_strategy"));
	const char *reply = import_yaml_text(top(t, "response.blocked"));
	struct ip_address a;
	seconds_take(m, t, "cache.min_ttl", "cache", "min_ttl", 0, 86400);
	seconds_take(m, t, "cache.max_ttl", "cache", "max_ttl", 1, 604800);
	seconds_take(m, t, "cache.negative_ttl", "cache", "negative_ttl", 1, 86400);
	seconds_take(m, t, "cache.client_ttl_cap", "cache", "client_ttl_cap", 0, 604800);
	seconds_take(m, t, "cache.refresh.stale_ttl", "cache", "stale_window", 0, 604800);
	seconds_take(m, t, "cache.refresh.expired_entry_ttl", "cache", "stale_ttl", 1, 3600);
	seconds_take(m, t, "response.blocked_ttl", "blocking", "ttl", 1, 86400);
	seconds_take(
		m, t, "blocklists.refresh_interval", "blocking.update", "interval", 60, 604800);
	if (strcmp(strategy, "load_balance") == 0)
		import_add_value(m, "upstreams", "policy", "load_balance", "round-robin");
	else if (strcmp(strategy, "weighted") == 0)
		import_add_value(m, "upstreams", "policy", "weighted", "latency");
	if (ip_address_parse(reply, &a) == 0) {
		import_add_value(m, "blocking", "mode", "response.blocked", "address");
		import_add_value(
			m, "blocking", a.version == 4 ? "ipv4" : "ipv6", NULL, "'%s'", reply);
	} else if (strcmp(reply, "nxdomain") == 0) {
		import_add_value(m, "blocking", "mode", "response.blocked", "nxdomain");
	}
}

static void upstreams_take(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *all = top(t, "upstreams");
	for (size_t i = 0; i < import_yaml_count(all); i++) {
		const struct yaml_place *one = import_yaml_at(t, all, i);
		const char *address = import_yaml_word(t, one, "address");
		const char *protocol = import_yaml_word(t, one, "protocol");
		char text[600];
		snprintf(text, sizeof(text), "%s%.560s",
			strcmp(protocol, "tls") == 0 && !strstr(address, "://") ? "tls://" : "",
			address);
		import_server_add(m, &m->upstreams, text, import_yaml_word(t, one, "name"));
	}
}

static void records_take(struct import_model *m, const struct yaml_tree *t)
{
	const struct yaml_place *all = top(t, "local_records");
	for (size_t i = 0; i < import_yaml_count(all); i++) {
		const struct yaml_place *one = import_yaml_at(t, all, i);
		import_add_record(m, import_yaml_word(t, one, "name"),
			import_yaml_word(t, one, "type"), import_yaml_word(t, one, "value"), -1);
	}
}

static void search_take(struct import_model *m, const struct yaml_tree *t,
	const struct yaml_place *of, struct import_items *to)
{
	static const char *const engines[] = {"google", "bing"};
	for (size_t i = 0; import_yaml_flag(t, of, "enabled") && i < ARRAY_LEN(engines); i++)
		if (import_yaml_flag(t, of, engines[i]))
			import_items_add(m, to, engines[i], "strict");
}

// Clients of a group, and the names of all: a mapping of addresses to names, or a list.
static void clients_take(struct import_model *m, const struct yaml_tree *t, const char *group,
	struct import_group *g)
{
	const struct yaml_place *all = top(t, "client_identification.clients");
	for (size_t i = 0; i < import_yaml_count(all); i++) {
		const struct yaml_place *one = import_yaml_at(t, all, i);
		const bool is_map = import_yaml_is_map(all);
		const char *ip =
			is_map ? import_yaml_key(t, all, i) : import_yaml_word(t, one, "ip");
		const char *name =
			is_map ? import_yaml_text(one) : import_yaml_word(t, one, "name");
		const char *of = is_map ? "" : import_yaml_word(t, one, "group_id");
		struct import_client *c = g ? NULL : import_add_client(m, name);
		bool good = true;
		if (g && strcmp(of, group) == 0)
			good = import_add_group_client(m, g, ip, name);
		else if (c)
			good = import_add_client_member(m, c, ip);
		if (!good)
			import_miss(
				m, name, "`%.60s` is no address, so the client is left out", ip);
	}
}

static void group_take(
	struct import_model *m, const struct yaml_tree *t, const struct yaml_place *one)
{
	const char *id = import_yaml_word(t, one, "id");
	const struct yaml_place *lists = import_yaml_get(t, one, "blocklist");
	const char *inherit = import_yaml_word(t, lists, "inherit_global");
	struct import_group *g = import_add_group(
		m, import_yaml_word(t, one, "name"), import_yaml_word(t, one, "description"));
	if (!g)
		return;
	if (lists && strcmp(inherit, "false") == 0) {
		g->own_lists = true;
		sources_take(m, t, import_yaml_get(t, lists, "sources"), &g->lists);
		if (m->allow.count || m->deny.count)
			import_miss(
				m, g->name, "the entries of `blocking` apply to this group, too");
	}
	entries_take(m, t, import_yaml_get(t, lists, "allowlist"), &g->allow);
	entries_take(m, t, import_yaml_get(t, lists, "denylist"), &g->deny);
	times_note(m, t, lists, g->name);
	search_take(m, t, import_yaml_get(t, one, "safe_search"), &g->safe_search);
	g->no_cache = import_yaml_flag(t, one, "disable_cache");
	clients_take(m, t, id, g);
}

// In weir every list applies to clients without a group. Where a group has a list of its own, those
// clients become a group with the lists of all.
static void everyone_make(struct import_model *m, unsigned lists)
{
	if (m->list_count == lists)
		return;
	struct import_group *g = import_add_group(m, "default", "every other client");
	if (!g)
		return;
	(void)import_add_group_client(m, g, "0.0.0.0/0", NULL);
	(void)import_add_group_client(m, g, "::/0", NULL);
	for (unsigned i = 0; i < m->group_count; i++) {
		if (m->group[i].own_lists)
			continue;
		m->group[i].own_lists = true;
		for (unsigned k = 0; k < lists; k++)
			import_items_add(m, &m->group[i].lists, m->list[k].name, NULL);
	}
}

static void others_note(struct import_model *m, const struct yaml_tree *t)
{
	static const struct {
		const char *path, *text;
	} other[] = {
		{"cache.redis.address", "weir's own format in Redis is another one: set `redis` "
					"(docs/reference/config.md#redis)"},
		{"query_store.address", "ClickHouse: set query_log.clickhouse "
					"(docs/how-to/clickhouse.md); its table is another one"},
		{"doh_dot_server.cert_file", "set `tls`, `dot` and `doh` (docs/how-to/dot.md)"},
		{"webhooks", "set query_log.webhooks"},
		{"sync.role", "boxes of weir share no configuration: copy the file"},
		{"control.token",
			"the control socket of weir is a Unix socket; its group decides"}};
	for (size_t i = 0; i < ARRAY_LEN(other); i++) {
		const struct yaml_place *n = top(t, other[i].path);
		if (*import_yaml_text(n) || import_yaml_count(n))
			import_miss(m, other[i].path, "%s", other[i].text);
	}
	times_note(m, t, top(t, "blocklists"), "blocklists");
}

int import_beyond_ads(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX])
{
	struct yaml_tree *t;
	int rc = import_yaml_read(&t, path, why);
	if (rc < 0)
		return rc;
	if (!top(t, "blocklists") && !top(t, "upstreams")) {
		snprintf(
			why, IMPORT_WHY_MAX, "%.250s: is no configuration of beyond-ads-dns", path);
		import_yaml_free(t);
		return -EINVAL;
	}
	const struct yaml_place *groups = top(t, "client_groups");
	sources_take(m, t, top(t, "blocklists.sources"), NULL);
	entries_take(m, t, top(t, "blocklists.allowlist"), &m->allow);
	entries_take(m, t, top(t, "blocklists.denylist"), &m->deny);
	values_take(m, t);
	upstreams_take(m, t);
	records_take(m, t);
	search_take(m, t, top(t, "safe_search"), &m->safe_search);
	clients_take(m, t, "", NULL);
	const unsigned lists = m->list_count;
	for (size_t i = 0; i < import_yaml_count(groups); i++)
		group_take(m, t, import_yaml_at(t, groups, i));
	everyone_make(m, lists);
	others_note(m, t);
	import_yaml_free(t);
	return 0;
}
