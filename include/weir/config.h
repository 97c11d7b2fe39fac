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
	CONFIG_PORT_VLANS_MAX = 64, // numbers that one port may list
	CONFIG_VLANS = 4096,        // numbers that a tag can hold
	CONFIG_VLAN_MAX = 4094,     // 4095 is reserved (802.1Q)
	CONFIG_WORKERS_MAX = 64,
	CONFIG_ADDRESSES_MAX = 16,
	CONFIG_LISTS_MAX = 254, // RULE_LISTS_MAX - RULE_LIST_FIRST
	CONFIG_ENTRIES_MAX = 100000,
	CONFIG_URL_MAX = 1024,
	CONFIG_REDIS_ADDRESSES_MAX = 16,
	CONFIG_GROUPS_MAX = 63,           // groups of the file; group 0 is everyone else
	CONFIG_PREFIXES_MAX = 4096,       // prefixes of clients in all groups together
	CONFIG_MACS_MAX = 4096,           // MAC addresses of clients in all groups together
	CONFIG_IIDS_MAX = 4096,           // interface identifiers of clients in all groups
	CONFIG_CLIENTS_MAX = 4096,        // clients with a name
	CONFIG_PATTERN_MAX = 1024,        // bytes of a regular expression
	CONFIG_GROUP_ENTRIES_MAX = 10000, // entries of one group's `allow`, and of its `deny`
	CONFIG_RECORDS_MAX = 20000,       // local records of everyone and all groups together
	CONFIG_HOSTS_FILES_MAX = 16,
	CONFIG_LOCAL_ZONES_MAX = 1000,
	CONFIG_FORWARD_ZONES_MAX = 256, // forward zones of everyone and all groups together
	CONFIG_FORWARD_SETS_MAX = 64,   // different lists of servers of forward zones
	CONFIG_ALIASES_MAX = 16,        // local CNAMEs one after the other
	CONFIG_ACCESS_MAX = 256,        // entries of one list of `access`
	CONFIG_UNLIMITED_MAX = 64,      // entries of limits.unlimited_clients, and of _zones
	CONFIG_KERNEL_WAITING = 448,    // frames of one worker that may wait for the kernel
	CONFIG_MBUF_SPARE = 640,        // a worker's packet buffers in pool caches and batches
};

// MAC address of an Ethernet interface. It identifies a client only on weir's own segment: a
// frame that a router forwarded has the router's address.
struct config_mac {
	uint8_t bytes[6];
};

// Reads "02:00:5e:10:00:01"; "-" may stand in place of ":". -EINVAL: it is no MAC address.
ATTR_MUST_CHECK int config_mac_parse(const char *text, struct config_mac *out);
// Reads the number of a VLAN, 0 to CONFIG_VLAN_MAX. -EINVAL: it is no such number.
ATTR_MUST_CHECK int config_vlan_parse(const char *text, uint16_t *out);
enum { CONFIG_MAC_TEXT_MAX = 18 };
char *config_mac_text(const struct config_mac *mac, char out[CONFIG_MAC_TEXT_MAX]);

// The lower 64 bits of an IPv6 address (RFC 4291 2.5.1). As text an address and its mask, as
// ip6tables and OpenWrt have it: "::1234:56ff:fe78:9abc/::ffff:ffff:ffff:ffff"; "/-64" is read,
// too.
struct config_iid {
	uint8_t bytes[8];
};
ATTR_MUST_CHECK int config_iid_parse(const char *text, struct config_iid *out); // -EINVAL
char *config_iid_text(const struct config_iid *iid, char out[SOCKET_ADDRESS_TEXT_MAX]);

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
	char *stats_group; // may read statistics; "": `group` if one user runs both, else no group
	unsigned log_memory_s; // 0: no lines about memory
};

// The alias of an exception interface: this, and the identity of its weir (16 hexadecimal digits).
#define EXCEPTION_MARK "weir exception of "

struct config_port {
	char *device;    // DPDK device string: PCI address or vdev with arguments
	char *exception; // kernel interface for traffic that is not DNS for weir; "": not set
	char *xdp; // kernel interface that weir shares by AF_XDP through `device`; NULL: not set
	bool has_vlans;
	// When has_vlans: a bit for each VLAN whose frames the port takes; VLAN 0: frames with no
	// tag.
	uint64_t vlans[CONFIG_VLANS / 64];
	unsigned mac_count;
	struct config_mac macs[CONFIG_PORT_MACS_MAX]; // addresses it serves beside its own
};

