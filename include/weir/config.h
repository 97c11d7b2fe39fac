// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The configuration: one YAML file, read by both processes and by weirctl through this library
// (libweir-config). docs/reference/config.md is the reference.
//
// config_load parses, checks every value and every relation between values, and either returns a
// whole configuration or one message with file, path, line and column. A loaded configuration is
// immutable; free it with config_free. Not for the packet path. Thread-safe (no globals).

#include "attr.h"
#include "config_clients.h"
#include "config_filter.h"
#include "config_log.h"
#include "dns_cookie.h"
#include "dns_reply.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <weir/config/lists.h>

enum {
	CONFIG_WHY_MAX = 512,
	CONFIG_PORTS_MAX = 4,
	CONFIG_PORT_MACS_MAX = 8,
	CONFIG_PORT_VLANS_MAX = 64, // of a port; CONFIG_VLANS: how many numbers there are
	CONFIG_VLANS = 4096,
	CONFIG_VLAN_MAX = 4094, // 4095 is reserved (802.1Q)
	CONFIG_WORKERS_MAX = 64,
	CONFIG_ADDRESSES_MAX = 16,
	CONFIG_LISTS_MAX = 254, // RULE_LISTS_MAX less the two of the configuration itself
	CONFIG_ENTRIES_MAX = 100000,
	CONFIG_URL_MAX = 1024,
	CONFIG_REDIS_ADDRESSES_MAX = 16,
	CONFIG_GROUPS_MAX = 63,           // beside group 0, everyone else
	CONFIG_PREFIXES_MAX = 4096,       // of clients, in all groups together
	CONFIG_MACS_MAX = 4096,           // likewise
	CONFIG_CLIENTS_MAX = 4096,        // that have a name
	CONFIG_PATTERN_MAX = 1024,        // bytes of a regular expression
	CONFIG_GROUP_ENTRIES_MAX = 10000, // allow or deny, of one group
	CONFIG_RECORDS_MAX = 20000,       // local ones, in all groups together
	CONFIG_HOSTS_FILES_MAX = 16,
	CONFIG_LOCAL_ZONES_MAX = 1000,
	CONFIG_FORWARD_ZONES_MAX = 256, // in all groups together
	CONFIG_FORWARD_SETS_MAX = 64,   // different lists of servers in these
	CONFIG_ALIASES_MAX = 16,        // local CNAMEs one after the other
	CONFIG_ACCESS_MAX = 256,        // entries of one list of `access`
	CONFIG_UNLIMITED_MAX = 64,      // entries of limits.unlimited_clients, and of _zones
	CONFIG_KERNEL_WAITING = 448,    // frames of one worker that may wait for the kernel
	CONFIG_MBUF_SPARE = 640,        // packet buffers of a worker in caches and in hand
};

// MAC address of an Ethernet interface. It identifies a client only on weir's own segment: every
// frame from behind a router has the router's.
struct config_mac {
	uint8_t bytes[6];
};

// "02:00:5e:10:00:01" or with "-". -EINVAL.
ATTR_MUST_CHECK int config_mac_parse(const char *text, struct config_mac *out);
// The number of a VLAN up to CONFIG_VLAN_MAX, 0 included. -EINVAL: it is none.
ATTR_MUST_CHECK int config_vlan_parse(const char *text, uint16_t *out);
enum { CONFIG_MAC_TEXT_MAX = 18 };
char *config_mac_text(const struct config_mac *mac, char out[CONFIG_MAC_TEXT_MAX]);

enum poll_mode { POLL_ADAPTIVE, POLL_BUSY, POLL_MONITOR };
enum ttl_preset { TTL_PRESET_WEIR, TTL_PRESET_REFERENCE };
enum stale_bound { STALE_BOUND_WINDOW, STALE_BOUND_STORED };
enum flow_rules_mode { FLOW_RULES_OFF, FLOW_RULES_AUTO };
enum rss_mode { RSS_PLAIN, RSS_SYMMETRIC };
enum rx_csum_mode { RX_CSUM_AUTO, RX_CSUM_TRUSTED, RX_CSUM_COMPUTE };

