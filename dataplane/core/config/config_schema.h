// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keys of the configuration file, and structs of what a file says by them: every value is still
// text, NULL where it is absent. config_raw.c fills them, the sections convert the values.

#include "config_doc.h"
#include "config_schema_control.h"
#include "config_tree.h"

#include <weir/config_filter.h>

struct config_raw_port {
	char *device, *exception, *xdp;
	char **macs, **vlans;
	unsigned macs_count, vlans_count;
};

struct config_raw_list {
	char *name, *path, *url, *format, *allow, *force, *exact, *tsig, *ca_file;
	char **pin;
	unsigned pin_count;
};

struct config_raw_tsig_key {
	char *name, *algorithm, *secret_file;
};

struct config_raw_safe_search {
	char *all;
#define X(word, id) char *word;
	SAFE_ENGINES(X)
#undef X
};

struct config_raw_schedule { // family_time is one without a name
	char *name, *from, *to, *pause, *block_all;
	char **days, **lists, **services, **domains;
	unsigned days_count, lists_count, services_count, domains_count;
};

struct config_raw_filter {
	char **services;
	unsigned services_count;
	struct config_raw_safe_search *safe_search;
	struct config_raw_schedule *schedules;
	unsigned schedules_count;
	struct config_raw_schedule *family_time;
};

struct config_raw_server {
	char *address, *name, *weight, *trust_ad;
	char **pin;
	unsigned pin_count;
};

struct config_raw_runtime {
	char *directory, *state_directory, *hugepages, *log_level, *log_format, *group,
		*stats_group, *seccomp, *log_memory_s;
};

struct config_raw_dataplane {
	char *main_lcore, *memory_mb, *eal_hugepages, *poll, *rx_csum, *rss, *flow_rules,
		*rx_descriptors, *tx_descriptors, *mbufs;
	char **worker_lcores;
	unsigned worker_lcores_count;
	struct config_raw_port *ports;
	unsigned ports_count;
	char **service_addresses;
	unsigned service_addresses_count;
};

struct config_raw_cache {
	char *l0_mb, *ttl_preset, *stale_bound, *rrset_order, *min_ttl, *max_ttl, *negative_ttl,
		*client_ttl_cap, *stale, *stale_window, *stale_ttl, *failure_ttl;
};

struct config_raw_refresh {
	char *enabled, *mode, *hit_window, *hot_threshold_rate, *warm_threshold, *hot_ttl_percent,
		*warm_ttl_percent, *min_ttl, *past_auth_ttl, *max_inflight, *sweep_interval,
		*sweep_window, *max_batch, *servfail_backoff;
};

struct config_raw_rebinding {
	char *enabled;
	char **allow;
	unsigned allow_count;
};

struct config_raw_blocking_update {
	char *interval, *jitter, *start, *start_timeout, *timeout, *max_mb, *max_redirects,
		*allow_private;
	char **bootstrap;
	unsigned bootstrap_count;
};

struct config_raw_blocking {
	char *enabled, *closed, *policy_zones, *mode, *ttl, *ipv4, *ipv6;
	struct config_raw_blocking_update *update;
	struct config_raw_list *lists;
	unsigned lists_count;
	struct config_raw_tsig_key *tsig_keys;
	unsigned tsig_keys_count;
	char **allow, **deny;
	unsigned allow_count, deny_count;
	struct config_raw_rebinding *rebinding;
	struct config_raw_filter filter;
	char **disabled_lists;
	unsigned disabled_lists_count;
};

struct config_raw_upstreams {
	char *first_timeout_ms, *max_sends, *policy, *race, *check, *check_interval, *check_name,
		*check_type, *via, *backoff, *strict, *ca_file, *mode, *root_hints, *recursion_ip,
		*client_subnet_ipv4, *client_subnet_ipv6;
	struct config_raw_server *servers;
	char **source, **bootstrap;
	unsigned servers_count, source_count, bootstrap_count;
};

struct config_raw_limits {
	char *inflight, *waiters, *zone_inflight, *client_waiters, *udp_reply_size, *kernel_frames,
		*answer_deadline_ms;
	char **unlimited_clients, **unlimited_zones;
	unsigned unlimited_clients_count, unlimited_zones_count;
};

struct config_raw_tcp {
	char *enabled, *connections, *per_client, *pipelined, *queries, *idle_timeout,
		*query_timeout, *connection_queries, *connection_age, *buffer_kb;
};

struct config_raw_certificate {
	char *cert, *key;
};

struct config_raw_tls {
	char *name, *tickets_file, *min_version, *client_ca, *client_required;
	struct config_raw_certificate *certificates;
	unsigned certificates_count;
};

struct config_raw_dot {
	char *enabled, *port;
};

struct config_raw_doh {
	char *enabled, *port, *path;
};

struct config_raw_proxy_protocol {
	char **from;
	unsigned from_count;
};

struct config_raw_controlplane {
	char *resolvers, *frontends;
};

struct config_raw_fallback {
	char *udp;
};

struct config_raw_identity {
	char *version, *name, *nsid;
};

struct config_raw_ipv6 {
	char *dns64, *filter_aaaa;
};

struct config_raw_access {
	char *denied, *rate, *network_rate, *burst, *slip, *reply_octets, *any;
	char **allow, **deny, **unlimited;
	unsigned allow_count, deny_count, unlimited_count;
};

struct config_raw_dnssec {
	char *validate, *anchors;
	char **negative_anchors;
	unsigned negative_anchors_count;
};

struct config_raw_cookies {
	char *enabled, *require, *secret_file;
	char **secrets;
	unsigned secrets_count;
};