struct config_dataplane {
	unsigned main_lcore;
	unsigned worker_count;
	unsigned worker_lcores[CONFIG_WORKERS_MAX];
	// Every core but main's is listed; the data plane uses as many as all ports have queues.
	bool workers_auto;
	unsigned memory_mb; // EAL's memory: packet pools and drivers
	bool eal_hugepages; // false: --no-huge
	unsigned port_count;
	struct config_port ports[CONFIG_PORTS_MAX];
	// All service addresses: the first `own_count` stay here, the others are virtual, which
	// move between boxes (VRRP), and which another program puts on an interface.
	unsigned address_count, own_count;
	struct ip_address addresses[CONFIG_ADDRESSES_MAX];
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
	uint32_t stale_window_s;                       // records stay after soft expiry, 3600
	uint32_t stale_ttl_s;                          // 30
	uint32_t failure_ttl_s;                        // 1
	bool rotate; // the order of addresses changes from query to query; false: as stored
};

enum refresh_mode { REFRESH_AGGRESSIVE, REFRESH_BALANCED, REFRESH_CONSERVATIVE, REFRESH_CUSTOM };

// refresh_policy.h computes thresholds from these settings.
struct config_refresh {
	bool enabled;
	enum refresh_mode mode;
	uint32_t hit_window_s;       // 60
	uint32_t hot_threshold_rate; // hits a minute; 0: 20, or by cache.client_ttl_cap
	uint32_t warm_threshold;     // hits a minute, 2
	uint32_t hot_ttl_percent, warm_ttl_percent; // share of the stored TTL, 30 and 25
	uint32_t min_ttl_s;                         // remaining TTL of cold records; 0: never ahead
	bool past_auth;                             // true
	uint32_t max_inflight;                      // 100
	uint32_t sweep_interval_s;                  // 15
	uint32_t sweep_window_s;                    // 60
	uint32_t max_batch;                         // 2000
	uint32_t servfail_backoff_s;                // 60
};
enum { CONFIG_REFRESH_INFLIGHT_MAX = 1024, CONFIG_REFRESH_BATCH_MAX = 10000 };

enum { CONFIG_BLOCKED_TYPES_MAX = 8, CONFIG_HTTPS_STRIP_MAX = 3 };

struct config_blocking {
	bool enabled;
	bool closed;    // false: without rules nothing is blocked
	bool zones_any; // false: the first policy zone decides
	enum dns_block_mode mode;
	uint32_t ttl_s;
	struct ip_address custom_v4, custom_v6; // for DNS_BLOCK_CUSTOM; version 0: not set
	unsigned list_count, disabled_count;
	struct config_list *lists;
	struct config_list *disabled; // defined, but out of use: `disabled_lists` names them
	unsigned tsig_key_count;
	struct config_tsig_key *tsig_keys;
	unsigned allow_count, deny_count;
	struct dns_name *allow, *deny; // checked names
	unsigned allow_pattern_count, deny_pattern_count;
	char **allow_patterns, **deny_patterns; // regular expressions, without the slashes
	struct rule_types types;                // query types that are denied for every name
	uint8_t https_strip;                    // DNS_SVC_* that records of answers lose
	struct config_rebinding rebinding;
	struct config_filter filter; // for clients in no group; groups inherit it
	struct config_update update;
};

struct config_limits {
	unsigned inflight;           // questions being resolved, 4096
	unsigned waiters;            // clients that wait for one question, 1024
	unsigned zone_inflight;      // questions for names of one zone, 256; 0: no bound
	unsigned client_waiters;     // answers that one client waits for, 64; 0: no bound
	uint32_t answer_deadline_ms; // from a client's query to SERVFAIL, 4500
	unsigned unlimited_client_count, unlimited_zone_count;
	struct ip_address *unlimited_clients; // prefixes that `client_waiters` does not bound
	struct dns_name *unlimited_zones; // `zone_inflight` bounds neither these nor names below
	uint16_t udp_reply_size;          // 1232
	uint32_t kernel_frames; // exception frames a second of one worker, 40000; 0: any number
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
	// The server, the sentinels, or some nodes of the cluster.
	struct socket_address addresses[CONFIG_REDIS_ADDRESSES_MAX];
	char *master_name;   // name of the master at the sentinels; "" unless sentinel
	char *username;      // "" = the default user
	char *password;      // from password_file if one is given; "" = no password. Never printed
	char *password_file; // absolute, credential:, env: or ""
	char *sentinel_password, *sentinel_password_file; // like the server's password and file
	unsigned db;
	unsigned connections;        // per server, 2
	unsigned timeout_ms;         // time for one command, 100
	unsigned lookup_timeout_ms;  // 5; longest wait of a miss for L1 before it asks an upstream
	unsigned buffer_kb;          // commands under way, 4096
	unsigned max_keys;           // 0: no cap
	unsigned sweep_min_hits;     // 1
	unsigned sweep_hit_window_s; // 0: cold keys are left to their TTL
};

