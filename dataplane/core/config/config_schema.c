// SPDX-License-Identifier: BSD-3-Clause

#include "config_schema.h"

#include "config_keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/config.h>
#include <weir/config/managed.h>
#include <weir/config/shared.h>
#include <weir/text.h>

// Fields: a key with one text; with a list of texts, or of mappings; with a mapping.
#define TEXT(key_)                                     \
	{                                              \
		.key = #key_, .kind = CONFIG_NODE_TEXT \
	}
#define TEXTS(key_, max_)                                           \
	{                                                           \
		.key = #key_, .kind = CONFIG_NODE_LIST, .max = max_ \
	}
#define ITEMS(key_, item_, max_)                                                          \
	{                                                                                 \
		.key = #key_, .kind = CONFIG_NODE_LIST, .max = max_, .keys = item_##_keys \
	}
// Items that differ by their first key.
#define NAMED(key_, item_, max_)                                                           \
	{                                                                                  \
		.key = #key_, .kind = CONFIG_NODE_LIST, .max = max_, .keys = item_##_keys, \
		.is_named = true                                                           \
	}
// Such items that may be the text of that key alone.
#define NAMED_BY(key_, text_key_, item_, max_)                                             \
	{                                                                                  \
		.key = #key_, .kind = CONFIG_NODE_LIST, .max = max_, .keys = item_##_keys, \
		.is_named = true, .text_key = #text_key_                                   \
	}
// Items that differ by the domain name at their first key, `name`.
#define ZONES(key_, item_, max_, text_key_)                                                \
	{                                                                                  \
		.key = #key_, .kind = CONFIG_NODE_LIST, .max = max_, .keys = item_##_keys, \
		.is_named = true, .is_zone = true, .text_key = text_key_                   \
	}
#define KEYS(key_, mapping_)                                                       \
	{                                                                          \
		.key = #key_, .kind = CONFIG_NODE_MAPPING, .keys = mapping_##_keys \
	}
#define END                 \
	{                   \
		.key = NULL \
	}

#define ROW(section, key, ...) TEXT(key),
// A section of keys with one value each (config_keys.h).
#define PLAIN(section, ROWS) static const struct config_field section##_keys[] = {ROWS(ROW) END};

static const struct config_field port_keys[] = {TEXT(device), TEXT(exception),
	TEXTS(macs, CONFIG_PORT_MACS_MAX), TEXTS(vlans, CONFIG_PORT_VLANS_MAX), TEXT(xdp), END};

static const struct config_field list_keys[] = {TEXT(name), TEXT(path), TEXT(url), TEXT(format),
	TEXT(allow), TEXT(force), TEXT(exact), TEXT(tsig), TEXT(ca_file),
	TEXTS(pin, CONFIG_PINS_MAX), END};

static const struct config_field tsig_key_keys[] = {
	TEXT(name), TEXT(algorithm), TEXT(secret_file), END};

static const struct config_field safe_search_keys[] = {
	TEXT(all),
#define X(word, id) TEXT(word),
	SAFE_ENGINES(X)
#undef X
		END,
};

static const struct config_field schedule_keys[] = {TEXT(name), TEXT(from), TEXT(to),
	TEXT(time_zone), TEXT(pause), TEXT(block_all), TEXTS(days, 7),
	TEXTS(lists, CONFIG_LISTS_MAX), TEXTS(services, SERVICE_COUNT),
	TEXTS(domains, CONFIG_SCHEDULE_DOMAINS_MAX), END};

// The keys that `blocking` and groups share.
#define FILTER                                                          \
	TEXTS(services, SERVICE_COUNT), KEYS(safe_search, safe_search), \
		NAMED(schedules, schedule, CONFIG_SCHEDULES_MAX - 1), KEYS(family_time, schedule)

static const struct config_field server_keys[] = {
	TEXT(address), TEXT(name), TEXT(weight), TEXT(trust_ad), TEXTS(pin, CONFIG_PINS_MAX), END};

PLAIN(runtime, CONFIG_KEYS_RUNTIME)

