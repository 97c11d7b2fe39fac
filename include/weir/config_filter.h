// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What everyone, or a group of clients, can have beside block lists: blocked services, safe search,
// schedules, and servers to ask. Parts of struct config (config.h), which owns everything here.

#include "attr.h"
#include "bytes.h"
#include "dns_name.h"
#include "service_names.h"
#include "time_zone.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

// X(word, enumerator). Only YouTube has a moderate level of safe search.
#define SAFE_ENGINES(X)           \
	X(google, GOOGLE)         \
	X(bing, BING)             \
	X(youtube, YOUTUBE)       \
	X(duckduckgo, DUCKDUCKGO) \
	X(yandex, YANDEX)         \
	X(pixabay, PIXABAY)       \
	X(ecosia, ECOSIA)         \
	X(brave, BRAVE)

enum safe_engine {
#define X(word, id) SAFE_ENGINE_##id,
	SAFE_ENGINES(X)
#undef X
		SAFE_ENGINE_COUNT
};

enum safe_level { SAFE_LEVEL_OFF, SAFE_LEVEL_MODERATE, SAFE_LEVEL_STRICT };

struct config_safe_search {
	uint8_t level[SAFE_ENGINE_COUNT]; // enum safe_level
};

// "google"; `engine` below SAFE_ENGINE_COUNT.
const char *safe_engine_word(unsigned engine);
bool config_safe_search_any(const struct config_safe_search *s);

enum {
	CONFIG_SCHEDULES_MAX = 16, // schedules of one group or of everyone, family time included
	CONFIG_SCHEDULE_NAME_MAX = 23, // bytes; fits a rule image's title behind a group's name
	CONFIG_GROUP_NAME_MAX = 31,    // bytes; also fits in `$client` of a rule (RULE_CLIENT_MAX)
	CONFIG_SCHEDULE_DOMAINS_MAX = 1000,
	CONFIG_TIME_ZONE_MAX = 64,  // bytes of a zone's name
	CONFIG_TIME_ZONES_MAX = 64, // different zones of all schedules
	CONFIG_DAY_MIN = 24 * 60,
};

// A window of local time, the machine's or that of a time zone, on some days of the week, and its
// effect. Windows of one group, or of everyone, may overlap: their effects add up.
struct config_schedule {
	char *name;                   // unique in its group, or for everyone
	uint8_t days;                 // days on which it begins; bit 0: Monday, bit 6: Sunday
	uint16_t from_min;            // minute of the day, below CONFIG_DAY_MIN
	uint16_t to_min;              // 1..CONFIG_DAY_MIN; below from_min: on the day after
	char *time_zone;              // "Europe/Berlin"; NULL: the machine's
	const struct time_zone *zone; // borrowed; NULL: the machine's
	bool pause;                   // lifts permanent blocking, not the blocking of schedules
	bool block_all;      // blocks every name but local data and what an allow rule names
	bool is_family_time; // the key `family_time`, no item of `schedules`
	struct service_set services;
	unsigned list_count, domain_count;
	unsigned *lists;          // indices of blocking.lists
	struct dns_name *domains; // each stands for all names below it, too
};

// The zones of all schedules, each once.
struct config_time_zones {
	unsigned count;
	struct config_time_zone {
		char *path; // file of the zone
		struct time_zone *zone;
	} one[CONFIG_TIME_ZONES_MAX];
};

struct config_schedules {
	unsigned count;
	struct config_schedule *one;
};

struct config_filter {
	struct service_set services;
	struct config_safe_search safe_search;
	struct config_schedules schedules;
};

enum {
	CONFIG_UPSTREAMS_MAX = 16,
	CONFIG_SOURCES_MAX = 2,
	CONFIG_WEIGHT_MAX = 100,
	CONFIG_BOOTSTRAP_MAX = 8,
	CONFIG_HOSTS_MAX = 64,     // host names with their ports in all lists of servers together
	CONFIG_HOST_ADDRESSES = 4, // addresses of each family that weir uses for one host name
};

struct ip_address {
	uint8_t version;    // 4 or 6
	uint8_t prefix_len; // N of "/N"; without it 32 or 128
	uint8_t bytes[16];  // network order; IPv4 in the first 4
};

// Clears the host bits. True: a host bit was set.
static inline bool ip_address_mask(struct ip_address *a)
{
	const unsigned bytes = a->version == 4 ? 4 : 16;
	uint8_t cleared = 0;
	for (unsigned i = a->prefix_len / 8; i < bytes; i++) {
		const unsigned kept = i == a->prefix_len / 8u ? a->prefix_len % 8u : 0;
		const uint8_t behind = (uint8_t)(0xff >> kept);
		cleared |= a->bytes[i] & behind;
		a->bytes[i] &= (uint8_t)~behind;
	}
	return cleared != 0;
}

// Is all of `a` in the prefix?
static inline bool ip_address_covers(const struct ip_address *prefix, const struct ip_address *a)
{
	return prefix->version == a->version && prefix->prefix_len <= a->prefix_len
	       && bits_same(prefix->bytes, a->bytes, prefix->prefix_len);
}

struct socket_address {
	struct ip_address ip;
	uint16_t port; // host order
};