struct config_runtime {
	char *directory;                    // "/run/weir"
	char *state_directory;              // "/var/lib/weir": rule image
	char *hugepages;                    // "auto", "off" or a directory
	int log_level, log_format, seccomp; // enum log_level, log_format, sandbox_mode
	char *group;                        // may use the control socket; "" = no group
	char *stats_group;                  // may read statistics; "" = `group`, of two users none
	unsigned log_memory_s;              // 0: no lines about memory
};

// The alias of an exception interface: this, and the identity of its weir (16 hexadecimal digits).
#define EXCEPTION_MARK "weir exception of "

struct config_port {
	char *device;    // DPDK device string: PCI address or vdev with arguments
	char *exception; // kernel interface for all traffic that is not DNS for weir; "" = none
	char *xdp; // kernel interface that is shared by AF_XDP; NULL = none. `device` is its port
		   // then
	bool has_vlans;
	uint64_t
		vlans[CONFIG_VLANS / 64]; // when has_vlans: a bit for each that it takes; 0: no tag
	unsigned mac_count;
	struct config_mac macs[CONFIG_PORT_MACS_MAX]; // that it takes frames for beside its own
};

struct config_dataplane {
	unsigned main_lcore;
	unsigned worker_count;
	unsigned worker_lcores[CONFIG_WORKERS_MAX];
	bool workers_auto;  // every core but main's; the data plane takes as many as all ports have
			    // queues
	unsigned memory_mb; // for EAL: packet pools and drivers
	bool eal_hugepages; // false: --no-huge
	unsigned port_count;
	struct config_port ports[CONFIG_PORTS_MAX];
	unsigned address_count;
	struct ip_address addresses[CONFIG_ADDRESSES_MAX]; // service addresses
	enum poll_mode poll;
	enum rx_csum_mode rx_csum;
	enum rss_mode rss;
	enum flow_rules_mode flow_rules;
	unsigned rx_descriptors, tx_descriptors, mbufs; // mbufs: per worker
};

struct config_cache {
	unsigned l0_mb;
	uint32_t min_ttl_s, max_ttl_s, negative_ttl_s; // 0, 86400, 3600
	uint32_t client_ttl_cap_s;                     // 0: off
	bool stale_immediate;                          // false: on-failure
	uint8_t ttl_preset;                            // enum ttl_preset: where defaults came from
	uint8_t stale_bound;                           // enum stale_bound
	uint32_t stale_window_s;                       // kept after soft expiry, 3600
	uint32_t stale_ttl_s;                          // 30
	uint32_t failure_ttl_s;                        // 1
	bool rotate; // addresses, from query to query; false: as stored
};

enum refresh_mode { REFRESH_AGGRESSIVE, REFRESH_BALANCED, REFRESH_CONSERVATIVE, REFRESH_CUSTOM };

// refresh_policy.h makes thresholds of it.
struct config_refresh {
	bool enabled;
	enum refresh_mode mode;
	uint32_t hit_window_s;       // 60
	uint32_t hot_threshold_rate; // hits a minute; 0: 20, or by cache.client_ttl_cap
	uint32_t warm_threshold;     // hits a minute, 2
	uint32_t hot_ttl_percent, warm_ttl_percent; // of the stored TTL, 30 and 25
	uint32_t min_ttl_s;                         // remaining TTL of cold records; 0: never ahead
	bool past_auth;                             // true
	uint32_t max_inflight;                      // 100
	uint32_t sweep_interval_s;                  // 15
	uint32_t sweep_window_s;                    // 60
	uint32_t max_batch;                         // 2000
	uint32_t servfail_backoff_s;                // 60
};
enum { CONFIG_REFRESH_INFLIGHT_MAX = 1024, CONFIG_REFRESH_BATCH_MAX = 10000 };

enum { CONFIG_BLOCKED_TYPES_MAX = 8 };