static const struct config_field dataplane_keys[] = {
	CONFIG_KEYS_DATAPLANE(ROW) TEXTS(worker_lcores, CONFIG_WORKERS_MAX),
	NAMED(ports, port, CONFIG_PORTS_MAX),
	TEXTS(service_addresses, CONFIG_ADDRESSES_MAX),
	TEXTS(virtual_addresses, CONFIG_ADDRESSES_MAX),
	END,
};

PLAIN(cache, CONFIG_KEYS_CACHE)
PLAIN(refresh, CONFIG_KEYS_REFRESH)

static const struct config_field rebinding_keys[] = {
	TEXT(enabled), TEXTS(allow, CONFIG_ENTRIES_MAX), END};

static const struct config_field blocking_update_keys[] = {
	CONFIG_KEYS_BLOCKING_UPDATE(ROW) TEXTS(bootstrap, CONFIG_UPSTREAMS_MAX),
	END,
};

static const struct config_field blocking_keys[] = {
	CONFIG_KEYS_BLOCKING(ROW) TEXT(ipv4),
	TEXT(ipv6),
	KEYS(update, blocking_update),
	NAMED(lists, list, CONFIG_LISTS_MAX),
	TEXTS(disabled_lists, CONFIG_LISTS_MAX),
	NAMED(tsig_keys, tsig_key, CONFIG_TSIG_KEYS_MAX),
	TEXTS(allow, CONFIG_ENTRIES_MAX),
	TEXTS(deny, CONFIG_ENTRIES_MAX),
	TEXTS(types, CONFIG_BLOCKED_TYPES_MAX),
	TEXTS(https_strip, CONFIG_HTTPS_STRIP_MAX),
	KEYS(rebinding, rebinding),
	FILTER,
	END,
};

static const struct config_field upstreams_keys[] = {
	CONFIG_KEYS_UPSTREAMS(ROW) NAMED_BY(servers, address, server, CONFIG_UPSTREAMS_MAX),
	TEXTS(source, CONFIG_SOURCES_MAX),
	TEXTS(bootstrap, CONFIG_BOOTSTRAP_MAX),
	END,
};

static const struct config_field limits_keys[] = {
	CONFIG_KEYS_LIMITS(ROW) TEXTS(unlimited_clients, CONFIG_UNLIMITED_MAX),
	TEXTS(unlimited_zones, CONFIG_UNLIMITED_MAX),
	END,
};

PLAIN(tcp, CONFIG_KEYS_TCP)

static const struct config_field certificate_keys[] = {TEXT(cert), TEXT(key), END};

static const struct config_field tls_keys[] = {
	CONFIG_KEYS_TLS(ROW) ITEMS(certificates, certificate, CONFIG_CERTIFICATES_MAX),
	END,
};

PLAIN(dot, CONFIG_KEYS_DOT)
PLAIN(doh, CONFIG_KEYS_DOH)

static const struct config_field proxy_protocol_keys[] = {TEXTS(from, CONFIG_BALANCERS_MAX), END};

PLAIN(controlplane, CONFIG_KEYS_CONTROLPLANE)
PLAIN(fallback, CONFIG_KEYS_FALLBACK)
PLAIN(identity, CONFIG_KEYS_IDENTITY)
PLAIN(updates, CONFIG_KEYS_UPDATES)
PLAIN(ipv6, CONFIG_KEYS_IPV6)

static const struct config_field sync_keys[] = {
	CONFIG_KEYS_SYNC(ROW) TEXTS(own, CONFIG_SHARED_COUNT),
	TEXTS(waves, CONFIG_WAVES_MAX),
	TEXTS(canaries, CONFIG_CANARIES_MAX),
	TEXTS(trusted_keys, CONFIG_TRUSTED_KEYS_MAX),
	END,
};

static const struct config_field metrics_keys[] = {
	CONFIG_KEYS_METRICS(ROW) TEXTS(allow, CONFIG_METRICS_ALLOW_MAX),
	TEXTS(hosts, CONFIG_METRICS_HOSTS_MAX),
	END,
};

static const struct config_field control_client_keys[] = {TEXT(name), TEXT(role), END};

static const struct config_field control_keys[] = {
	CONFIG_KEYS_CONTROL(ROW) TEXTS(listen, CONFIG_CONTROL_LISTEN_MAX),
	TEXTS(allow, CONFIG_CONTROL_ALLOW_MAX),
	ITEMS(certificates, certificate, CONFIG_CERTIFICATES_MAX),
	NAMED(clients, control_client, CONFIG_CONTROL_CLIENTS_MAX),
	END,
};

