// SPDX-License-Identifier: BSD-3-Clause

#include "config_schema.h"

#include "config_keys.h"

#include <weir/config.h>

// A key with one text; with a list of texts, or of mappings; with a mapping.
#define RAW_TEXT(struct_, key_)                                                                  \
	{                                                                                        \
		.key = #key_, .kind = CONFIG_NODE_TEXT, .offset = offsetof(struct struct_, key_) \
	}
#define RAW_LIST(struct_, key_, member_, max_, ...)                                    \
	{                                                                              \
		.key = #key_, .kind = CONFIG_NODE_LIST, .max = max_,                   \
		.offset = offsetof(struct struct_, member_),                           \
		.count_offset = offsetof(struct struct_, member_##_count), __VA_ARGS__ \
	}
#define RAW_TEXTS(struct_, key_, max_) RAW_LIST(struct_, key_, key_, max_, .fields = NULL)
#define RAW_ITEMS_AT(struct_, key_, member_, entry_, max_)                                 \
	RAW_LIST(struct_, key_, member_, max_, .size = sizeof(struct config_raw_##entry_), \
		.fields = raw_##entry_##_fields)
#define RAW_ITEMS(struct_, key_, entry_, max_) RAW_ITEMS_AT(struct_, key_, key_, entry_, max_)
#define RAW_MAPPING(struct_, key_, member_, fields_)                               \
	{                                                                          \
		.key = #key_, .kind = CONFIG_NODE_MAPPING,                         \
		.offset = offsetof(struct struct_, member_),                       \
		.size = sizeof(*((struct struct_ *)0)->member_), .fields = fields_ \
	}
#define RAW_END             \
	{                   \
		.key = NULL \
	}

#define RAW_KEY(section, key, ...) RAW_TEXT(config_raw_##section, key),
// A section of keys with one value each.
#define RAW_PLAIN(section, KEYS)                                      \
	static const struct config_field raw_##section##_fields[] = { \
		KEYS(RAW_KEY) RAW_END,                                \
	};

static const struct config_field raw_port_fields[] = {RAW_TEXT(config_raw_port, device),
	RAW_TEXT(config_raw_port, exception),
	RAW_TEXTS(config_raw_port, macs, CONFIG_PORT_MACS_MAX),
	RAW_TEXTS(config_raw_port, vlans, CONFIG_PORT_VLANS_MAX), RAW_TEXT(config_raw_port, xdp),
	RAW_END};

static const struct config_field raw_list_fields[] = {RAW_TEXT(config_raw_list, name),
	RAW_TEXT(config_raw_list, path), RAW_TEXT(config_raw_list, url),
	RAW_TEXT(config_raw_list, format), RAW_TEXT(config_raw_list, allow),
	RAW_TEXT(config_raw_list, force), RAW_TEXT(config_raw_list, exact),
	RAW_TEXT(config_raw_list, tsig), RAW_TEXT(config_raw_list, ca_file),
	RAW_TEXTS(config_raw_list, pin, CONFIG_PINS_MAX), RAW_END};

static const struct config_field raw_tsig_key_fields[] = {RAW_TEXT(config_raw_tsig_key, name),
	RAW_TEXT(config_raw_tsig_key, algorithm), RAW_TEXT(config_raw_tsig_key, secret_file),
	RAW_END};

static const struct config_field raw_safe_search_fields[] = {
	RAW_TEXT(config_raw_safe_search, all),
#define X(word, id) RAW_TEXT(config_raw_safe_search, word),
	SAFE_ENGINES(X)
#undef X
		RAW_END,
};

static const struct config_field raw_schedule_fields[] = {RAW_TEXT(config_raw_schedule, name),
	RAW_TEXT(config_raw_schedule, from), RAW_TEXT(config_raw_schedule, to),
	RAW_TEXT(config_raw_schedule, pause), RAW_TEXT(config_raw_schedule, block_all),
	RAW_TEXTS(config_raw_schedule, days, 7),
	RAW_TEXTS(config_raw_schedule, lists, CONFIG_LISTS_MAX),
	RAW_TEXTS(config_raw_schedule, services, SERVICE_COUNT),
	RAW_TEXTS(config_raw_schedule, domains, CONFIG_SCHEDULE_DOMAINS_MAX), RAW_END};

// The keys of a struct config_raw_filter, which is part of another one.
#define RAW_FILTER(struct_)                                                                        \
	RAW_LIST(struct_, services, filter.services, SERVICE_COUNT, .fields = NULL),               \
		RAW_MAPPING(struct_, safe_search, filter.safe_search, raw_safe_search_fields),     \
		RAW_ITEMS_AT(                                                                      \
			struct_, schedules, filter.schedules, schedule, CONFIG_SCHEDULES_MAX - 1), \
		RAW_MAPPING(struct_, family_time, filter.family_time, raw_schedule_fields)

static const struct config_field raw_server_fields[] = {RAW_TEXT(config_raw_server, address),
	RAW_TEXT(config_raw_server, name), RAW_TEXT(config_raw_server, weight),
	RAW_TEXT(config_raw_server, trust_ad), RAW_TEXTS(config_raw_server, pin, CONFIG_PINS_MAX),
	RAW_END};

RAW_PLAIN(runtime, CONFIG_KEYS_RUNTIME)

static const struct config_field raw_dataplane_fields[] = {
	CONFIG_KEYS_DATAPLANE(RAW_KEY)
		RAW_TEXTS(config_raw_dataplane, worker_lcores, CONFIG_WORKERS_MAX),
	RAW_ITEMS(config_raw_dataplane, ports, port, CONFIG_PORTS_MAX),
	RAW_TEXTS(config_raw_dataplane, service_addresses, CONFIG_ADDRESSES_MAX),
	RAW_END,
};

RAW_PLAIN(cache, CONFIG_KEYS_CACHE)
RAW_PLAIN(refresh, CONFIG_KEYS_REFRESH)

static const struct config_field raw_rebinding_fields[] = {RAW_TEXT(config_raw_rebinding, enabled),
	RAW_TEXTS(config_raw_rebinding, allow, CONFIG_ENTRIES_MAX), RAW_END};

static const struct config_field raw_blocking_update_fields[] = {
	CONFIG_KEYS_BLOCKING_UPDATE(RAW_KEY)
		RAW_TEXTS(config_raw_blocking_update, bootstrap, CONFIG_UPSTREAMS_MAX),
	RAW_END,
};

static const struct config_field raw_blocking_fields[] = {
	CONFIG_KEYS_BLOCKING(RAW_KEY) RAW_TEXT(config_raw_blocking, ipv4),
	RAW_TEXT(config_raw_blocking, ipv6),
	RAW_MAPPING(config_raw_blocking, update, update, raw_blocking_update_fields),
	RAW_ITEMS(config_raw_blocking, lists, list, CONFIG_LISTS_MAX),
	RAW_TEXTS(config_raw_blocking, disabled_lists, CONFIG_LISTS_MAX),
	RAW_ITEMS(config_raw_blocking, tsig_keys, tsig_key, CONFIG_TSIG_KEYS_MAX),
	RAW_TEXTS(config_raw_blocking, allow, CONFIG_ENTRIES_MAX),
	RAW_TEXTS(config_raw_blocking, deny, CONFIG_ENTRIES_MAX),
	RAW_MAPPING(config_raw_blocking, rebinding, rebinding, raw_rebinding_fields),
	RAW_FILTER(config_raw_blocking),
	RAW_END,
};

static const struct config_field raw_upstreams_fields[] = {
	CONFIG_KEYS_UPSTREAMS(RAW_KEY)
		RAW_ITEMS(config_raw_upstreams, servers, server, CONFIG_UPSTREAMS_MAX),
	RAW_TEXTS(config_raw_upstreams, source, CONFIG_SOURCES_MAX),
	RAW_TEXTS(config_raw_upstreams, bootstrap, CONFIG_BOOTSTRAP_MAX),
	RAW_END,
};

static const struct config_field raw_limits_fields[] = {
	CONFIG_KEYS_LIMITS(RAW_KEY)
		RAW_TEXTS(config_raw_limits, unlimited_clients, CONFIG_UNLIMITED_MAX),
	RAW_TEXTS(config_raw_limits, unlimited_zones, CONFIG_UNLIMITED_MAX),
	RAW_END,
};

RAW_PLAIN(tcp, CONFIG_KEYS_TCP)

static const struct config_field raw_certificate_fields[] = {
	RAW_TEXT(config_raw_certificate, cert), RAW_TEXT(config_raw_certificate, key), RAW_END};

static const struct config_field raw_tls_fields[] = {
	CONFIG_KEYS_TLS(RAW_KEY)
		RAW_ITEMS(config_raw_tls, certificates, certificate, CONFIG_CERTIFICATES_MAX),
	RAW_END,
};

RAW_PLAIN(dot, CONFIG_KEYS_DOT)
RAW_PLAIN(doh, CONFIG_KEYS_DOH)

static const struct config_field raw_proxy_protocol_fields[] = {
	RAW_TEXTS(config_raw_proxy_protocol, from, CONFIG_BALANCERS_MAX), RAW_END};

RAW_PLAIN(controlplane, CONFIG_KEYS_CONTROLPLANE)
RAW_PLAIN(fallback, CONFIG_KEYS_FALLBACK)
RAW_PLAIN(identity, CONFIG_KEYS_IDENTITY)
RAW_PLAIN(updates, CONFIG_KEYS_UPDATES)
RAW_PLAIN(ipv6, CONFIG_KEYS_IPV6)

static const struct config_field raw_metrics_fields[] = {
	CONFIG_KEYS_METRICS(RAW_KEY) RAW_TEXTS(config_raw_metrics, allow, CONFIG_METRICS_ALLOW_MAX),
	RAW_TEXTS(config_raw_metrics, hosts, CONFIG_METRICS_HOSTS_MAX),
	RAW_END,
};

static const struct config_field raw_control_client_fields[] = {
	RAW_TEXT(config_raw_control_client, name), RAW_TEXT(config_raw_control_client, role),
	RAW_END};

static const struct config_field raw_control_fields[] = {
	CONFIG_KEYS_CONTROL(RAW_KEY)
		RAW_TEXTS(config_raw_control, listen, CONFIG_CONTROL_LISTEN_MAX),
	RAW_TEXTS(config_raw_control, allow, CONFIG_CONTROL_ALLOW_MAX),
	RAW_ITEMS(config_raw_control, certificates, certificate, CONFIG_CERTIFICATES_MAX),
	RAW_ITEMS(config_raw_control, clients, control_client, CONFIG_CONTROL_CLIENTS_MAX),
	RAW_END,
};

static const struct config_field raw_access_fields[] = {
	CONFIG_KEYS_ACCESS(RAW_KEY) RAW_TEXTS(config_raw_access, allow, CONFIG_ACCESS_MAX),
	RAW_TEXTS(config_raw_access, deny, CONFIG_ACCESS_MAX),
	RAW_TEXTS(config_raw_access, unlimited, CONFIG_ACCESS_MAX),
	RAW_END,
};

static const struct config_field raw_cookies_fields[] = {
	CONFIG_KEYS_COOKIES(RAW_KEY) RAW_TEXTS(config_raw_cookies, secrets, DNS_COOKIE_SECRETS_MAX),
	RAW_END,
};

static const struct config_field raw_dnssec_fields[] = {
	CONFIG_KEYS_DNSSEC(RAW_KEY)
		RAW_TEXTS(config_raw_dnssec, negative_anchors, CONFIG_NEGATIVE_MAX),
	RAW_END,
};

static const struct config_field raw_redis_fields[] = {
	CONFIG_KEYS_REDIS(RAW_KEY)
		RAW_TEXTS(config_raw_redis, addresses, CONFIG_REDIS_ADDRESSES_MAX),
	RAW_END,
};

static const struct config_field raw_client_fields[] = {RAW_TEXT(config_raw_client, name),
	RAW_TEXTS(config_raw_client, addresses, CONFIG_PREFIXES_MAX),
	RAW_TEXTS(config_raw_client, macs, CONFIG_MACS_MAX), RAW_END};

static const struct config_field raw_block_fields[] = {RAW_TEXT(config_raw_block, mode),
	RAW_TEXT(config_raw_block, ttl), RAW_TEXT(config_raw_block, ipv4),
	RAW_TEXT(config_raw_block, ipv6), RAW_END};

static const struct config_field raw_record_fields[] = {RAW_TEXT(config_raw_record, name),
	RAW_TEXT(config_raw_record, type), RAW_TEXT(config_raw_record, value),
	RAW_TEXT(config_raw_record, ttl), RAW_END};

static const struct config_field raw_zone_fields[] = {
	RAW_TEXT(config_raw_zone, name), RAW_TEXT(config_raw_zone, unknown), RAW_END};

static const struct config_field raw_local_fields[] = {
	CONFIG_KEYS_LOCAL(RAW_KEY) RAW_ITEMS(config_raw_local, records, record, CONFIG_RECORDS_MAX),
	RAW_TEXTS(config_raw_local, hosts_files, CONFIG_HOSTS_FILES_MAX),
	RAW_ITEMS(config_raw_local, zones, zone, CONFIG_LOCAL_ZONES_MAX),
	RAW_END,
};

RAW_PLAIN(query_log_store, CONFIG_KEYS_QUERY_LOG_STORE)

static const struct config_field raw_query_log_clickhouse_fields[] = {
	CONFIG_KEYS_QUERY_LOG_CLICKHOUSE(RAW_KEY)
		RAW_TEXTS(config_raw_query_log_clickhouse, urls, CONFIG_CLICKHOUSE_URLS_MAX),
	RAW_END,
};

RAW_PLAIN(query_log_requests, CONFIG_KEYS_QUERY_LOG_REQUESTS)
RAW_PLAIN(query_log_dnstap, CONFIG_KEYS_QUERY_LOG_DNSTAP)

static const struct config_field raw_webhook_fields[] = {RAW_TEXT(config_raw_webhook, url),
	RAW_TEXT(config_raw_webhook, form), RAW_TEXT(config_raw_webhook, on_block),
	RAW_TEXT(config_raw_webhook, on_error), RAW_TEXT(config_raw_webhook, summary),
	RAW_TEXT(config_raw_webhook, per_minute), RAW_TEXT(config_raw_webhook, ca_file), RAW_END};

static const struct config_field raw_query_log_fields[] = {
	RAW_MAPPING(config_raw_query_log, requests, requests, raw_query_log_requests_fields),
	RAW_MAPPING(config_raw_query_log, dnstap, dnstap, raw_query_log_dnstap_fields),
	RAW_ITEMS(config_raw_query_log, webhooks, webhook, CONFIG_WEBHOOKS_MAX),
	RAW_MAPPING(config_raw_query_log, clickhouse, clickhouse, raw_query_log_clickhouse_fields),
	RAW_MAPPING(config_raw_query_log, store, store, raw_query_log_store_fields),
	CONFIG_KEYS_QUERY_LOG(RAW_KEY)
		RAW_TEXTS(config_raw_query_log, exclude_domains, CONFIG_LOG_EXCLUDE_MAX),
	RAW_TEXTS(config_raw_query_log, exclude_clients, CONFIG_LOG_EXCLUDE_MAX),
	RAW_END,
};

static const struct config_field raw_event_webhook_fields[] = {
	RAW_TEXT(config_raw_event_webhook, url), RAW_TEXT(config_raw_event_webhook, form),
	RAW_TEXT(config_raw_event_webhook, severity),
	RAW_TEXT(config_raw_event_webhook, per_minute), RAW_TEXT(config_raw_event_webhook, ca_file),
	RAW_TEXTS(config_raw_event_webhook, kinds, EVENT_KIND_COUNT), RAW_END};

static const struct config_field raw_client_names_fields[] = {
	CONFIG_KEYS_CLIENT_NAMES(RAW_KEY)
		RAW_TEXTS(config_raw_client_names, lease_files, CONFIG_LEASE_FILES_MAX),
	RAW_TEXTS(config_raw_client_names, ptr_servers, CONFIG_CLIENT_PTR_MAX), RAW_END};

static const struct config_field raw_events_fields[] = {
	CONFIG_KEYS_EVENTS(RAW_KEY)
		RAW_ITEMS(config_raw_events, webhooks, event_webhook, CONFIG_WEBHOOKS_MAX),
	RAW_END,
};

static const struct config_field raw_forward_fields[] = {RAW_TEXT(config_raw_forward, name),
	RAW_TEXT(config_raw_forward, exempt), RAW_TEXT(config_raw_forward, policy),
	RAW_TEXT(config_raw_forward, race), RAW_TEXT(config_raw_forward, trust_ad),
	RAW_TEXT(config_raw_forward, client_subnet_ipv4),
	RAW_TEXT(config_raw_forward, client_subnet_ipv6),
	RAW_TEXTS(config_raw_forward, servers, CONFIG_UPSTREAMS_MAX), RAW_END};

static const struct config_field raw_group_fields[] = {RAW_TEXT(config_raw_group, name),
	RAW_TEXT(config_raw_group, disable_cache), RAW_TEXT(config_raw_group, blocking),
	RAW_TEXT(config_raw_group, inherit), RAW_TEXT(config_raw_group, upstream_policy),
	RAW_TEXT(config_raw_group, upstream_race),
	RAW_TEXT(config_raw_group, upstream_client_subnet_ipv4),
	RAW_TEXT(config_raw_group, upstream_client_subnet_ipv6), RAW_TEXT(config_raw_group, dns64),
	RAW_TEXT(config_raw_group, filter_aaaa),
	RAW_TEXTS(config_raw_group, clients, CONFIG_PREFIXES_MAX + CONFIG_MACS_MAX),
	RAW_TEXTS(config_raw_group, vlans, CONFIG_VLAN_MAX),
	RAW_TEXTS(config_raw_group, client_names, CONFIG_CLIENT_NAMES_MAX),
	RAW_TEXTS(config_raw_group, allow, CONFIG_GROUP_ENTRIES_MAX),
	RAW_TEXTS(config_raw_group, deny, CONFIG_GROUP_ENTRIES_MAX),
	RAW_MAPPING(config_raw_group, block, block, raw_block_fields), RAW_FILTER(config_raw_group),
	RAW_TEXTS(config_raw_group, lists, CONFIG_LISTS_MAX),
	RAW_ITEMS(config_raw_group, upstreams, server, CONFIG_UPSTREAMS_MAX),
	RAW_ITEMS(config_raw_group, local_records, record, CONFIG_RECORDS_MAX),
	RAW_ITEMS(config_raw_group, forward_zones, forward, CONFIG_FORWARD_ZONES_MAX), RAW_END};

static const struct config_field raw_entry_fields[] = {RAW_TEXT(config_raw_entry, name),
	RAW_TEXT(config_raw_entry, verdict), RAW_TEXT(config_raw_entry, group),
	RAW_TEXT(config_raw_entry, until), RAW_TEXT(config_raw_entry, why), RAW_END};

static const struct config_field raw_member_fields[] = {
	RAW_TEXT(config_raw_member, group), RAW_TEXT(config_raw_member, client), RAW_END};

#define RAW_SECTION_FIELD(section) RAW_MAPPING(config_raw, section, section, raw_##section##_fields)

const struct config_field config_schema[] = {
	RAW_TEXT(config_raw, version),
	RAW_TEXTS(config_raw, include, CONFIG_INCLUDE_MAX),
	RAW_SECTION_FIELD(runtime),
	RAW_SECTION_FIELD(dataplane),
	RAW_SECTION_FIELD(cache),
	RAW_SECTION_FIELD(refresh),
	RAW_SECTION_FIELD(blocking),
	RAW_SECTION_FIELD(upstreams),
	RAW_SECTION_FIELD(limits),
	RAW_SECTION_FIELD(tcp),
	RAW_SECTION_FIELD(tls),
	RAW_SECTION_FIELD(dot),
	RAW_SECTION_FIELD(doh),
	RAW_SECTION_FIELD(proxy_protocol),
	RAW_SECTION_FIELD(controlplane),
	RAW_SECTION_FIELD(fallback),
	RAW_SECTION_FIELD(access),
	RAW_SECTION_FIELD(cookies),
	RAW_SECTION_FIELD(dnssec),
	RAW_SECTION_FIELD(identity),
	RAW_SECTION_FIELD(ipv6),
	RAW_SECTION_FIELD(metrics),
	RAW_SECTION_FIELD(control),
	RAW_SECTION_FIELD(redis),
	RAW_ITEMS(config_raw, clients, client, CONFIG_CLIENTS_MAX),
	RAW_SECTION_FIELD(local),
	RAW_SECTION_FIELD(query_log),
	RAW_SECTION_FIELD(client_names),
	RAW_SECTION_FIELD(events),
	RAW_SECTION_FIELD(updates),
	RAW_ITEMS(config_raw, forward_zones, forward, CONFIG_FORWARD_ZONES_MAX),
	RAW_ITEMS(config_raw, groups, group, CONFIG_GROUPS_MAX),
	RAW_ITEMS(config_raw, entries, entry, CONFIG_DATED_MAX),
	RAW_ITEMS(config_raw, group_members, member, CONFIG_PREFIXES_MAX + CONFIG_MACS_MAX),
	RAW_END,
};
