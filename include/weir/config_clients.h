// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Settings for DNS on kernel sockets, for access and for weir's identity, and the list of included
// files. Parts of struct config (config.h), which owns everything here.

#include "config_filter.h"
#include "dns_cookie.h"

#include <stdbool.h>
#include <stdint.h>

// TCP on the service addresses (controlplane/frontend/frontend_tcp.h).
struct config_tcp {
	bool enabled;                // true
	uint32_t connections;        // 12288
	uint32_t per_client;         // 32
	uint32_t pipelined;          // queries in flight on one connection, 100
	uint32_t queries;            // queries in flight on all connections, 1024
	uint32_t idle_timeout_s;     // 10
	uint32_t query_timeout_s;    // 5
	uint32_t connection_queries; // 0: any number
	uint32_t connection_age_s;   // 0: any age
	uint32_t buffer_kb;          // 4096
};

enum { CONFIG_CERTIFICATES_MAX = 16, CONFIG_CERTIFICATE_PATH_MAX = 200 };
enum { CONFIG_TLS_SERVER_NAME_MAX = 253 };
enum { CONFIG_TICKET_SECRETS_MAX = 4, CONFIG_TICKET_SECRET_LEN = 32, CONFIG_DOH_PATH_MAX = 120 };

// TLS for clients (controlplane/tls/tls_server.h).
struct config_tls {
	bool only_1_3;         // no TLS 1.2
	char *name;            // this box's name for clients, in lower case; "": not known
	char *tickets_file;    // absolute, credential:, env: or ""; its secrets are in `secret`
	char *client_ca;       // absolute; "": weir asks clients for no certificate
	bool client_required;  // false; if true there is client_ca
	unsigned secret_count; // 0: random keys
	uint8_t secret[CONFIG_TICKET_SECRETS_MAX][CONFIG_TICKET_SECRET_LEN]; // never printed
	unsigned count;
	struct config_certificate {
		char cert[CONFIG_CERTIFICATE_PATH_MAX + 1], key[CONFIG_CERTIFICATE_PATH_MAX + 1];
	} certificate[CONFIG_CERTIFICATES_MAX];
};

enum {
	CONFIG_CONTROL_LISTEN_MAX = 4,
	CONFIG_CONTROL_ALLOW_MAX = 16,
	CONFIG_CONTROL_CLIENTS_MAX = 32,
	CONFIG_CONTROL_NAME_MAX = 63,
};

// What a user of the control API may do; each role includes the one before it. An endpoint without
// a role needs an admin.
enum control_role {
	CONTROL_NONE,
	CONTROL_SYNC, // a secondary's polls (controlplane/sync/sync.h), and nothing else
	CONTROL_READ,
	CONTROL_OPERATE,
	CONTROL_ADMIN
};

// The control API over HTTPS (controlplane/remote/api_control.c).
struct config_control {
	unsigned listen_count; // 0: only on the control socket
	struct socket_address listen[CONFIG_CONTROL_LISTEN_MAX];
	unsigned allow_count;
	struct ip_address allow[CONFIG_CONTROL_ALLOW_MAX]; // clients that may connect
	char *client_ca; // absolute; "": weir asks for no certificate
	bool page;       // false; serve the page for browsers
	unsigned connections, source_connections;
	unsigned count; // 0: the certificates of `tls` count
	struct config_certificate certificate[CONFIG_CERTIFICATES_MAX];
	unsigned client_count;
	struct config_control_client {
		char name[CONFIG_CONTROL_NAME_MAX + 1]; // name in the client's certificate
		enum control_role role;
	} client[CONFIG_CONTROL_CLIENTS_MAX];
};

// DNS over TLS, and over HTTPS (controlplane/doh/doh.h), on the service addresses.
struct config_dot {
	bool enabled; // false; if true there is a certificate
	uint16_t port;
	char *path; // for HTTPS: "/dns-query"
};

enum { CONFIG_BALANCERS_MAX = 64 };

// Balancers that forward connections and datagrams by PROXY protocol v2 (sender.h).
struct config_proxy_protocol {
	unsigned from_count;                          // 0: no balancer does
	struct ip_address from[CONFIG_BALANCERS_MAX]; // prefixes without host bits
};

// Whether the control plane answers UDP while no data plane runs (frontend_udp.h).
enum fallback_udp { FALLBACK_AUTO, FALLBACK_ON, FALLBACK_OFF };

struct config_fallback {
	enum fallback_udp udp;
};

// Clients that may ask, and how often. The longest prefix of `allow` and `deny` decides; a client
// in none of them may not ask. The words of the file (`private`, `local`, `any`) are prefixes here.
struct config_access {
	bool refuse;      // a client that may not ask gets REFUSED; false: no reply
	bool any_minimal; // ANY gets one HINFO record; false: the upstreams' answer
	unsigned allow_count, deny_count, unlimited_count;
	struct ip_address *allow, *deny; // prefixes without host bits; a prefix in both is denied
	struct ip_address *unlimited;    // no limit applies to these clients
	uint32_t rate, network_rate; // queries a second of an address, of a network; 0: no limit
	uint32_t burst_s;            // a burst may have the queries of this many seconds
	uint32_t reply_octets;       // bytes of a reply that count as one query; 0: all of them
	uint32_t slip;               // one in so many queries over the limit gets TC; 0: no query
};

enum {
	CONFIG_METRICS_ALLOW_MAX = 16,
	CONFIG_METRICS_HOSTS_MAX = 16,
	CONFIG_METRICS_HOST_MAX = 253
};

// Metrics over the network.
struct config_metrics {
	char *listen;                  // "": weir serves no metrics
	struct socket_address address; // address in `listen`
	bool ready_needs_upstream;
	unsigned allow_count;
	struct ip_address allow[CONFIG_METRICS_ALLOW_MAX]; // clients that may scrape
	unsigned host_count;
	char host[CONFIG_METRICS_HOSTS_MAX][CONFIG_METRICS_HOST_MAX + 1]; // names in header Host
};

// Texts about weir itself (dns_identity.h); "": not given.
struct config_identity {
	char *version, *name, *nsid;
};

// DNS cookies (dns_cookie.h).
struct config_cookies {
	bool enabled;
	enum dns_cookie_require require;
	char *secret_file; // absolute, credential:, env: or ""; its secrets are in `secret`
	unsigned count;    // 0: the control plane makes its own secrets
	uint8_t secret[DNS_COOKIE_SECRETS_MAX][DNS_COOKIE_SECRET_LEN]; // never printed
};

// The files that the key `include` names.
enum {
	CONFIG_INCLUDE_MAX = 32,       // paths and patterns
	CONFIG_INCLUDED_MAX = 64,      // files
	CONFIG_INCLUDE_PATH_MAX = 200, // bytes of a path or pattern
};

// Which secrets a load opens: all; the secrets that this process has (config_load_all); no secret.
enum config_secrets_kind { CONFIG_SECRETS_ALL, CONFIG_SECRETS_FOUND, CONFIG_SECRETS_NONE };

struct config;
// Loads as config_load() does. `why` has room for CONFIG_WHY_MAX bytes.
ATTR_MUST_CHECK int config_load_kind(
	const char *path, enum config_secrets_kind secrets, struct config **out, char *why);

struct config_include {
	unsigned file_count, folder_count;
	char **files;   // absolute, in the order in which they count
	char **folders; // absolute: a new file in one of them may match a pattern
	// An item of `include` is an absolute path: a copy of the main file elsewhere includes the
	// same files. False for a configuration that was read from memory.
	bool has_absolute;
};