static const struct config_field access_keys[] = {
	CONFIG_KEYS_ACCESS(ROW) TEXTS(allow, CONFIG_ACCESS_MAX),
	TEXTS(deny, CONFIG_ACCESS_MAX),
	TEXTS(unlimited, CONFIG_ACCESS_MAX),
	END,
};

static const struct config_field cookies_keys[] = {
	CONFIG_KEYS_COOKIES(ROW) TEXTS(secrets, DNS_COOKIE_SECRETS_MAX),
	END,
};

static const struct config_field dnssec_keys[] = {
	CONFIG_KEYS_DNSSEC(ROW) TEXTS(negative_anchors, CONFIG_NEGATIVE_MAX),
	END,
};

static const struct config_field redis_keys[] = {
	CONFIG_KEYS_REDIS(ROW) TEXTS(addresses, CONFIG_REDIS_ADDRESSES_MAX),
	END,
};

static const struct config_field client_keys[] = {
	TEXT(name), TEXTS(addresses, CONFIG_PREFIXES_MAX), TEXTS(macs, CONFIG_MACS_MAX), END};

static const struct config_field block_keys[] = {
	TEXT(mode), TEXT(ttl), TEXT(ipv4), TEXT(ipv6), END};

static const struct config_field record_keys[] = {
	TEXT(name), TEXT(type), TEXT(value), TEXT(ttl), END};

static const struct config_field zone_keys[] = {TEXT(name), TEXT(unknown), END};

static const struct config_field local_keys[] = {
	CONFIG_KEYS_LOCAL(ROW) ITEMS(records, record, CONFIG_RECORDS_MAX),
	TEXTS(hosts_files, CONFIG_HOSTS_FILES_MAX),
	ZONES(zones, zone, CONFIG_LOCAL_ZONES_MAX, "name"),
	END,
};

PLAIN(query_log_store, CONFIG_KEYS_QUERY_LOG_STORE)

static const struct config_field query_log_clickhouse_keys[] = {
	CONFIG_KEYS_QUERY_LOG_CLICKHOUSE(ROW) TEXTS(urls, CONFIG_CLICKHOUSE_URLS_MAX),
	END,
};

PLAIN(query_log_requests, CONFIG_KEYS_QUERY_LOG_REQUESTS)
PLAIN(query_log_dnstap, CONFIG_KEYS_QUERY_LOG_DNSTAP)

static const struct config_field webhook_keys[] = {TEXT(url), TEXT(form), TEXT(on_block),
	TEXT(on_error), TEXT(summary), TEXT(per_minute), TEXT(ca_file), END};

static const struct config_field query_log_keys[] = {
	KEYS(requests, query_log_requests),
	KEYS(dnstap, query_log_dnstap),
	NAMED_BY(webhooks, url, webhook, CONFIG_WEBHOOKS_MAX),
	KEYS(clickhouse, query_log_clickhouse),
	KEYS(store, query_log_store),
	CONFIG_KEYS_QUERY_LOG(ROW) TEXTS(exclude_domains, CONFIG_LOG_EXCLUDE_MAX),
	TEXTS(exclude_clients, CONFIG_LOG_EXCLUDE_MAX),
	END,
};

static const struct config_field event_webhook_keys[] = {TEXT(url), TEXT(form), TEXT(severity),
	TEXT(per_minute), TEXT(ca_file), TEXTS(kinds, EVENT_KIND_COUNT), END};

static const struct config_field client_names_keys[] = {
	CONFIG_KEYS_CLIENT_NAMES(ROW) TEXTS(lease_files, CONFIG_LEASE_FILES_MAX),
	TEXTS(ptr_servers, CONFIG_CLIENT_PTR_MAX), END};

static const struct config_field events_keys[] = {
	CONFIG_KEYS_EVENTS(ROW) NAMED_BY(webhooks, url, event_webhook, CONFIG_WEBHOOKS_MAX),
	END,
};