struct config_blocking {
	bool enabled;
	bool closed;    // false: without rules nothing is blocked
	bool zones_any; // false: the first policy zone decides
	enum dns_block_mode mode;
	uint32_t ttl_s;
	struct ip_address custom_v4, custom_v6; // for DNS_BLOCK_CUSTOM; version 0: none
	unsigned list_count, disabled_count;
	struct config_list *lists;
	struct config_list *disabled; // defined, but named by `disabled_lists`: nothing uses them
	unsigned tsig_key_count;
	struct config_tsig_key *tsig_keys;
	unsigned allow_count, deny_count;
	struct dns_name *allow, *deny; // checked names
	unsigned allow_pattern_count, deny_pattern_count;
	char **allow_patterns, **deny_patterns; // regular expressions, without the slashes
	unsigned type_count;
	uint16_t types[CONFIG_BLOCKED_TYPES_MAX]; // query types of which every name is denied
	struct config_rebinding rebinding;
	struct config_filter filter; // of clients in no group; groups inherit it
	struct config_update update;
};

struct config_limits {
	unsigned inflight;           // questions being resolved, 4096
	unsigned waiters;            // clients that wait for one question, 1024
	unsigned zone_inflight;      // questions of one zone, 256; 0: no bound
	unsigned client_waiters;     // answers that one client waits for, 64; 0: no bound
	uint32_t answer_deadline_ms; // a client's, from its query to SERVFAIL, 4500
	unsigned unlimited_client_count, unlimited_zone_count;
	struct ip_address *unlimited_clients; // prefixes without `client_waiters`
	struct dns_name *unlimited_zones;     // without `zone_inflight`, and all names below
	uint16_t udp_reply_size;              // 1232
	uint32_t kernel_frames;               // a second, by a worker, 40000; 0: any number
};

enum { CONFIG_THREADS_AUTO = 255 };

struct config_controlplane {
	unsigned resolvers; // 1 to SHM_RESOLVERS_MAX, or auto; 0 counts as 1
	unsigned frontends; // 1 to EPOCH_OWN_MAX, or auto; 0 counts as 1
};

enum redis_mode { REDIS_MODE_OFF, REDIS_MODE_STANDALONE, REDIS_MODE_SENTINEL, REDIS_MODE_CLUSTER };

enum { CONFIG_NAMESPACE_MAX = 32 };

struct config_redis {
	enum redis_mode mode;
	char *space;            // redis.namespace, CONFIG_NAMESPACE_MAX bytes at most
	unsigned address_count; // 0 when off
	// Of the server, the sentinels, or some nodes of the cluster.
	struct socket_address addresses[CONFIG_REDIS_ADDRESSES_MAX];
	char *master_name;   // as the sentinels call it; "" unless sentinel
	char *username;      // "" = the default user
	char *password;      // from password_file if one is given; "" = none. Never printed
	char *password_file; // absolute, credential:, env: or ""
	char *sentinel_password, *sentinel_password_file; // as both of the server
	unsigned db;
	unsigned connections;        // per server, 2
	unsigned timeout_ms;         // of a command, 100
	unsigned lookup_timeout_ms;  // 5; longest wait of a miss for L1 before it asks an upstream
	unsigned buffer_kb;          // commands under way, 4096
	unsigned max_keys;           // 0: no cap
	unsigned sweep_min_hits;     // 1
	unsigned sweep_hit_window_s; // 0: cold keys are left to their TTL
};

// The part of the reply for blocked names that a group sets; the rest is everyone's.
struct config_block {
	bool has_mode, has_ttl;
	enum dns_block_mode mode;
	uint32_t ttl_s;
	struct ip_address custom_v4, custom_v6; // version 0: not set
};

// A name for addresses and interfaces, for groups and statistics.
struct config_client {
	char *name; // unique
	unsigned address_count, mac_count;
	struct ip_address *addresses; // prefixes without host bits
	struct config_mac *macs;
};

// The operator's own rules.
struct config_entries {
	unsigned count, pattern_count;
	struct dns_name *names; // with all names below
	char **patterns;        // regular expressions, without the slashes
};

// One record of the operator's own.
struct config_record {
	struct dns_name name;
	bool wildcard; // of the names below `name`, not of itself
	uint16_t type;
	uint16_t rdata_len;
	uint8_t *rdata; // wire form (rdata_parse.h)
	uint32_t ttl_s;
};

// The answer for names without a local record in a local zone.
struct config_local_zone {
	struct dns_name name;
	bool forward; // false: that they do not exist
};