// Reads "198.18.0.53/24", "fd53::53". -EINVAL.
ATTR_MUST_CHECK int ip_address_parse(const char *text, struct ip_address *out);
// Reads "1.1.1.1", "1.1.1.1:5301", "[fd53::1]:53", "fd53::1". -EINVAL.
ATTR_MUST_CHECK int socket_address_parse(
	const char *text, uint16_t default_port, struct socket_address *out);
enum { SOCKET_ADDRESS_TEXT_MAX = 64 };
char *ip_address_text(
	const struct ip_address *a, bool with_prefix, char out[SOCKET_ADDRESS_TEXT_MAX]);
char *socket_address_text(const struct socket_address *a, char out[SOCKET_ADDRESS_TEXT_MAX]);
bool socket_address_to_sockaddr(
	const struct socket_address *a, struct sockaddr_storage *out, socklen_t *len);

enum {
	CONFIG_TLS_NAME_MAX = 253,
	CONFIG_PINS_MAX = 4,
	CONFIG_PIN_LEN = 32,
	CONFIG_HTTPS_PATH_MAX = 120,
	CONFIG_CA_FILE_MAX = 200
};

// How weir asks a server over TLS, or over HTTPS (controlplane/tls/tls.h).
struct config_upstream_tls {
	bool is_on;
	// Name in the certificate, lower case; "": the address.
	char name[CONFIG_TLS_NAME_MAX + 1];
	char path[CONFIG_HTTPS_PATH_MAX + 1]; // "/dns-query": over HTTPS; "": over TLS alone
	unsigned pin_count;
	uint8_t pin[CONFIG_PINS_MAX][CONFIG_PIN_LEN]; // SHA-256 of public keys
};

struct config_upstream {
	char *name; // text of the address unless given
	// Host name that weir resolves, in lower case; `address` has only the port then. "":
	// `address` is the server's.
	char host[CONFIG_TLS_NAME_MAX + 1];
	struct socket_address address;
	unsigned weight; // 1 to CONFIG_WEIGHT_MAX; 1 unless given
	bool trust_ad;   // an answer of this server with AD counts as validated
	struct config_upstream_tls tls;
	bool is_recursion; // weir's own recursion, at an address of controlplane/recursor
};

// Order in which weir asks servers that are up (controlplane/upstream/upstream_internal.h).
enum upstream_policy {
	UPSTREAM_FAILOVER, // order of the list
	UPSTREAM_LATENCY,
	UPSTREAM_LEAST, // fewest queries in flight first
	UPSTREAM_ROUND_ROBIN,
};

// Servers that get health checks (controlplane/upstream/upstream_check.c).
enum upstream_check_mode {
	UPSTREAM_CHECK_OFF,
	UPSTREAM_CHECK_DOWN, // servers that left a query unanswered
	UPSTREAM_CHECK_ALL,
};

// How queries over UDP leave the box (controlplane/route/routes.h).
enum upstream_via {
	UPSTREAM_VIA_AUTO,   // through the port where the route leaves by an exception interface
	UPSTREAM_VIA_KERNEL, // through kernel sockets
	UPSTREAM_VIA_PORT,   // like auto, with a warning for each server that no port reaches
};

enum upstream_mode {
	UPSTREAM_FORWARD,
	UPSTREAM_FORWARD_FIRST, // recursion is the last server
	UPSTREAM_RECURSIVE,     // recursion is the only server
};

// Over which versions of IP recursion asks authoritative servers (controlplane/recursor).
enum recursion_ip {
	RECURSION_IP_AUTO, // both, but for one over which no server answers
	RECURSION_IP_BOTH,
	RECURSION_IP_V4,
	RECURSION_IP_V6,
};

// Bits of a client's address that servers get with its questions (RFC 7871). Both 0: queries have
// no such option. One of them 0: no bits of that version's clients are sent.
struct config_subnet {
	uint8_t ipv4, ipv6;
};

struct config_upstreams {
	unsigned count; // number of servers, recursion included
	struct config_upstream server[CONFIG_UPSTREAMS_MAX];
	enum upstream_mode mode;
	enum recursion_ip recursion_ip;
	char *root_hints; // file of root servers for recursion; "" or NULL: the library's list
	uint64_t root_hints_hash;  // hash of that file's contents
	unsigned first_timeout_ms; // 400
	unsigned max_sends;        // 6
	enum upstream_policy policy;
	unsigned race; // servers asked at one time, 1
	struct config_subnet subnet;
	enum upstream_check_mode check;
	unsigned check_interval_s;  // 1
	char *check_text;           // "."; text of check_name
	struct dns_name check_name; // `len` 0: not set
	uint16_t check_type;        // NS
	unsigned backoff_s;         // 30: for this time a failed server is tried last
	enum upstream_via via;
	bool strict;   // weir asks every server over TLS, except servers of zones below the root
	char *ca_file; // certificate authorities of TLS servers; "" or NULL: the system's
	// Source addresses of queries through the port, one of each version at most; without one
	// the kernel chooses.
	unsigned source_count;
	struct ip_address source[CONFIG_SOURCES_MAX];
	unsigned bootstrap_count; // 0: no server is given by a host name
	struct socket_address bootstrap[CONFIG_BOOTSTRAP_MAX]; // servers that resolve host names
	// Queries over one socket or connection, set by a toggle (controlplane/memory/toggles.h).
	// 0: UPSTREAM_SOCKET_USES and UPSTREAM_STREAM_USES; UINT32_MAX: no bound.
	uint32_t socket_uses;
};