static const struct config_field forward_keys[] = {TEXT(name), TEXT(exempt), TEXT(policy),
	TEXT(race), TEXT(trust_ad), TEXT(client_subnet_ipv4), TEXT(client_subnet_ipv6),
	TEXTS(servers, CONFIG_UPSTREAMS_MAX), END};

static const struct config_field group_keys[] = {TEXT(name), TEXT(disable_cache), TEXT(blocking),
	TEXT(inherit), TEXT(upstream_policy), TEXT(upstream_race),
	TEXT(upstream_client_subnet_ipv4), TEXT(upstream_client_subnet_ipv6), TEXT(dns64),
	TEXT(filter_aaaa), TEXTS(clients, CONFIG_MEMBERS_MAX), TEXTS(vlans, CONFIG_VLAN_MAX),
	TEXTS(client_names, CONFIG_CLIENT_NAMES_MAX), TEXTS(allow, CONFIG_GROUP_ENTRIES_MAX),
	TEXTS(deny, CONFIG_GROUP_ENTRIES_MAX), KEYS(block, block), FILTER,
	TEXTS(lists, CONFIG_LISTS_MAX), NAMED_BY(upstreams, address, server, CONFIG_UPSTREAMS_MAX),
	ITEMS(local_records, record, CONFIG_RECORDS_MAX),
	ZONES(forward_zones, forward, CONFIG_FORWARD_ZONES_MAX, NULL), END};

static const struct config_field entry_keys[] = {TEXT(name), TEXT(verdict), TEXT(invert),
	TEXTS(types, CONFIG_BLOCKED_TYPES_MAX), TEXT(reply), TEXT(group), TEXT(until), TEXT(why),
	END};

static const struct config_field member_keys[] = {TEXT(group), TEXT(client), END};

const struct config_field config_schema[] = {
	TEXT(version),
	TEXTS(include, CONFIG_INCLUDE_MAX),
	KEYS(runtime, runtime),
	KEYS(dataplane, dataplane),
	KEYS(cache, cache),
	KEYS(refresh, refresh),
	KEYS(blocking, blocking),
	KEYS(upstreams, upstreams),
	KEYS(limits, limits),
	KEYS(tcp, tcp),
	KEYS(tls, tls),
	KEYS(dot, dot),
	KEYS(doh, doh),
	KEYS(proxy_protocol, proxy_protocol),
	KEYS(controlplane, controlplane),
	KEYS(fallback, fallback),
	KEYS(access, access),
	KEYS(cookies, cookies),
	KEYS(dnssec, dnssec),
	KEYS(identity, identity),
	KEYS(ipv6, ipv6),
	KEYS(metrics, metrics),
	KEYS(control, control),
	KEYS(redis, redis),
	NAMED(clients, client, CONFIG_CLIENTS_MAX),
	KEYS(local, local),
	KEYS(query_log, query_log),
	KEYS(client_names, client_names),
	KEYS(events, events),
	KEYS(updates, updates),
	KEYS(sync, sync),
	ZONES(forward_zones, forward, CONFIG_FORWARD_ZONES_MAX, NULL),
	NAMED(groups, group, CONFIG_GROUPS_MAX),
	ITEMS(entries, entry, CONFIG_DATED_MAX),
	ITEMS(group_members, member, CONFIG_MEMBERS_MAX),
	{.key = "overrides", .kind = CONFIG_NODE_MAPPING, .keys = config_schema},
	TEXTS(unset, CONFIG_UNSET_MAX),
	END,
};

// A walk through nodes and schema: the path so far, and the worst result.
struct walk {
	struct config_doc *doc;
	char path[CONFIG_PATH_MAX];
	unsigned unknown; // keys that were refused
	int rc;
};

const struct config_field *config_field_find(const struct config_field *keys, const char *key)
{
	while (keys->key && strcmp(keys->key, key) != 0)
		keys++;
	return keys->key ? keys : NULL;
}

// The known key that resembles `key`; NULL: no key does.
static const char *field_near(const struct config_field *keys, const char *key)
{
	struct text_near near;
	text_near_begin(&near, key);
	for (; keys->key; keys++)
		text_near_try(&near, keys->key);
	return near.best;
}

// Writes the end of an error, with `word` in it; "" without a word.
static const char *tail_of(char out[2 * CONFIG_KEY_MAX], const char *fmt, const char *word)
	__attribute__((format(printf, 2, 0)));
