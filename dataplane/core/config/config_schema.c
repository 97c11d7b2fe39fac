// SPDX-License-Identifier: BSD-3-Clause

#include "config_schema.h"

#include "config_keys.h"
#include "config_raw.h"

#include <cyaml/cyaml.h>

#include <weir/config.h>

static const cyaml_schema_value_t raw_text = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};

static const cyaml_schema_field_t raw_port_fields[] = {RAW_TEXT(config_raw_port, device),
	RAW_TEXT(config_raw_port, exception),
	RAW_SEQUENCE(config_raw_port, macs, &raw_text, CONFIG_PORT_MACS_MAX),
	RAW_SEQUENCE(config_raw_port, vlans, &raw_text, CONFIG_PORT_VLANS_MAX),
	RAW_TEXT(config_raw_port, xdp), CYAML_FIELD_END};
RAW_ENTRY(port)

static const cyaml_schema_field_t raw_list_fields[] = {RAW_TEXT(config_raw_list, name),
	RAW_TEXT(config_raw_list, path), RAW_TEXT(config_raw_list, url),
	RAW_TEXT(config_raw_list, format), RAW_TEXT(config_raw_list, allow),
	RAW_TEXT(config_raw_list, force), RAW_TEXT(config_raw_list, exact),
	RAW_TEXT(config_raw_list, tsig), RAW_TEXT(config_raw_list, ca_file),
	RAW_SEQUENCE(config_raw_list, pin, &raw_text, CONFIG_PINS_MAX), CYAML_FIELD_END};
RAW_ENTRY(list)

static const cyaml_schema_field_t raw_tsig_key_fields[] = {RAW_TEXT(config_raw_tsig_key, name),
	RAW_TEXT(config_raw_tsig_key, algorithm), RAW_TEXT(config_raw_tsig_key, secret_file),
	CYAML_FIELD_END};
RAW_ENTRY(tsig_key)