// The part of the reply for blocked names that a group can set; `blocking` has the rest.
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
	struct dns_name *names; // each stands for all names below it, too
	char **patterns;        // regular expressions, without the slashes
};

// A local record.
struct config_record {
	struct dns_name name;
	bool wildcard; // for the names below `name`, not for `name`
	uint16_t type;
	uint16_t rdata_len;
	uint8_t *rdata; // wire form (rdata_parse.h)
	uint32_t ttl_s;
};

// The answer for names without a local record in a local zone.
struct config_local_zone {
	struct dns_name name;
	bool forward;  // ask the upstreams; false: NXDOMAIN
	bool is_house; // made of `local.domain`: a group's forward zone of that name goes first
};

// Questions for the addresses of names with one label that are no local data.
enum config_single_labels { SINGLE_LABELS_FORWARD, SINGLE_LABELS_HOME, SINGLE_LABELS_COMPLETE };

struct config_local {
	char *domain;          // "" if there is none
	struct dns_name house; // `domain`; no labels: there is none
	enum config_single_labels single_labels;
	uint32_t ttl_s;       // for hosts files, and for records that give no TTL
	bool special_names;   // RFC 6761 and so on (controlplane/policy/special_names.h)
	bool test_names;      // ask the upstreams about names below `test`
	bool doh_canary;      // use-application-dns.net does not exist
	bool relay_canary;    // the names of iCloud Private Relay do not exist
	bool hosts_ptr;       // addresses in hosts files have PTR records
	bool router_names;    // names of clients by PTR are names of the house
	bool missing_forward; // resolve the types of which a record's name has none
	unsigned record_count, hosts_file_count, zone_count;
	struct config_record *records;
	char **hosts_files;              // absolute
	struct config_local_zone *zones; // one of `house`, too, unless a forward zone has that name
};

// How the servers of one list share its questions, in place of what `upstreams` says.
struct config_pick {
	bool has_policy;
	enum upstream_policy policy;
	unsigned race;               // 0: not given
	struct config_subnet subnet; // always set: a list without it has that of `upstreams`
};

// A zone with servers of its own; the longest zone that contains a name decides.
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
	char *keys; // valid keys, a line each, of an RFC 5011 state file; NULL: `anchors` has them
	unsigned negative_count;
	struct dns_name *negative; // names at and below which nothing is validated
	uint64_t hash;             // over `negative` and the trust anchors; 0: no validation
	uint32_t clock_grace_s;    // 600; 0: no grace
	bool any_date; // dates of signatures do not count; never in a file (app_clock.c)
};

// How questions for AAAA are answered.
struct config_ipv6 {
	char *dns64_text;        // text of `dns64`; NULL in a group
	bool filter_aaaa;        // weir answers no AAAA
	struct ip_address dns64; // prefix for DNS64 (RFC 6147); version 0: no DNS64
};

// Bytes of one name; names in all groups together.
enum { CONFIG_CLIENT_NAME_MAX = 63, CONFIG_CLIENT_NAMES_MAX = 256 };
#define CONFIG_HOST_MARK "host:" // begins a client of a group that is a host name
enum {
	CONFIG_GROUP_HOSTS_MAX = 1024, // host names in all groups together
	// Entries of one list of clients.
	CONFIG_MEMBERS_MAX =
		CONFIG_PREFIXES_MAX + CONFIG_MACS_MAX + CONFIG_IIDS_MAX + CONFIG_GROUP_HOSTS_MAX,
};

