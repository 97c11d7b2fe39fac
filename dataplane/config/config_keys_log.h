// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keys of query_log and of the mappings below it, in the form that config_keys.h explains.

#define CONFIG_KEYS_QUERY_LOG(X)                                                               \
	X(query_log, enabled, enabled, BOOL, none, "true", 0, 0, LIVE,                         \
		"Whether queries are logged at all ([query-log.md](query-log.md)).")           \
	X(query_log, sample, sample, NUMBER, none, "1", 1, 1000000, LIVE,                      \
		"One record for so many queries. Its weight says for how many it stands.")     \
	X(query_log, box, box, TEXT, none, "", 0, 63, RESTART,                                 \
		"What this box is called in the log. Empty: its host name.")                   \
	X(query_log, anonymize, anonymize, CHOICE, log_anonymize, "none", 0, 0, LIVE,          \
		"What is logged of a client: `none`: its address and port; `truncate`: the "   \
		"network, /24 or "                                                             \
		"/48; `hash`: 16 hexadecimal digits by a key that is drawn anew each day and " \
		"at each start.")

// Below `query_log`, in a mapping of its own: query_log.store.hours and so on.
#define CONFIG_KEYS_QUERY_LOG_STORE(X)                                                             \
	X(query_log_store, enabled, enabled, BOOL, none, "true", 0, 0, RESTART,                    \
		"Whether queries are kept on this box.")                                           \
	X(query_log_store, directory, directory, TEXT, none, "", 0, 200, RESTART,                  \
		"Where. Absolute; made if its parent is there. Empty: `log` in "                   \
		"`runtime.state_directory`.")                                                      \
	X(query_log_store, hours, hours, NUMBER, none, "168", 1, 8760, RESTART,                    \
		"For so many hours.")                                                              \
	X(query_log_store, max_mb, max_mb, NUMBER, none, "1024", 16, 1048576, RESTART,             \
		"In so many MiB at most; the oldest files go first.")                              \
	X(query_log_store, max_rate, max_rate, NUMBER, none, "5000", 0, 10000000, RESTART,         \
		"Of more rows a second one in so many is kept, with the weight of the others. 0: " \
		"all are.")

// Below `query_log`, likewise.
#define CONFIG_KEYS_QUERY_LOG_CLICKHOUSE(X)                                                        \
	X(query_log_clickhouse, url, url, TEXT, none, "", 0, 400, LIVE,                            \
		"Of the HTTP interface of a ClickHouse server: `http://192.0.2.9:8123`. A name "   \
		"is asked of `blocking.update.bootstrap`. Empty: none, or those of `urls`; the "   \
		"first one, and none again, need a restart.")                                      \
	X(query_log_clickhouse, database, database, TEXT, none, "weir", 1, 48, LIVE,               \
		"Made if it is not there.")                                                        \
	X(query_log_clickhouse, table, table, TEXT, none, "queries", 1, 48, LIVE,                  \
		"Likewise; one that is there gets the columns that it lacks.")                     \
	X(query_log_clickhouse, user, user, TEXT, none, "default", 1, 63, LIVE,                    \
		"Sent in a header.")                                                               \
	X(query_log_clickhouse, password_file, password_file, TEXT, none, "", 0, 200, LIVE,        \
		"A file whose first line is the password, sent in a header; absolute.")            \
	X(query_log_clickhouse, ca_file, ca_file, TEXT, none, "", 0, 200, RESTART,                 \
		"Of an https URL: a PEM file of the authorities that may vouch for the server, "   \
		"absolute; read with each connection. Empty: the system's authorities.")           \
	X(query_log_clickhouse, partition, partition, CHOICE, log_partition, "day", 0, 0, LIVE,    \
		"Of a table that is made: by `day` or `hour`.")                                    \
	X(query_log_clickhouse, hours, hours, NUMBER, none, "168", 1, 87600, LIVE,                 \
		"Partitions whose last row is older are dropped. Of several boxes that share a "   \
		"table the widest limit holds.")                                                   \
	X(query_log_clickhouse, max_mb, max_mb, NUMBER, none, "0", 0, 1073741824, LIVE,            \
		"The oldest partitions are dropped while the table takes more MiB on disk. 0: "    \
		"not. Of several boxes that share a table the widest limit holds.")                \
	X(query_log_clickhouse, rollups, rollups, BOOL, none, "true", 0, 0, LIVE,                  \
		"Whether the server sums up by minutes, in tables of their own.")                  \
	X(query_log_clickhouse, rollup_days, rollup_days, NUMBER, none, "400", 1, 36500, LIVE,     \
		"For so many days, in months.")                                                    \
	X(query_log_clickhouse, flush_ms, flush_ms, NUMBER, none, "5000", 100, 60000, LIVE,        \
		"A row waits for others for so long at most.")                                     \
	X(query_log_clickhouse, spool_directory, spool_directory, TEXT, none, "", 0, 200, RESTART, \
		"Where rows wait while the server does not take them; absolute, made if its "      \
		"parent is there. Empty: `clickhouse` in `runtime.state_directory`.")              \
	X(query_log_clickhouse, spool_mb, spool_mb, NUMBER, none, "256", 1, 1048576, RESTART,      \
		"In so many MiB at most; the oldest go first, counted.")

#define CONFIG_KEYS_QUERY_LOG_REQUESTS(X)                                                    \
	X(query_log_requests, enabled, enabled, BOOL, none, "false", 0, 0, RESTART,          \
		"Whether each query is a line of a file, one file a day.")                   \
	X(query_log_requests, directory, directory, TEXT, none, "", 0, 200, RESTART,         \
		"Where. Absolute; made if its parent is there. Empty: `requests` in "        \
		"`runtime.state_directory`.")                                                \
	X(query_log_requests, format, format, CHOICE, request_format, "text", 0, 0, RESTART, \
		"Words, or an object of JSON on each line.")                                 \
	X(query_log_requests, days, days, NUMBER, none, "7", 1, 3660, RESTART,               \
		"Files that are kept, today's included.")                                    \
	X(query_log_requests, max_mb, max_mb, NUMBER, none, "1024", 1, 1048576, RESTART,     \
		"A day's file in MiB at most; what is more is counted as lost.")

#define CONFIG_KEYS_QUERY_LOG_DNSTAP(X)                                                            \
	X(query_log_dnstap, socket, socket, TEXT, none, "", 0, 100, RESTART,                       \
		"The unix socket of a frame streams receiver, absolute. Empty: none.")             \
	X(query_log_dnstap, messages, messages, BOOL, none, "true", 0, 0, LIVE,                    \
		"Whether it gets each query and reply whole, as on the wire. With `anonymize` it " \
		"gets none.")
