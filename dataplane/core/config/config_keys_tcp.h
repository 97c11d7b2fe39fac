// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keys of clients' connections, in the form that config_keys.h explains.

#define CONFIG_KEYS_TCP(X)                                                                        \
	X(tcp, enabled, enabled, BOOL, none, "true", 0, 0, LIVE,                                  \
		"Whether weir also serves the service addresses over TCP (port 53).")             \
	X(tcp, connections, connections, NUMBER, none, "12288", 16, 100000, LIVE,                 \
		"Connections at one time. One more closes the connection that was idle longest. " \
		"The limit of open files may lower this number.")                                 \
	X(tcp, per_client, per_client, NUMBER, none, "32", 1, 100000, LIVE,                       \
		"Connections at one time from one IPv4 address or IPv6 /64. One more closes the " \
		"client's connection that was idle longest.")                                     \
	X(tcp, pipelined, pipelined, NUMBER, none, "100", 1, 1000, LIVE,                          \
		"Questions of one connection in flight at one time. weir reads the next one "     \
		"when one of them is answered.")                                                  \
	X(tcp, queries, queries, NUMBER, none, "1024", 1, 16384, LIVE,                            \
		"Questions of all connections in flight at one time. weir reads the next one "    \
		"when one of them is answered. Best at most a quarter of `limits.inflight`, so "  \
		"that UDP has the rest.")                                                         \
	X(tcp, idle_timeout, idle_timeout_s, NUMBER, none, "10", 1, 600, LIVE,                    \
		"Seconds without a question after which weir closes a connection. The time "      \
		"falls to a tenth while the last quarter of `connections` fills. A client that "  \
		"sends the keepalive option gets this time (RFC 7828).")                          \
	X(tcp, query_timeout, query_timeout_s, NUMBER, none, "5", 1, 60, LIVE,                    \
		"Longest time from the first byte of a query to its last, in seconds.")           \
	X(tcp, connection_queries, connection_queries, NUMBER, none, "0", 0, 1000000000, LIVE,    \
		"Queries of one connection. weir answers them and then closes the connection. "   \
		"0: no limit.")                                                                   \
	X(tcp, connection_age, connection_age_s, NUMBER, none, "0", 0, 604800, LIVE,              \
		"Seconds after which weir closes a connection, once it has answered all that "    \
		"the connection asked. 0: no limit.")                                             \
	X(tcp, buffer_kb, buffer_kb, NUMBER, none, "4096", 256, 1048576, LIVE,                    \
		"KiB for queries and replies that are only partly received or sent. When they "   \
		"are used up, weir closes the connection that has stalled longest.")

#define CONFIG_KEYS_TLS(X)                                                                     \
	X(tls, name, name, TEXT, none, "", 0, 253, LIVE,                                       \
		"Host name by which clients know this box, which a certificate has. With it "  \
		"weir tells clients in `_dns.resolver.arpa` where it serves DNS over TLS and " \
		"HTTPS (RFC 9462), and answers the name itself with its service addresses "    \
		"([dot.md](../how-to/dot.md#the-name-itself)). A label below it may put a "    \
		"client into a group "                                                         \
		"(`groups.client_names`).")                                                    \
	X(tls, tickets_file, tickets_file, FILE, none, "", 0, 200, LIVE,                       \
		"Absolute path of a file with 1 to 4 secrets of session tickets, one a line, " \
		"each of 64 hexadecimal digits; or "                                           \
		"[credential:NAME or env:NAME](config-files.md#secrets). Boxes with the same " \
		"file resume each other's "                                                    \
		"sessions. The first makes tickets, all are accepted. weir reads it with the " \
		"configuration. Empty: random keys.")                                          \
	X(tls, min_version, only_1_3, CHOICE, tls_version, "1.2", 0, 0, LIVE,                  \
		"Lowest version of TLS that weir accepts from clients: `1.2` or `1.3`.")       \
	X(tls, client_ca, client_ca, TEXT, none, "", 0, 200, LIVE,                             \
		"Absolute path of a PEM file with 1 to 32 authorities. weir asks clients for " \
		"a certificate, and one that these vouch for names the client for "            \
		"`groups.client_names`. Any other certificate ends the handshake. Lists of "   \
		"revoked certificates (CRL) may stand in the file. Empty: weir asks for "      \
		"none.")                                                                       \
	X(tls, client_required, client_required, BOOL, none, "false", 0, 0, LIVE,              \
		"Whether the handshake of a client that shows no certificate fails. It needs " \
		"`tls.client_ca`.")

#define CONFIG_KEYS_DOT(X)                                                                        \
	X(dot, enabled, enabled, BOOL, none, "false", 0, 0, LIVE,                                 \
		"Whether weir serves DNS over TLS. It needs an entry of `tls.certificates`. The " \
		"limits and times are those of `tcp`.")                                           \
	X(dot, port, port, NUMBER, none, "853", 1, 65535, LIVE, "TCP port. Not 53.")

#define CONFIG_KEYS_DOH(X)                                                                        \
	X(doh, enabled, enabled, BOOL, none, "false", 0, 0, LIVE,                                 \
		"Whether weir serves DNS over HTTPS (HTTP/2 and HTTP/1.1). It needs an entry of " \
		"`tls.certificates`. The limits and times are those of `tcp`.")                   \
	X(doh, port, port, NUMBER, none, "443", 1, 65535, LIVE,                                   \
		"TCP port. Not 53, nor that of `dot`.")                                           \
	X(doh, path, path, TEXT, none, "/dns-query", 1, 120, LIVE,                                \
		"Path of the requests, which the URI template of clients has. One more part "     \
		"of it may be a name of `groups.client_names`. Another path gets status 404.")

#define CONFIG_CHOICES_TLS(X)    \
	X(tls_version, "1.2", 0) \
	X(tls_version, "1.3", 1)