// Clients with settings of their own. A group's number is its place in the list, from 1 on.
struct config_group {
	char *name; // unique
	unsigned client_count;
	struct ip_address *clients; // prefixes without host bits, none in two groups
	unsigned mac_count;
	struct config_mac *macs; // unicast, none in two groups; a MAC beats an identifier
	unsigned iid_count;
	struct config_iid *iids; // none in two groups; an identifier beats a prefix
	unsigned vlan_count;
	uint16_t *vlans; // 1 to CONFIG_VLAN_MAX, none in two groups; a prefix beats a VLAN
	unsigned client_name_count;
	char **client_names; // labels in lower case, none in two groups; a name beats a MAC
	unsigned host_count;
	char **hosts; // host names in lower case, none in two groups; their addresses are found
		      // while weir runs (policy/group_hosts.h)
	struct config_block block;
	struct config_entries allow, deny; // beside everyone's entries
	// Only what the group sets itself; config_group_services and others also return what it
	// inherits.
	bool inherits; // keys that the group does not set are as in `blocking`
	bool has_services, has_safe_search, has_schedules;
	struct config_filter filter;
	bool disable_cache;
	bool has_dns64, has_filter_aaaa; // false: everyone's setting counts
	struct config_ipv6 ipv6;
	bool blocking;           // false: nothing is blocked
	bool has_lists;          // false: every list applies, or no list if `inherits` is false
	unsigned *lists;         // indices of blocking.lists
	unsigned list_count;     // when has_lists
	unsigned upstream_count; // 0: everyone's servers
	struct config_upstream *upstreams;
	struct config_pick pick;              // when upstream_count
	unsigned record_count, forward_count; // the group's own go before everyone's
	struct config_record *records;
	struct config_forward_zone *forwards;
};

enum { CONFIG_UPDATE_KEY_LEN = 32 };

// The notice of a newer version (controlplane/updates).
struct config_updates {
	bool check;                                // false
	char *url, *key;                           // "": not set
	uint32_t interval_s, jitter_s;             // 86400, 3600
	uint8_t public_key[CONFIG_UPDATE_KEY_LEN]; // bytes of `key`
};

// How a primary hands a version out: in waves. The boxes of a wave are counted with those before.
enum {
	CONFIG_WAVES_MAX = 8,
	CONFIG_WAVE_BOXES_MAX = 1000,
	CONFIG_CANARIES_MAX = 16,
	CONFIG_BOX_NAME_MAX = 63
};
struct config_waves {
	unsigned count; // 0: all boxes at once
	struct {
		uint16_t size; // boxes, or percent of them
		bool is_percent;
	} one[CONFIG_WAVES_MAX];
	unsigned canary_count;
	char canary[CONFIG_CANARIES_MAX][CONFIG_BOX_NAME_MAX + 1]; // names of boxes that come first
};

// Where a secondary takes the shared part of its configuration from (weir/config/shared.h).
enum { CONFIG_SYNC_KEY_LEN = 32, CONFIG_TRUSTED_KEYS_MAX = 8 };

struct config_sync {
	char *primary;       // URL with https, without a path; "": this box is no secondary
	char *token_file;    // absolute, credential:, env: or ""
	char *token;         // text of token_file; "" if it was not read. Never printed
	char *ca_file;       // absolute; "": the system's authorities
	char *name;          // "": the host name
	char *sign_key_file; // absolute, credential:, env: or ""
	bool has_sign_key;   // sign_key_file was read
	uint8_t sign_key[CONFIG_SYNC_KEY_LEN]; // Ed25519 private key. Never printed
	unsigned trusted_count;
	uint8_t trusted[CONFIG_TRUSTED_KEYS_MAX][CONFIG_SYNC_KEY_LEN]; // Ed25519 public keys
	uint32_t own;              // bits of enum config_shared_section: sections of its own
	uint32_t ignored;          // such bits: sections of its files that the shared part replaces
	struct config_waves waves; // [1, 25%], no canaries
};

struct config {
	char *path;         // the main file
	uint64_t text_hash; // hash over the text of all files (keyhash.h); 0: from memory
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
	struct config_sync sync;
	struct config_forward_zone *forwards;
	struct config_group *groups;
	struct config_dated dated; // the key `entries`
	struct config_time_zones time_zones;
	struct config_control control;
	bool resolver_off, http_single; // runtime toggles set them (controlplane/memory/toggles.h)
};