struct config_local {
	uint32_t ttl_s;     // of records that give none, and of hosts files
	bool special_names; // RFC 6761 and so on (controlplane/policy/special_names.h)
	bool test_names;    // ask the upstreams about names below `test`
	bool doh_canary;    // use-application-dns.net does not exist
	bool hosts_ptr;     // addresses in hosts files have PTR records
	unsigned record_count, hosts_file_count, zone_count;
	struct config_record *records;
	char **hosts_files; // absolute
	struct config_local_zone *zones;
};

// A zone with servers of its own; the longest zone that contains a name decides.
// How servers of a list share the questions, where `upstreams` does not say it.
struct config_pick {
	bool has_policy;
	enum upstream_policy policy;
	unsigned race;               // 0: not given
	struct config_subnet subnet; // that of `upstreams` where the list does not say it
};

struct config_forward_zone {
	struct dns_name name;  // may be the root
	unsigned server_count; // 0: exempt, its names are resolved as if no zone above held them
	struct config_upstream *servers;
	struct config_pick pick;
};

enum { CONFIG_NEGATIVE_MAX = 64 };

// Validation of what upstreams answer.
struct config_dnssec {
	bool validate;
	char *anchors; // absolute; readable where `validate` is on
	char *keys;    // a line each, of a file that is kept by RFC 5011; NULL: `anchors` has them
	unsigned negative_count;
	struct dns_name *negative; // names at and below which nothing is validated
	uint64_t hash;             // of all that, the anchors themselves included; 0: not validated
};

// How questions for AAAA are answered.
struct config_ipv6 {
	char *dns64_text;        // of `prefix`; NULL in a group
	bool filter_aaaa;        // no AAAA at all
	struct ip_address dns64; // prefix for DNS64 (RFC 6147); version 0: none
};

enum { CONFIG_CLIENT_NAME_MAX = 63, CONFIG_CLIENT_NAMES_MAX = 256 }; // bytes; of all groups

// Clients that are treated in their own way. Its number is its place in the list, from 1 on.
struct config_group {
	char *name; // unique
	unsigned client_count;
	struct ip_address *clients; // prefixes without host bits, none in two groups
	unsigned mac_count;
	struct config_mac *macs; // unicast, none in two groups; a MAC beats a prefix
	unsigned vlan_count;
	uint16_t *vlans; // 1 to CONFIG_VLAN_MAX, none in two groups; a prefix beats a VLAN
	unsigned client_name_count;
	char **client_names; // labels in lower case, none in two groups; one beats all the above
	struct config_block block;
	struct config_entries allow, deny; // beside those of everyone
	// The group's own settings; config_group_services and others return the rest.
	bool inherits; // it takes from `blocking` what it does not set
	bool has_services, has_safe_search, has_schedules;
	struct config_filter filter;
	bool disable_cache;
	bool has_dns64, has_filter_aaaa; // else those of everyone count
	struct config_ipv6 ipv6;
	bool blocking;           // false: nothing is blocked
	bool has_lists;          // false: every list applies, or none where it does not inherit
	unsigned *lists;         // indices of blocking.lists
	unsigned list_count;     // when has_lists
	unsigned upstream_count; // 0: those of everyone
	struct config_upstream *upstreams;
	struct config_pick pick;              // when upstream_count
	unsigned record_count, forward_count; // its own, before everyone's
	struct config_record *records;
	struct config_forward_zone *forwards;
};

enum { CONFIG_UPDATE_KEY_LEN = 32 };

// The notice of a newer version (controlplane/updates).
struct config_updates {
	bool check;                                // false
	char *url, *key;                           // "": none
	uint32_t interval_s, jitter_s;             // 86400, 3600
	uint8_t public_key[CONFIG_UPDATE_KEY_LEN]; // of `key`
};