static const char *tail_of(char out[2 * CONFIG_KEY_MAX], const char *fmt, const char *word)
{
	out[0] = '\0';
	if (word)
		snprintf(out, 2 * CONFIG_KEY_MAX, fmt, word);
	return out;
}

// Refuses each key of a mapping that the schema does not know, and continues below known keys.
static void unknown_refuse(
	struct walk *w, const struct config_node *n, const struct config_field *keys)
{
	char tail[2 * CONFIG_KEY_MAX];
	if (n->kind == CONFIG_NODE_TEXT || !keys)
		return;
	for (unsigned i = 0; i < n->count && w->unknown < CONFIG_ERRORS_MAX; i++) {
		const struct config_node *child = n->child[i];
		const bool is_item = n->kind == CONFIG_NODE_LIST;
		const struct config_field *f = is_item ? NULL : config_field_find(keys, child->key);
		const size_t len = config_path_add(w->path, child->key, i);
		if (is_item && child->kind == CONFIG_NODE_MAPPING) {
			unknown_refuse(w, child, keys);
		} else if (!is_item && !f) {
			(void)config_refuse_node(w->doc, child, w->path,
				tail_of(tail, "; did you mean \"%s\"?",
					field_near(keys, child->key)),
				"unknown key");
			w->unknown++;
		} else if (!is_item && (child->kind == f->kind)) {
			unknown_refuse(w, child, f->keys);
		}
		w->path[len] = '\0';
	}
}

static int version_check(const struct config_doc *doc, const char *text)
{
	int64_t version = 0;
	int rc = config_number_parse(doc, "version", text, 1, UINT32_MAX, &version);
	if (rc == 0 && version > CONFIG_VERSION)
		rc = config_refuse(doc, "version",
			"%lld is newer than this weir, which knows version %d; install a newer "
			"weir, or use a file of version %d",
			(long long)version, CONFIG_VERSION, CONFIG_VERSION);
	return rc;
}

// A node of another kind than the schema's, and a list that is too long, end the walk.
static int shape_refuse(
	struct walk *w, const struct config_node *n, const char *reason, const char *tail)
{
	return config_refuse_node(w->doc, n, w->path[0] ? w->path : "document", tail, "%s", reason);
}

static int text_check(struct walk *w, const struct config_node *n)
{
	return n->kind == CONFIG_NODE_TEXT
		       ? 0
		       : shape_refuse(w, n, "expected one value",
			       n->kind == CONFIG_NODE_LIST ? "; this is a list"
							   : "; there are keys below it");
}

static int mapping_check(
	struct walk *w, const struct config_node *n, const struct config_field *keys);

static int item_check(struct walk *w, struct config_node *item, const struct config_field *f)
{
	int rc = 0;
	if (!f->keys)
		return text_check(w, item);
	if (f->text_key && item->kind == CONFIG_NODE_TEXT && *item->text)
		rc = config_node_name(&w->doc->tree, item, f->text_key);
	return rc == 0 ? mapping_check(w, item, f->keys) : rc;
}

// A single value counts as a list with one item.
static int list_check(struct walk *w, struct config_node *n, const struct config_field *f)
{
	char tail[2 * CONFIG_KEY_MAX];
	int rc = 0;
	if (n->kind == CONFIG_NODE_TEXT && (!f->keys || f->text_key))
		rc = config_node_wrap(&w->doc->tree, n);
	else if (n->kind != CONFIG_NODE_LIST)
		rc = shape_refuse(w, n, "expected a list",
			f->keys ? tail_of(tail, "; write lines such as \"- %s: ...\"", f->keys->key)
				: "; write [a, b], or lines that begin with \"- \"");
	for (unsigned i = 0; rc == 0 && i < n->count; i++) {
		if (i == f->max)
			return config_refuse_node(
				w->doc, n, w->path, "", "more than %u entries", f->max);
		const size_t len = config_path_add(w->path, NULL, i);
		rc = item_check(w, n->child[i], f);
		w->path[len] = '\0';
	}
	return rc;
}

static int field_check(struct walk *w, struct config_node *n, const struct config_field *f)
{
	if (f->kind == CONFIG_NODE_TEXT)
		return text_check(w, n);
	if (config_node_is_empty(n))
		return 0;
	return f->kind == CONFIG_NODE_LIST ? list_check(w, n, f) : mapping_check(w, n, f->keys);
}

