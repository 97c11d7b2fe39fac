// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keys of query_log, of the mappings below it, of client_names and of events, in the form that
// config_keys.h explains.

#define CONFIG_KEYS_QUERY_LOG(X)                                                               \
	X(query_log, enabled, enabled, BOOL, none, "true", 0, 0, LIVE,                         \
		"Whether weir logs queries at all ([query-log.md](query-log.md)).")            \
	X(query_log, sample, sample, NUMBER, none, "1", 1, 1000000, LIVE,                      \
		"Queries for each record of the log. The record's weight is the number of "    \
		"queries that it stands for.")                                                 \
	X(query_log, box, box, TEXT, none, "", 0, 63, RESTART,                                 \
		"Name of this box in the query log, events and the audit log. Empty: "         \
		"`sync.name`, or else the host name, as they were at the start.")              \
	X(query_log, anonymize, anonymize, CHOICE, log_anonymize, "none", 0, 0, LIVE,          \
		"What the log has of a client, and all else that shows some to users of weir " \
		"(`watch`, `connections`, `tcp`), whatever their role. `none`: its address "   \
		"and port. `truncate`: its network, /24 or /48. `hash`: 16 hexadecimal "       \
		"digits, by a key that is drawn anew each day and at each start.")

// Below `query_log`, in a mapping of its own: query_log.store.hours and so on.
#define CONFIG_KEYS_QUERY_LOG_STORE(X)                                                           \
	X(query_log_store, enabled, enabled, BOOL, none, "true", 0, 0, RESTART,                  \
		"Whether weir stores the log on this box.")                                      \
	X(query_log_store, directory, directory, TEXT, none, "", 0, 200, RESTART,                \
		"Absolute path of the store's directory. weir creates it if its parent exists. " \
		"Empty: `log` in `runtime.state_directory`.")                                    \
	X(query_log_store, hours, hours, NUMBER, none, "168", 1, 8760, RESTART,                  \
		"Hours for which queries are kept.")                                             \
	X(query_log_store, max_mb, max_mb, NUMBER, none, "1024", 16, 1048576, RESTART,           \
		"Largest size of the store, in MiB; weir deletes the oldest files first.")       \
	X(query_log_store, max_rate, max_rate, NUMBER, none, "5000", 0, 10000000, RESTART,       \
		"Most rows a second. Beyond it the store keeps one row in several, with the "    \
		"weight of the others. 0: no limit.")

// Below `query_log`: query_log.clickhouse.url and so on.
#define CONFIG_KEYS_QUERY_LOG_CLICKHOUSE(X)                                                        \
	X(query_log_clickhouse, url, url, TEXT, none, "", 0, 400, LIVE,                            \
		"URL of the HTTP interface of a ClickHouse server: `http://192.0.2.9:8123`. "      \
		"weir resolves a host name by `blocking.update.bootstrap`. Empty: no server, or "  \
		"those of `urls`. To add the first URL or remove the last one needs a restart.")   \
	X(query_log_clickhouse, database, database, TEXT, none, "weir", 1, 48, LIVE,               \
		"Database; weir creates it if it does not exist.")                                 \
	X(query_log_clickhouse, table, table, TEXT, none, "queries", 1, 48, LIVE,                  \
		"Table; weir creates it if it does not exist, and adds the columns that an "       \
		"existing one lacks.")                                                             \
	X(query_log_clickhouse, user, user, TEXT, none, "default", 1, 63, LIVE,                    \
		"User name, sent in a header.")                                                    \
	X(query_log_clickhouse, password_file, password_file, FILE, none, "", 0, 200, LIVE,        \
		"Absolute path of a file whose first line is the password, sent in a header; or "  \
		"[credential:NAME or env:NAME](config-files.md#secrets).")                         \
	X(query_log_clickhouse, ca_file, ca_file, TEXT, none, "", 0, 200, RESTART,                 \
		"For an https URL: absolute path of a PEM file of the authorities that may sign "  \
		"the server's certificate, read with each connection. Empty: the system's "        \
		"authorities.")                                                                    \
	X(query_log_clickhouse, partition, partition, CHOICE, log_partition, "day", 0, 0, LIVE,    \
		"Partitions of a table that weir creates: by `day` or by `hour`.")                 \
	X(query_log_clickhouse, hours, hours, NUMBER, none, "168", 1, 87600, LIVE,                 \
		"weir drops a partition when its last row is older than this many hours. Where "   \
		"several boxes share a table, the largest value holds.")                           \
	X(query_log_clickhouse, max_mb, max_mb, NUMBER, none, "0", 0, 1073741824, LIVE,            \
		"weir drops the oldest partitions while the table takes more MiB on disk. 0: no "  \
		"limit. Where several boxes share a table, the largest value holds.")              \
	X(query_log_clickhouse, rollups, rollups, BOOL, none, "true", 0, 0, LIVE,                  \
		"Whether the server sums up by minutes, in tables of their own.")                  \
	X(query_log_clickhouse, rollup_days, rollup_days, NUMBER, none, "400", 1, 36500, LIVE,     \
		"Days for which the sums are kept, in partitions of a month.")                     \
	X(query_log_clickhouse, flush_ms, flush_ms, NUMBER, none, "5000", 100, 60000, LIVE,        \
		"Longest time that a row waits for others, in milliseconds.")                      \
	X(query_log_clickhouse, spool_directory, spool_directory, TEXT, none, "", 0, 200, RESTART, \
		"Absolute path of the directory where rows wait while the server does not "        \
		"accept them. weir creates it if its parent exists. Empty: `clickhouse` in "       \
		"`runtime.state_directory`.")                                                      \
	X(query_log_clickhouse, spool_mb, spool_mb, NUMBER, none, "256", 1, 1048576, RESTART,      \
		"Largest size of that directory, in MiB. weir deletes the oldest rows first and "  \
		"counts them.")

