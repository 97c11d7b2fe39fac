// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The part of config_schema.h about what other programs read and control: metrics, the control API
// over the network, names of clients, events, the update
// notice.

struct config_raw_certificate;

struct config_raw_metrics {
	char *listen, *ready_needs_upstream;
	char **allow, **hosts;
	unsigned allow_count, hosts_count;
};

struct config_raw_control_client {
	char *name, *role;
};

struct config_raw_control {
	char *client_ca, *page, *connections, *source_connections;
	char **listen, **allow;
	unsigned listen_count, allow_count;
	struct config_raw_certificate *certificates;
	unsigned certificates_count;
	struct config_raw_control_client *clients;
	unsigned clients_count;
};

struct config_raw_event_webhook {
	char *url, *form, *severity, *per_minute, *ca_file;
	char **kinds;
	unsigned kinds_count;
};

struct config_raw_client_names {
	char *usual_files;
	char **lease_files, **ptr_servers;
	unsigned lease_files_count, ptr_servers_count;
};

struct config_raw_updates {
	char *check, *url, *key, *interval, *jitter;
};

struct config_raw_events {
	char *journal, *syslog, *syslog_transport;
	struct config_raw_event_webhook *webhooks;
	unsigned webhooks_count;
};