// Skips unknown keys, which unknown_refuse has refused.
static int mapping_check(
	struct walk *w, const struct config_node *n, const struct config_field *keys)
{
	char tail[2 * CONFIG_KEY_MAX];
	int rc = 0;
	if (n->kind != CONFIG_NODE_MAPPING)
		return shape_refuse(w, n, "expected keys below it",
			tail_of(tail, "; write lines such as \"%s: ...\" there", keys->key));
	for (unsigned i = 0; i < n->count && rc == 0; i++) {
		struct config_node *child = n->child[i];
		const struct config_field *f = config_field_find(keys, child->key);
		const size_t len = config_path_add(w->path, child->key, 0);
		if (f)
			rc = field_check(w, child, f);
		w->path[len] = '\0';
	}
	return rc;
}

int config_schema_read(struct config_doc *doc)
{
	struct walk w = {.doc = doc};
	int rc = config_tree_read(doc, &doc->tree);
	if (rc < 0 || !doc->tree.root)
		return rc;
	const char *version = config_node_text(doc->tree.root, "version");
	if (version)
		rc = version_check(doc, version);
	// A file of a refused version may have keys that only that version knows.
	if (rc == 0 && doc->tree.root->kind == CONFIG_NODE_MAPPING)
		unknown_refuse(&w, doc->tree.root, config_schema);
	return rc;
}

int config_schema_check(struct config_doc *doc)
{
	struct walk w = {.doc = doc};
	struct config_node *root = doc->tree.root;
	if (config_node_is_empty(root) && !doc->is_included)
		return config_refuse(doc, "document", "is empty");
	return config_node_is_empty(root) ? 0 : mapping_check(&w, root, config_schema);
}

// Merges the nodes of one key, of the part into the document.
static int nodes_merge(struct walk *w, const struct config_doc *part, struct config_node *to,
	struct config_node *from, const struct config_field *f);

static int mappings_merge(struct walk *w, const struct config_doc *part, struct config_node *to,
	const struct config_node *from, const struct config_field *keys)
{
	int rc = 0;
	for (unsigned i = 0; i < from->count && rc != -ENOMEM; i++) {
		struct config_node *child = from->child[i], *own = config_node_find(to, child->key);
		const struct config_field *f = config_field_find(keys, child->key);
		const size_t len = config_path_add(w->path, child->key, 0);
		if (!f || !own)
			rc = config_worse(rc, config_node_move(&w->doc->tree, to, child));
		else
			rc = config_worse(rc, nodes_merge(w, part, own, child, f));
		w->path[len] = '\0';
	}
	return rc;
}

static int lists_merge(struct walk *w, const struct config_doc *part, struct config_node *to,
	const struct config_node *from, const struct config_field *f)
{
	if (to->count + from->count > f->max)
		return config_refuse_node(part, from, w->path, "",
			"more than %u entries, with those of other files", f->max);
	int rc = 0;
	for (unsigned i = 0; i < from->count && rc == 0; i++)
		rc = config_node_move(&w->doc->tree, to, from->child[i]);
	return rc;
}

static int nodes_merge(struct walk *w, const struct config_doc *part, struct config_node *to,
	struct config_node *from, const struct config_field *f)
{
	if (f->kind == CONFIG_NODE_TEXT)
		return config_refuse_node(part, from, w->path, "",
			"has a value in another file, too: %s:%u:%u",
			config_doc_file(w->doc, to->file)->path, to->line, to->column);
	if (config_node_is_empty(from))
		return 0;
	if (config_node_is_empty(to)) {
		to->kind = from->kind;
		to->count = 0;
	}
	return f->kind == CONFIG_NODE_LIST ? lists_merge(w, part, to, from, f)
					   : mappings_merge(w, part, to, from, f->keys);
}

int config_schema_merge(struct config_doc *doc, const struct config_doc *part)
{
	struct walk w = {.doc = doc};
	struct config_node *from = part->tree.root;
	if (config_node_is_empty(from))
		return 0;
	return mappings_merge(&w, part, doc->tree.root, from, config_schema);
}