struct config_raw_redis {
	char *mode, *master_name, *namespace, *db, *username, *password, *password_file,
		*sentinel_password, *sentinel_password_file, *connections, *timeout_ms,
		*lookup_timeout_ms, *buffer_kb, *max_keys, *sweep_min_hits, *sweep_hit_window;
	char **addresses;
	unsigned addresses_count;
};

struct config_raw_client {
	char *name;
	char **addresses, **macs;
	unsigned addresses_count, macs_count;
};

struct config_raw_block {
	char *mode, *ttl, *ipv4, *ipv6;
};

struct config_raw_record {
	char *name, *type, *value, *ttl;
};

struct config_raw_zone {
	char *name, *unknown;
};

struct config_raw_local {
	char *ttl, *special_names, *test_names, *doh_canary, *hosts_ptr;
	struct config_raw_record *records;
	unsigned records_count;
	char **hosts_files;
	unsigned hosts_files_count;
	struct config_raw_zone *zones;
	unsigned zones_count;
};

struct config_raw_forward {
	char *name, *exempt, *policy, *race, *trust_ad, *client_subnet_ipv4, *client_subnet_ipv6;
	char **servers;
	unsigned servers_count;
};

struct config_raw_group {
	char *name, *disable_cache, *blocking, *inherit, *dns64, *filter_aaaa, *upstream_policy,
		*upstream_race, *upstream_client_subnet_ipv4, *upstream_client_subnet_ipv6;
	char **allow, **deny;
	unsigned allow_count, deny_count;
	struct config_raw_block *block;
	struct config_raw_filter filter;
	char **clients, **vlans;
	unsigned clients_count, vlans_count;
	char **client_names;
	unsigned client_names_count;
	char **lists;
	unsigned lists_count;
	struct config_raw_server *upstreams;
	unsigned upstreams_count;
	struct config_raw_record *local_records;
	unsigned local_records_count;
	struct config_raw_forward *forward_zones;
	unsigned forward_zones_count;
};

struct config_raw_query_log_store {
	char *enabled, *directory, *hours, *max_mb, *max_rate;
};

struct config_raw_query_log_clickhouse {
	char *url, *database, *table, *user, *password_file, *ca_file, *partition, *hours, *max_mb,
		*rollups, *rollup_days, *flush_ms, *spool_directory, *spool_mb;
	char **urls;
	unsigned urls_count;
};

struct config_raw_query_log_requests {
	char *enabled, *directory, *format, *days, *max_mb;
};

struct config_raw_query_log_dnstap {
	char *socket, *messages;
};

struct config_raw_webhook {
	char *url, *form, *on_block, *on_error, *summary, *per_minute, *ca_file;
};

struct config_raw_query_log {
	struct config_raw_query_log_store *store;
	struct config_raw_query_log_clickhouse *clickhouse;
	struct config_raw_query_log_requests *requests;
	struct config_raw_query_log_dnstap *dnstap;
	struct config_raw_webhook *webhooks;
	unsigned webhooks_count;
	char *enabled, *sample, *box, *anonymize;
	char **exclude_domains, **exclude_clients;
	unsigned exclude_domains_count, exclude_clients_count;
};

struct config_raw_entry { // of `entries`
	char *name, *verdict, *group, *until, *why;
};

struct config_raw_member { // of `group_members`
	char *group, *client;
};

struct config_raw {     // after config_raw_load no section is NULL
	char *version;  // config_raw.h
	char **include; // config_include.h
	unsigned include_count;
	struct config_raw_runtime *runtime;
	struct config_raw_dataplane *dataplane;
	struct config_raw_cache *cache;
	struct config_raw_refresh *refresh;
	struct config_raw_blocking *blocking;
	struct config_raw_upstreams *upstreams;
	struct config_raw_limits *limits;
	struct config_raw_tcp *tcp;
	struct config_raw_tls *tls;
	struct config_raw_dot *dot;
	struct config_raw_doh *doh;
	struct config_raw_proxy_protocol *proxy_protocol;
	struct config_raw_controlplane *controlplane;
	struct config_raw_fallback *fallback;
	struct config_raw_access *access;
	struct config_raw_cookies *cookies;
	struct config_raw_dnssec *dnssec;
	struct config_raw_identity *identity;
	struct config_raw_ipv6 *ipv6;
	struct config_raw_metrics *metrics;
	struct config_raw_control *control;
	struct config_raw_redis *redis;
	struct config_raw_blocking_update *blocking_update; // blocking->update, which owns it
	struct config_raw_client *clients;                  // may be NULL
	unsigned clients_count;
	struct config_raw_local *local;
	struct config_raw_query_log *query_log;
	struct config_raw_client_names *client_names;
	struct config_raw_events *events;
	struct config_raw_updates *updates;
	struct config_raw_query_log_store *query_log_store; // query_log->store, which owns it
	struct config_raw_query_log_requests
		*query_log_requests; // query_log->requests, which owns it
	struct config_raw_query_log_dnstap *query_log_dnstap;
	struct config_raw_query_log_clickhouse *query_log_clickhouse;
	struct config_raw_forward *forward_zones; // may be NULL
	unsigned forward_zones_count;
	struct config_raw_group *groups; // may be NULL, as the next two
	unsigned groups_count;
	struct config_raw_entry *entries;
	unsigned entries_count;
	struct config_raw_member *group_members;
	unsigned group_members_count;
};

// A key of the schema, and which member of the structs above has it.
struct config_field {
	const char *key; // NULL: there are no more
	enum config_node_kind kind;
	unsigned max;                      // items of a list
	size_t offset, count_offset;       // of the member, and of the number of its items
	size_t size;                       // of the struct of a mapping, or of each item
	const struct config_field *fields; // of a mapping or of the items; NULL: items are texts
};

// The keys of a file.
extern const struct config_field config_schema[];