// How many resolvers there are: `auto` is one for each two of `cpus` that no worker has, 8 at
// most. `cpus` NULL: the CPUs of this thread, and the quota of its cgroup (core/mem/cpu_quota.h).
unsigned config_resolvers(const struct config *c, const cpu_set_t *cpus);
// How many frontends there are: `auto` is one for each four of such CPUs, up to EPOCH_OWN_MAX.
unsigned config_frontends(const struct config *c, const cpu_set_t *cpus);
// Does any upstream server get bits of clients' addresses (struct config_subnet)?
bool config_sends_subnet(const struct config *c);
bool config_has_streams(const struct config *c); // serves TCP, in clear text or encrypted

uint32_t config_log_sample(const struct config *c); // 0: the query log is off
uint8_t config_log_detail(const struct config *c);  // enum log_detail (shm_abi.h)

// The setting that applies to a group, its own or inherited; `group` NULL: to everyone else.
// Never returns NULL.
const struct service_set *config_group_services(
	const struct config *c, const struct config_group *group);
const struct config_safe_search *config_group_safe_search(
	const struct config *c, const struct config_group *group);
const struct config_schedules *config_group_schedules(
	const struct config *c, const struct config_group *group);
struct config_ipv6 config_group_ipv6(const struct config *c, const struct config_group *group);
#define CONFIG_EVERYONE "everyone"                               // no group can be called so
const char *config_group_name(const struct config_group *group); // NULL: CONFIG_EVERYONE

bool config_address_is_host(const struct ip_address *a); // not multicast, broadcast, unspecified
// Should clients be given dp->addresses[i]? The box's own one only where no virtual one of that
// version is: it goes with the box.
bool config_address_is_public(const struct config_dataplane *dp, unsigned i);
// Does weir itself serve DNS at this address? A query to it would loop.
bool config_address_is_own(const struct config *c, const struct socket_address *a);
// Reads a server as `upstreams.servers` writes its address, before it is in that list. Refuses what
// the list refuses, a host name alone, and an IPv4 address in IPv6, which would pass as none of
// weir's own. `out`: without a name, of weight 1. -EINVAL, with `why`.
ATTR_MUST_CHECK int config_server_parse(const struct config *c, const char *text,
	struct config_upstream *out, char why[CONFIG_WHY_MAX]);
// Finds the servers that are given by a host name, one for each name and port, in the order of the
// file. Returns their number; the first CONFIG_HOSTS_MAX are in `out`.
unsigned config_hosts(const struct config *c, const struct config_upstream *out[CONFIG_HOSTS_MAX]);
// How many servers a list may have in use: a host name may have several addresses.
unsigned config_servers_most(const struct config_upstream *server, unsigned count);
// Finds one zone for each different list of servers of forward zones, those of groups included:
// zones with one list share its sockets. Returns their number.
unsigned config_forward_sets(
	const struct config *c, const struct config_forward_zone *out[CONFIG_FORWARD_SETS_MAX]);
enum { CONFIG_HOST_TEXT_MAX = CONFIG_TLS_NAME_MAX + 8 };
// "9.9.9.9:53", "dns.quad9.net:853".
char *config_server_text(const struct config_upstream *s, char out[CONFIG_HOST_TEXT_MAX]);

// Searches for statistics, linear; NULL: no such client. By name the letter case does not count; by
// address the longest prefix decides.
const struct config_client *config_client_by_name(const struct config *c, const char *name);
const struct config_client *config_client_by_address(
	const struct config *c, const struct ip_address *address);
const struct config_client *config_client_by_mac(
	const struct config *c, const struct config_mac *mac);
// Searches the groups, linear; NULL: no group has the name, as with CONFIG_EVERYONE, or it is NULL.
const struct config_group *config_group_by_name(const struct config *c, const char *name);

// -EINVAL (why: "weir.yaml:12:5: dataplane.ports: ..."), -ENOENT, -EACCES, -ENOMEM, ...
ATTR_MUST_CHECK static inline int config_load(
	const char *file_path, struct config **out_config, char out_why[CONFIG_WHY_MAX])
{
	return config_load_kind(file_path, CONFIG_SECRETS_ALL, out_config, out_why);
}
void config_free(struct config *c); // NULL is fine

// The reply for blocked names of a group's clients; `group` NULL: of everyone else.
void config_block_reply(
	const struct config *config, const struct config_group *group, struct dns_block *out);

struct dns_identity;
void config_identity_take(const struct config *config, struct dns_identity *out);
// The settings that workers need (shm_abi.h): every list applies to everyone, and no pause is on.
struct dp_config;
void config_for_workers(const struct config *config, struct dp_config *out);