struct config {
	char *path;         // of the file
	uint64_t text_hash; // of its text and that of included files (keyhash.h); 0: not of a file
	struct config_include include;
	struct config_runtime runtime;
	struct config_dataplane dataplane;
	struct config_controlplane controlplane;
	struct config_cache cache;
	struct config_refresh refresh;
	struct config_blocking blocking;
	struct config_upstreams upstreams;
	struct config_limits limits;
	struct config_tcp tcp;
	struct config_tls tls;
	struct config_dot dot, doh;
	struct config_proxy_protocol proxy_protocol;
	struct config_fallback fallback;
	struct config_access access;
	struct config_cookies cookies;
	struct config_dnssec dnssec;
	struct config_identity identity;
	struct config_ipv6 ipv6;
	struct config_metrics metrics;
	struct config_redis redis;
	unsigned client_count, forward_count, group_count;
	struct config_client *clients;
	struct config_local local;
	struct config_client_names client_names;
	struct config_query_log query_log;
	struct config_events events;
	struct config_updates updates;
	struct config_forward_zone *forwards;
	struct config_group *groups;
	struct config_dated dated; // the key `entries`
	struct config_control control;
	bool resolver_off, http_single; // by toggles (controlplane/memory/toggles.h), not the file
};

// How many resolvers there are: `auto` is one for each two of these CPUs that no worker has, 8 at
// most. NULL: the CPUs of this thread, and the quota of its cgroup (core/mem/cpu_quota.h).
unsigned config_resolvers(const struct config *c, const cpu_set_t *cpus);
// Frontends, in the same way: `auto` is one for each four of these CPUs, up to EPOCH_OWN_MAX.
unsigned config_frontends(const struct config *c, const cpu_set_t *cpus);
bool config_sends_subnet(const struct config *c); // of clients, to any upstream server
bool config_has_streams(const struct config *c);  // serves TCP, in clear text or encrypted

uint32_t config_log_sample(const struct config *c); // 0: the query log is off
uint8_t config_log_detail(const struct config *c);  // enum log_detail (shm_abi.h)

// What applies to a group, its own or inherited; NULL: to everyone else. Never NULL.
const struct service_set *config_group_services(
	const struct config *c, const struct config_group *group);
const struct config_safe_search *config_group_safe_search(
	const struct config *c, const struct config_group *group);
const struct config_schedules *config_group_schedules(
	const struct config *c, const struct config_group *group);
struct config_ipv6 config_group_ipv6(const struct config *c, const struct config_group *group);
#define CONFIG_EVERYONE "everyone"                               // no group can be called so
const char *config_group_name(const struct config_group *group); // CONFIG_EVERYONE of NULL

bool config_address_is_host(const struct ip_address *a); // not multicast, broadcast, unspecified
// weir serves DNS there itself: queries to it would loop.
bool config_address_is_own(const struct config *c, const struct socket_address *a);
// The servers that are given by a host name, one for each name and port, in the order of the file;
// the number of them, of which the first CONFIG_HOSTS_MAX are in `out`.
unsigned config_hosts(const struct config *c, const struct config_upstream *out[CONFIG_HOSTS_MAX]);
// How many servers a list may have in use: a host name may have several addresses.
unsigned config_servers_most(const struct config_upstream *server, unsigned count);
enum { CONFIG_HOST_TEXT_MAX = CONFIG_TLS_NAME_MAX + 8 };
// "9.9.9.9:53", "dns.quad9.net:853".
char *config_server_text(const struct config_upstream *s, char out[CONFIG_HOST_TEXT_MAX]);

// For statistics, linear: the client of that name, whatever the letter case; with the longest
// prefix that has this address; with this MAC. NULL: none.
const struct config_client *config_client_by_name(const struct config *c, const char *name);
const struct config_client *config_client_by_address(
	const struct config *c, const struct ip_address *address);
const struct config_client *config_client_by_mac(
	const struct config *c, const struct config_mac *mac);

// -EINVAL (why: "weir.yaml:12:5: dataplane.ports: ..."), -ENOENT, -EACCES, -ENOMEM, ...
ATTR_MUST_CHECK static inline int config_load(
	const char *file_path, struct config **out_config, char out_why[CONFIG_WHY_MAX])
{
	return config_load_kind(file_path, CONFIG_SECRETS_ALL, out_config, out_why);
}
void config_free(struct config *c); // NULL is fine

// The reply for blocked names: of a group, or (NULL) of everyone.
void config_block_reply(
	const struct config *config, const struct config_group *group, struct dns_block *out);

struct dns_identity;
void config_identity_take(const struct config *config, struct dns_identity *out);
// What workers need of it (shm_abi.h); every list applies to everyone, no pause.
struct dp_config;
void config_for_workers(const struct config *config, struct dp_config *out);
