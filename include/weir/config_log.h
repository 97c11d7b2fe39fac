// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Sections query_log and events of the configuration (config.h): where rows and events go.

#include "config_filter.h"
#include "dns_name.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

// The part of a client's address that is logged.
enum log_clients { LOG_CLIENTS_WHOLE, LOG_CLIENTS_HASHED, LOG_CLIENTS_TRUNCATED };

enum { CONFIG_LOG_EXCLUDE_MAX = 256, CONFIG_WEBHOOKS_MAX = 4, CONFIG_CLICKHOUSE_URLS_MAX = 8 };

// The query log on this box.
struct config_query_log_store {
	bool enabled;      // true
	char *directory;   // "": `log` in runtime.state_directory
	uint32_t hours;    // 168
	uint32_t max_mb;   // 1024
	uint32_t max_rate; // 5000; 0: every row
};

enum log_partition { LOG_PARTITION_DAY, LOG_PARTITION_HOUR };

// The log in a ClickHouse server (docs/how-to/clickhouse.md).
struct config_query_log_clickhouse {
	char *url;                              // "": not given, or `urls` is
	unsigned url_count;                     // 0: no sink
	char *urls[CONFIG_CLICKHOUSE_URLS_MAX]; // all of `urls`, or `url` alone
	char *database, *table;                 // "weir", "queries"; identifiers
	char *user, *password_file;             // "default", ""
	char *password;                         // read from password_file, or NULL. Never printed
	char *ca_file;                          // "": the system's authorities
	enum log_partition partition;           // LOG_PARTITION_DAY
	uint32_t hours, max_mb;                 // 168; 0: any size
	bool rollups;                           // true
	uint32_t rollup_days;                   // 400
	uint32_t flush_ms;                      // 5000
	char *spool_directory;                  // "": `clickhouse` in runtime.state_directory
	uint32_t spool_mb;                      // 256
};

enum request_format { REQUESTS_TEXT, REQUESTS_JSON };

struct config_query_log_requests {
	bool enabled;    // false
	char *directory; // "": `requests` in runtime.state_directory
	enum request_format format;
	uint32_t days;   // 7
	uint32_t max_mb; // size of one day's file, 1024
};

struct config_query_log_dnstap {
	char *socket;  // "": no dnstap
	bool messages; // true: with the messages in wire format
};

enum webhook_form { WEBHOOK_GENERIC, WEBHOOK_DISCORD };

struct config_webhook_to {
	char *url; // http or https
	enum webhook_form form;
	uint32_t per_minute; // messages, 60
	char *ca_file;       // NULL: the system's authorities
};

struct config_webhook {
	struct config_webhook_to to;
	bool on_block, on_error, summary; // false
};

struct ip_address;

struct config_query_log {
	struct config_query_log_store store;
	struct config_query_log_clickhouse clickhouse;
	struct config_query_log_requests requests;
	struct config_query_log_dnstap dnstap;
	unsigned webhook_count;
	struct config_webhook *webhooks;
	bool enabled;               // true
	uint32_t sample;            // 1
	char *box;                  // "": sync.name, or else the host's name
	enum log_clients anonymize; // LOG_CLIENTS_WHOLE
	unsigned exclude_domain_count, exclude_client_count;
	struct dns_name *exclude_domains;   // each stands for all names below it, too
	struct ip_address *exclude_clients; // prefixes without host bits
};

enum { CONFIG_LEASE_FILES_MAX = 8, CONFIG_CLIENT_PTR_MAX = 4, CONFIG_LEASE_PATH_MAX = 200 };

// Where names of clients come from, besides `clients` (controlplane/client_names/client_names.h).
struct config_client_names {
	bool usual_files; // true
	unsigned lease_file_count, ptr_server_count;
	char lease_files[CONFIG_LEASE_FILES_MAX][CONFIG_LEASE_PATH_MAX + 1]; // absolute
	struct socket_address ptr_servers[CONFIG_CLIENT_PTR_MAX]; // 0: weir sends no PTR query
};

// X(name, usual severity): the kinds of events (controlplane/events/events.h). A set of kinds has a
// bit for each.
#define EVENT_KINDS(X)                  \
	X(process_started, info)        \
	X(config_reloaded, info)        \
	X(config_refused, error)        \
	X(config_applied, info)         \
	X(config_taken_back, error)     \
	X(config_not_taken_back, error) \
	X(config_differs, warning)      \
	X(list_changed, info)           \
	X(list_failed, warning)         \
	X(blocking_paused, info)        \
	X(blocking_resumed, info)       \
	X(rules_rolled_back, warning)   \
	X(upstream_down, warning)       \
	X(upstream_up, info)            \
	X(upstream_drained, info)       \
	X(upstream_undrained, info)     \
	X(alarm_raised, warning)        \
	X(alarm_over, info)             \
	X(dataplane_came, info)         \
	X(dataplane_went, warning)      \
	X(control_locked, warning)      \
	X(update_available, info)       \
	X(update_refused, warning)      \
	X(sync_taken, info)             \
	X(sync_refused, warning)        \
	X(sync_wave, info)              \
	X(sync_rollout_stopped, error)  \
	X(clock_grace_began, warning)   \
	X(clock_grace_ended, info)

enum event_kind {
#define X(name, severity) EVENT_##name,
	EVENT_KINDS(X)
#undef X
		EVENT_KIND_COUNT
};
static_assert(EVENT_KIND_COUNT <= 32, "a set of kinds has 32 bits");
#define EVENT_KINDS_ALL ((uint32_t)((UINT64_C(1) << EVENT_KIND_COUNT) - 1))

enum event_severity { EVENT_IS_info, EVENT_IS_warning, EVENT_IS_error, EVENT_SEVERITIES };

struct config_event_webhook {
	struct config_webhook_to to;
	uint32_t kinds;               // a bit for each enum event_kind; EVENT_KINDS_ALL
	enum event_severity severity; // least severity that is sent; EVENT_IS_info
};

enum config_events_journal { EVENTS_JOURNAL_AUTO, EVENTS_JOURNAL_ON, EVENTS_JOURNAL_OFF };
enum config_events_transport { EVENTS_SYSLOG_UDP, EVENTS_SYSLOG_TCP };

struct config_events {
	enum config_events_journal journal;            // EVENTS_JOURNAL_AUTO
	char *syslog;                                  // "": no syslog server
	enum config_events_transport syslog_transport; // EVENTS_SYSLOG_UDP
	struct socket_address syslog_address;          // address of `syslog`
	unsigned webhook_count;
	struct config_event_webhook *webhooks;
};

// Does any setting of `a` differ from that of `b`?
bool config_events_differ(const struct config_events *a, const struct config_events *b);