static const cyaml_schema_field_t raw_safe_search_fields[] = {
	RAW_TEXT(config_raw_safe_search, all),
#define X(word, id) RAW_TEXT(config_raw_safe_search, word),
	SAFE_ENGINES(X)
#undef X
		CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_schedule_fields[] = {RAW_TEXT(config_raw_schedule, name),
	RAW_TEXT(config_raw_schedule, from), RAW_TEXT(config_raw_schedule, to),
	RAW_TEXT(config_raw_schedule, pause), RAW_TEXT(config_raw_schedule, block_all),
	RAW_SEQUENCE(config_raw_schedule, days, &raw_text, 7),
	RAW_SEQUENCE(config_raw_schedule, lists, &raw_text, CONFIG_LISTS_MAX),
	RAW_SEQUENCE(config_raw_schedule, services, &raw_text, SERVICE_COUNT),
	RAW_SEQUENCE(config_raw_schedule, domains, &raw_text, CONFIG_SCHEDULE_DOMAINS_MAX),
	CYAML_FIELD_END};
RAW_ENTRY(schedule)

// The keys of a struct config_raw_filter, which is part of another one.
#define RAW_FILTER(struct_)                                                                    \
	CYAML_FIELD_SEQUENCE("services", RAW_MAY_BE_EMPTY, struct struct_, filter.services,    \
		&raw_text, 0, SERVICE_COUNT),                                                  \
		RAW_MAPPING(struct_, safe_search, filter.safe_search, raw_safe_search_fields), \
		CYAML_FIELD_SEQUENCE("schedules", RAW_MAY_BE_EMPTY, struct struct_,            \
			filter.schedules, &raw_schedule, 0, CONFIG_SCHEDULES_MAX - 1),         \
		RAW_MAPPING(struct_, family_time, filter.family_time, raw_schedule_fields)

static const cyaml_schema_field_t raw_server_fields[] = {RAW_TEXT(config_raw_server, address),
	RAW_TEXT(config_raw_server, name), RAW_TEXT(config_raw_server, weight),
	RAW_TEXT(config_raw_server, trust_ad),
	RAW_SEQUENCE(config_raw_server, pin, &raw_text, CONFIG_PINS_MAX), CYAML_FIELD_END};
RAW_ENTRY(server)

RAW_PLAIN(runtime, CONFIG_KEYS_RUNTIME)

static const cyaml_schema_field_t raw_dataplane_fields[] = {
	CONFIG_KEYS_DATAPLANE(RAW_KEY)
		RAW_SEQUENCE(config_raw_dataplane, worker_lcores, &raw_text, CONFIG_WORKERS_MAX),
	RAW_SEQUENCE(config_raw_dataplane, ports, &raw_port, CONFIG_PORTS_MAX),
	RAW_SEQUENCE(config_raw_dataplane, service_addresses, &raw_text, CONFIG_ADDRESSES_MAX),
	CYAML_FIELD_END,
};

RAW_PLAIN(cache, CONFIG_KEYS_CACHE)
RAW_PLAIN(refresh, CONFIG_KEYS_REFRESH)

static const cyaml_schema_field_t raw_rebinding_fields[] = {RAW_TEXT(config_raw_rebinding, enabled),
	RAW_SEQUENCE(config_raw_rebinding, allow, &raw_text, CONFIG_ENTRIES_MAX), CYAML_FIELD_END};

static const cyaml_schema_field_t raw_blocking_update_fields[] = {
	CONFIG_KEYS_BLOCKING_UPDATE(RAW_KEY) RAW_SEQUENCE(
		config_raw_blocking_update, bootstrap, &raw_text, CONFIG_UPSTREAMS_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_blocking_fields[] = {
	CONFIG_KEYS_BLOCKING(RAW_KEY) RAW_TEXT(config_raw_blocking, ipv4),
	RAW_TEXT(config_raw_blocking, ipv6),
	CYAML_FIELD_MAPPING_PTR("update", RAW_MAY_BE_EMPTY, struct config_raw_blocking, update,
		raw_blocking_update_fields),
	RAW_SEQUENCE(config_raw_blocking, lists, &raw_list, CONFIG_LISTS_MAX),
	RAW_SEQUENCE(config_raw_blocking, disabled_lists, &raw_text, CONFIG_LISTS_MAX),
	RAW_SEQUENCE(config_raw_blocking, tsig_keys, &raw_tsig_key, CONFIG_TSIG_KEYS_MAX),
	RAW_SEQUENCE(config_raw_blocking, allow, &raw_text, CONFIG_ENTRIES_MAX),
	RAW_SEQUENCE(config_raw_blocking, deny, &raw_text, CONFIG_ENTRIES_MAX),
	RAW_MAPPING(config_raw_blocking, rebinding, rebinding, raw_rebinding_fields),
	RAW_FILTER(config_raw_blocking),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_upstreams_fields[] = {
	CONFIG_KEYS_UPSTREAMS(RAW_KEY)
		RAW_SEQUENCE(config_raw_upstreams, servers, &raw_server, CONFIG_UPSTREAMS_MAX),
	RAW_SEQUENCE(config_raw_upstreams, source, &raw_text, CONFIG_SOURCES_MAX),
	RAW_SEQUENCE(config_raw_upstreams, bootstrap, &raw_text, CONFIG_BOOTSTRAP_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_limits_fields[] = {
	CONFIG_KEYS_LIMITS(RAW_KEY)
		RAW_SEQUENCE(config_raw_limits, unlimited_clients, &raw_text, CONFIG_UNLIMITED_MAX),
	RAW_SEQUENCE(config_raw_limits, unlimited_zones, &raw_text, CONFIG_UNLIMITED_MAX),
	CYAML_FIELD_END,
};

RAW_PLAIN(tcp, CONFIG_KEYS_TCP)

static const cyaml_schema_field_t raw_certificate_fields[] = {
	RAW_TEXT(config_raw_certificate, cert), RAW_TEXT(config_raw_certificate, key),
	CYAML_FIELD_END};
RAW_ENTRY(certificate)

static const cyaml_schema_field_t raw_tls_fields[] = {
	CONFIG_KEYS_TLS(RAW_KEY) RAW_SEQUENCE(
		config_raw_tls, certificates, &raw_certificate, CONFIG_CERTIFICATES_MAX),
	CYAML_FIELD_END,
};

RAW_PLAIN(dot, CONFIG_KEYS_DOT)
RAW_PLAIN(doh, CONFIG_KEYS_DOH)

static const cyaml_schema_field_t raw_proxy_protocol_fields[] = {
	RAW_SEQUENCE(config_raw_proxy_protocol, from, &raw_text, CONFIG_BALANCERS_MAX),
	CYAML_FIELD_END};

RAW_PLAIN(controlplane, CONFIG_KEYS_CONTROLPLANE)
RAW_PLAIN(fallback, CONFIG_KEYS_FALLBACK)
RAW_PLAIN(identity, CONFIG_KEYS_IDENTITY)
RAW_PLAIN(updates, CONFIG_KEYS_UPDATES)
RAW_PLAIN(ipv6, CONFIG_KEYS_IPV6)

static const cyaml_schema_field_t raw_metrics_fields[] = {
	CONFIG_KEYS_METRICS(RAW_KEY)
		RAW_SEQUENCE(config_raw_metrics, allow, &raw_text, CONFIG_METRICS_ALLOW_MAX),
	RAW_SEQUENCE(config_raw_metrics, hosts, &raw_text, CONFIG_METRICS_HOSTS_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_control_client_fields[] = {
	RAW_TEXT(config_raw_control_client, name), RAW_TEXT(config_raw_control_client, role),
	CYAML_FIELD_END};
RAW_ENTRY(control_client)

static const cyaml_schema_field_t raw_control_fields[] = {
	CONFIG_KEYS_CONTROL(RAW_KEY)
		RAW_SEQUENCE(config_raw_control, listen, &raw_text, CONFIG_CONTROL_LISTEN_MAX),
	RAW_SEQUENCE(config_raw_control, allow, &raw_text, CONFIG_CONTROL_ALLOW_MAX),
	RAW_SEQUENCE(config_raw_control, certificates, &raw_certificate, CONFIG_CERTIFICATES_MAX),
	RAW_SEQUENCE(config_raw_control, clients, &raw_control_client, CONFIG_CONTROL_CLIENTS_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_access_fields[] = {
	CONFIG_KEYS_ACCESS(RAW_KEY)
		RAW_SEQUENCE(config_raw_access, allow, &raw_text, CONFIG_ACCESS_MAX),
	RAW_SEQUENCE(config_raw_access, deny, &raw_text, CONFIG_ACCESS_MAX),
	RAW_SEQUENCE(config_raw_access, unlimited, &raw_text, CONFIG_ACCESS_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_cookies_fields[] = {
	CONFIG_KEYS_COOKIES(RAW_KEY)
		RAW_SEQUENCE(config_raw_cookies, secrets, &raw_text, DNS_COOKIE_SECRETS_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_dnssec_fields[] = {
	CONFIG_KEYS_DNSSEC(RAW_KEY)
		RAW_SEQUENCE(config_raw_dnssec, negative_anchors, &raw_text, CONFIG_NEGATIVE_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_redis_fields[] = {
	CONFIG_KEYS_REDIS(RAW_KEY)
		RAW_SEQUENCE(config_raw_redis, addresses, &raw_text, CONFIG_REDIS_ADDRESSES_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_client_fields[] = {RAW_TEXT(config_raw_client, name),
	RAW_SEQUENCE(config_raw_client, addresses, &raw_text, CONFIG_PREFIXES_MAX),
	RAW_SEQUENCE(config_raw_client, macs, &raw_text, CONFIG_MACS_MAX), CYAML_FIELD_END};
RAW_ENTRY(client)

static const cyaml_schema_field_t raw_block_fields[] = {RAW_TEXT(config_raw_block, mode),
	RAW_TEXT(config_raw_block, ttl), RAW_TEXT(config_raw_block, ipv4),
	RAW_TEXT(config_raw_block, ipv6), CYAML_FIELD_END};

static const cyaml_schema_field_t raw_record_fields[] = {RAW_TEXT(config_raw_record, name),
	RAW_TEXT(config_raw_record, type), RAW_TEXT(config_raw_record, value),
	RAW_TEXT(config_raw_record, ttl), CYAML_FIELD_END};
RAW_ENTRY(record)

static const cyaml_schema_field_t raw_zone_fields[] = {
	RAW_TEXT(config_raw_zone, name), RAW_TEXT(config_raw_zone, unknown), CYAML_FIELD_END};
RAW_ENTRY(zone)

static const cyaml_schema_field_t raw_local_fields[] = {
	CONFIG_KEYS_LOCAL(RAW_KEY)
		RAW_SEQUENCE(config_raw_local, records, &raw_record, CONFIG_RECORDS_MAX),
	RAW_SEQUENCE(config_raw_local, hosts_files, &raw_text, CONFIG_HOSTS_FILES_MAX),
	RAW_SEQUENCE(config_raw_local, zones, &raw_zone, CONFIG_LOCAL_ZONES_MAX),
	CYAML_FIELD_END,
};

RAW_PLAIN(query_log_store, CONFIG_KEYS_QUERY_LOG_STORE)

static const cyaml_schema_field_t raw_query_log_clickhouse_fields[] = {
	CONFIG_KEYS_QUERY_LOG_CLICKHOUSE(RAW_KEY) RAW_SEQUENCE(
		config_raw_query_log_clickhouse, urls, &raw_text, CONFIG_CLICKHOUSE_URLS_MAX),
	CYAML_FIELD_END,
};

RAW_PLAIN(query_log_requests, CONFIG_KEYS_QUERY_LOG_REQUESTS)
RAW_PLAIN(query_log_dnstap, CONFIG_KEYS_QUERY_LOG_DNSTAP)

static const cyaml_schema_field_t raw_webhook_fields[] = {RAW_TEXT(config_raw_webhook, url),
	RAW_TEXT(config_raw_webhook, form), RAW_TEXT(config_raw_webhook, on_block),
	RAW_TEXT(config_raw_webhook, on_error), RAW_TEXT(config_raw_webhook, summary),
	RAW_TEXT(config_raw_webhook, per_minute), RAW_TEXT(config_raw_webhook, ca_file),
	CYAML_FIELD_END};
RAW_ENTRY(webhook)

static const cyaml_schema_field_t raw_query_log_fields[] = {
	RAW_MAPPING(config_raw_query_log, requests, requests, raw_query_log_requests_fields),
	RAW_MAPPING(config_raw_query_log, dnstap, dnstap, raw_query_log_dnstap_fields),
	RAW_SEQUENCE(config_raw_query_log, webhooks, &raw_webhook, CONFIG_WEBHOOKS_MAX),
	RAW_MAPPING(config_raw_query_log, clickhouse, clickhouse, raw_query_log_clickhouse_fields),
	CYAML_FIELD_MAPPING_PTR("store", RAW_MAY_BE_EMPTY, struct config_raw_query_log, store,
		raw_query_log_store_fields),
	CONFIG_KEYS_QUERY_LOG(RAW_KEY) RAW_SEQUENCE(
		config_raw_query_log, exclude_domains, &raw_text, CONFIG_LOG_EXCLUDE_MAX),
	RAW_SEQUENCE(config_raw_query_log, exclude_clients, &raw_text, CONFIG_LOG_EXCLUDE_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_event_webhook_fields[] = {
	RAW_TEXT(config_raw_event_webhook, url), RAW_TEXT(config_raw_event_webhook, form),
	RAW_TEXT(config_raw_event_webhook, severity),
	RAW_TEXT(config_raw_event_webhook, per_minute), RAW_TEXT(config_raw_event_webhook, ca_file),
	RAW_SEQUENCE(config_raw_event_webhook, kinds, &raw_text, EVENT_KIND_COUNT),
	CYAML_FIELD_END};
RAW_ENTRY(event_webhook)

static const cyaml_schema_field_t raw_client_names_fields[] = {
	CONFIG_KEYS_CLIENT_NAMES(RAW_KEY) RAW_SEQUENCE(
		config_raw_client_names, lease_files, &raw_text, CONFIG_LEASE_FILES_MAX),
	RAW_SEQUENCE(config_raw_client_names, ptr_servers, &raw_text, CONFIG_CLIENT_PTR_MAX),
	CYAML_FIELD_END};

static const cyaml_schema_field_t raw_events_fields[] = {
	CONFIG_KEYS_EVENTS(RAW_KEY)
		RAW_SEQUENCE(config_raw_events, webhooks, &raw_event_webhook, CONFIG_WEBHOOKS_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t raw_forward_fields[] = {RAW_TEXT(config_raw_forward, name),
	RAW_TEXT(config_raw_forward, exempt), RAW_TEXT(config_raw_forward, policy),
	RAW_TEXT(config_raw_forward, race), RAW_TEXT(config_raw_forward, trust_ad),
	RAW_TEXT(config_raw_forward, client_subnet_ipv4),
	RAW_TEXT(config_raw_forward, client_subnet_ipv6),
	RAW_SEQUENCE(config_raw_forward, servers, &raw_text, CONFIG_UPSTREAMS_MAX),
	CYAML_FIELD_END};
RAW_ENTRY(forward)

static const cyaml_schema_field_t raw_group_fields[] = {RAW_TEXT(config_raw_group, name),
	RAW_TEXT(config_raw_group, disable_cache), RAW_TEXT(config_raw_group, blocking),
	RAW_TEXT(config_raw_group, inherit), RAW_TEXT(config_raw_group, upstream_policy),
	RAW_TEXT(config_raw_group, upstream_race),
	RAW_TEXT(config_raw_group, upstream_client_subnet_ipv4),
	RAW_TEXT(config_raw_group, upstream_client_subnet_ipv6), RAW_TEXT(config_raw_group, dns64),
	RAW_TEXT(config_raw_group, filter_aaaa),
	RAW_SEQUENCE(config_raw_group, clients, &raw_text, CONFIG_PREFIXES_MAX + CONFIG_MACS_MAX),
	RAW_SEQUENCE(config_raw_group, vlans, &raw_text, CONFIG_VLAN_MAX),
	RAW_SEQUENCE(config_raw_group, client_names, &raw_text, CONFIG_CLIENT_NAMES_MAX),
	RAW_SEQUENCE(config_raw_group, allow, &raw_text, CONFIG_GROUP_ENTRIES_MAX),
	RAW_SEQUENCE(config_raw_group, deny, &raw_text, CONFIG_GROUP_ENTRIES_MAX),
	RAW_MAPPING(config_raw_group, block, block, raw_block_fields), RAW_FILTER(config_raw_group),
	RAW_SEQUENCE(config_raw_group, lists, &raw_text, CONFIG_LISTS_MAX),
	RAW_SEQUENCE(config_raw_group, upstreams, &raw_server, CONFIG_UPSTREAMS_MAX),
	RAW_SEQUENCE(config_raw_group, local_records, &raw_record, CONFIG_RECORDS_MAX),
	RAW_SEQUENCE(config_raw_group, forward_zones, &raw_forward, CONFIG_FORWARD_ZONES_MAX),
	CYAML_FIELD_END};
RAW_ENTRY(group)

static const cyaml_schema_field_t raw_entry_fields[] = {RAW_TEXT(config_raw_entry, name),
	RAW_TEXT(config_raw_entry, verdict), RAW_TEXT(config_raw_entry, group),
	RAW_TEXT(config_raw_entry, until), RAW_TEXT(config_raw_entry, why), CYAML_FIELD_END};
RAW_ENTRY(entry)

static const cyaml_schema_field_t raw_member_fields[] = {
	RAW_TEXT(config_raw_member, group), RAW_TEXT(config_raw_member, client), CYAML_FIELD_END};
RAW_ENTRY(member)

#define RAW_SECTION_FIELD(section) \
	CYAML_FIELD_MAPPING_PTR(   \
		#section, RAW_MAY_BE_EMPTY, struct config_raw, section, raw_##section##_fields)

static const cyaml_schema_field_t raw_fields[] = {
	RAW_TEXT(config_raw, version),
	RAW_SEQUENCE(config_raw, include, &raw_text, CONFIG_INCLUDE_MAX),
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
	RAW_SEQUENCE(config_raw, clients, &raw_client, CONFIG_CLIENTS_MAX),
	RAW_SECTION_FIELD(local),
	RAW_SECTION_FIELD(query_log),
	RAW_SECTION_FIELD(client_names),
	RAW_SECTION_FIELD(events),
	RAW_SECTION_FIELD(updates),
	RAW_SEQUENCE(config_raw, forward_zones, &raw_forward, CONFIG_FORWARD_ZONES_MAX),
	RAW_SEQUENCE(config_raw, groups, &raw_group, CONFIG_GROUPS_MAX),
	RAW_SEQUENCE(config_raw, entries, &raw_entry, CONFIG_DATED_MAX),
	RAW_SEQUENCE(config_raw, group_members, &raw_member, CONFIG_PREFIXES_MAX + CONFIG_MACS_MAX),
	CYAML_FIELD_END,
};
const cyaml_schema_value_t config_raw_document = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct config_raw, raw_fields)};