#define CONFIG_KEYS_QUERY_LOG_REQUESTS(X)                                                       \
	X(query_log_requests, enabled, enabled, BOOL, none, "false", 0, 0, RESTART,             \
		"Whether weir writes each query as a line of a file, one file a day.")          \
	X(query_log_requests, directory, directory, TEXT, none, "", 0, 200, RESTART,            \
		"Absolute path of the directory of these files. weir creates it if its parent " \
		"exists. Empty: `requests` in `runtime.state_directory`.")                      \
	X(query_log_requests, format, format, CHOICE, request_format, "text", 0, 0, RESTART,    \
		"Form of a line: words (`text`) or a JSON object (`json`).")                    \
	X(query_log_requests, days, days, NUMBER, none, "7", 1, 3660, RESTART,                  \
		"Number of files that are kept, today's included.")                             \
	X(query_log_requests, max_mb, max_mb, NUMBER, none, "1024", 1, 1048576, RESTART,        \
		"Largest size of a day's file, in MiB. weir counts the lines beyond as lost.")

#define CONFIG_KEYS_QUERY_LOG_DNSTAP(X)                                                       \
	X(query_log_dnstap, socket, socket, TEXT, none, "", 0, 100, RESTART,                  \
		"Absolute path of the unix socket of a frame streams receiver, or "           \
		"`tcp:ADDRESS:PORT`. Empty: no dnstap.")                                      \
	X(query_log_dnstap, messages, messages, BOOL, none, "true", 0, 0, LIVE,               \
		"Whether the receiver gets each query and reply whole, as on the wire. With " \
		"`anonymize` it gets no messages.")

#define CONFIG_KEYS_CLIENT_NAMES(X)                                                               \
	X(client_names, usual_files, usual_files, BOOL, none, "true", 0, 0, LIVE,                 \
		"Whether weir takes names of clients from `/etc/hosts` and from the lease files " \
		"of dnsmasq, ISC dhcpd and Kea where Debian has them.")

#define CONFIG_KEYS_EVENTS(X)                                                                      \
	X(events, journal, journal, CHOICE, events_journal, "auto", 0, 0, LIVE,                    \
		"Whether each event is an entry of systemd's journal, with its fields. `auto`: "   \
		"where the journal takes the log of the control plane.")                           \
	X(events, syslog, syslog, TEXT, none, "", 0, 63, LIVE,                                     \
		"IP address, with or without port (default 514), of a syslog server that gets "    \
		"each event (RFC 5424). Empty: none.")                                             \
	X(events, syslog_transport, syslog_transport, CHOICE, events_transport, "udp", 0, 0, LIVE, \
		"How: a datagram each (`udp`), or a connection (`tcp`, "                           \
		"RFC 6587).")

#define CONFIG_CHOICES_EVENTS(X)                       \
	X(events_journal, "auto", EVENTS_JOURNAL_AUTO) \
	X(events_journal, "on", EVENTS_JOURNAL_ON)     \
	X(events_journal, "off", EVENTS_JOURNAL_OFF)   \
	X(events_transport, "udp", EVENTS_SYSLOG_UDP)  \
	X(events_transport, "tcp", EVENTS_SYSLOG_TCP)  \
	X(event_severity, "info", EVENT_IS_info)       \
	X(event_severity, "warning", EVENT_IS_warning) \
	X(event_severity, "error", EVENT_IS_error)
