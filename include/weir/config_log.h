// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Section query_log of the configuration (config.h), and where its rows go.

#include "dns_name.h"

#include <stdbool.h>
#include <stdint.h>

// The part of a client's address that is logged.
enum log_clients { LOG_CLIENTS_WHOLE, LOG_CLIENTS_HASHED, LOG_CLIENTS_TRUNCATED };

enum { CONFIG_LOG_EXCLUDE_MAX = 256, CONFIG_WEBHOOKS_MAX = 4, CONFIG_CLICKHOUSE_URLS_MAX = 8 };

// The store of the log on this box.
struct config_query_log_store {
	bool enabled;      // true
	char *directory;   // "": log, in runtime.state_directory
	uint32_t hours;    // 168
	uint32_t max_mb;   // 1024
	uint32_t max_rate; // 5000; 0: every row
};

enum log_partition { LOG_PARTITION_DAY, LOG_PARTITION_HOUR };

// The log in a ClickHouse server (docs/how-to/clickhouse.md).
struct config_query_log_clickhouse {
	char *url;                              // "": none, or `urls` has them
	unsigned url_count;                     // 0: no sink
	char *urls[CONFIG_CLICKHOUSE_URLS_MAX]; // of `urls`, or that of `url` alone
	char *database, *table;                 // "weir", "queries"; identifiers
	char *user, *password_file;             // "default", ""
	char *password;                         // from the file, NULL without one. Never printed
	char *ca_file;                          // "": the system's authorities
	enum log_partition partition;           // LOG_PARTITION_DAY
	uint32_t hours, max_mb;                 // 168, 0: any
	bool rollups;                           // true
	uint32_t rollup_days;                   // 400
	uint32_t flush_ms;                      // 5000
	char *spool_directory;                  // "": clickhouse, in runtime.state_directory
	uint32_t spool_mb;                      // 256
};

enum request_format { REQUESTS_TEXT, REQUESTS_JSON };

struct config_query_log_requests {
	bool enabled;    // false
	char *directory; // "": requests, in runtime.state_directory
	enum request_format format;
	uint32_t days;   // 7
	uint32_t max_mb; // 1024; of a day
};

struct config_query_log_dnstap {
	char *socket;  // "": none
	bool messages; // true: as they were on the wire
};

enum webhook_form { WEBHOOK_GENERIC, WEBHOOK_DISCORD };

struct config_webhook {
	char *url; // http or https
	enum webhook_form form;
	bool on_block, on_error, summary; // false
	uint32_t per_minute;              // 60: messages
	char *ca_file;                    // NULL: the system's authorities
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
	char *box;                  // "": the host's name
	enum log_clients anonymize; // LOG_CLIENTS_WHOLE
	unsigned exclude_domain_count, exclude_client_count;
	struct dns_name *exclude_domains;   // with all names below
	struct ip_address *exclude_clients; // prefixes without host bits
};
