// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keys of upstreams, of answers made from theirs (`ipv6`) and of their validation, in the form
// that config_keys.h explains.

#define CONFIG_KEYS_UPSTREAMS(X)                                                                 \
	X(upstreams, mode, mode, CHOICE, upstream_mode, "forward", 0, 0, LIVE,                   \
		"Who answers: the servers of `upstreams.servers` (`forward`), weir itself from " \
		"the authoritative servers (`recursive`, without `servers`), or weir itself "    \
		"where no server answers (`forward-first`). See "                                \
		"[recursion.md](../how-to/recursion.md).")                                       \
	X(upstreams, root_hints, root_hints, FILE, none, "", 0, 200, LIVE,                       \
		"Absolute path of a file with the name servers of the root, for recursion. "     \
		"Empty: those that libunbound has built in.")                                    \
	X(upstreams, recursion_ip, recursion_ip, CHOICE, recursion_ip, "auto", 0, 0, LIVE,       \
		"Versions of IP over which recursion asks: `both`, `ipv4`, `ipv6`, or `auto`: "  \
		"both, but for one over which no server answers while one answers over the "     \
		"other. See [recursion.md](../how-to/recursion.md#without-ipv6).")               \
	X(upstreams, first_timeout_ms, first_timeout_ms, NUMBER, none, "400", 20, 1500, LIVE,    \
		"Longest wait for a reply to the first query of a question, in milliseconds.")   \
	X(upstreams, max_sends, max_sends, NUMBER, none, "6", 1, 16, LIVE,                       \
		"Most queries that weir sends to upstreams for one question.")                   \
	X(upstreams, policy, policy, CHOICE, upstream_policy, "failover", 0, 0, LIVE,            \
		"Which server weir asks first, of those that are up: the first one of the "      \
		"list (`failover`), the quickest (`latency`), the one with the fewest "          \
		"queries under way (`least-outstanding`), or one after the other "               \
		"(`round-robin`). Groups and forward zones may have another one. "               \
		"See [upstreams.md](../how-to/upstreams.md).")                                   \
	X(upstreams, race, race, NUMBER, none, "1", 1, 2, LIVE,                                  \
		"Servers that weir asks at one time; the first good reply counts. `2` costs "    \
		"a second query for each question.")                                             \
	X(upstreams, client_subnet_ipv4, subnet.ipv4, NUMBER, none, "0", 0, 32, LIVE,            \
		"Bits of an IPv4 client's address that weir sends to servers with its "          \
		"questions (EDNS Client Subnet, RFC 7871), so that answers suit the client's "   \
		"network; 24 is usual. `0`: none. See "                                          \
		"[client-subnet.md](../how-to/client-subnet.md).")                               \
	X(upstreams, client_subnet_ipv6, subnet.ipv6, NUMBER, none, "0", 0, 128, LIVE,           \
		"The same of an IPv6 client's; 56 is usual.")                                    \
	X(upstreams, check, check, CHOICE, upstream_check, "down", 0, 0, LIVE,                   \
		"Servers that weir sends a query of its own, to see whether they answer: "       \
		"those that left one unanswered (`down`), `all`, or none (`off`).")              \
	X(upstreams, check_interval, check_interval_s, NUMBER, none, "1", 1, 60, LIVE,           \
		"Seconds between two checks of a server.")                                       \
	X(upstreams, check_name, check_text, TEXT, none, ".", 1, 255, LIVE,                      \
		"Name that a check asks for. Any reply will do.")                                \
	X(upstreams, check_type, check_type, CHOICE, check_type, "NS", 0, 0, LIVE,               \
		"Type that a check asks for.")                                                   \
	X(upstreams, via, via, CHOICE, upstream_via, "auto", 0, 0, LIVE,                         \
		"How queries over UDP leave. `auto`: through the port of the data plane where "  \
		"the kernel's route to the server leaves by that port's interface, else by "     \
		"sockets. `port`: the same, and weir logs a warning for each server that "       \
		"cannot be asked through the port. `kernel`: by sockets. See "                   \
		"[upstreams.md](../how-to/upstreams.md#through-the-port).")                      \
	X(upstreams, strict, strict, BOOL, none, "false", 0, 0, LIVE,                            \
		"`true`: the configuration is refused if a server of `upstreams.servers` or of " \
		"a group, or of a forward zone of the root, would be asked in clear text. "      \
		"Servers of other forward zones may be. See "                                    \
		"[upstreams.md](../how-to/upstreams.md#over-tls).")                              \
	X(upstreams, ca_file, ca_file, FILE, none, "", 0, 200, LIVE,                             \
		"Absolute path of a PEM file with the authorities that vouch for servers over "  \
		"TLS. Empty: the system's, in `/etc/ssl/certs`.")                                \
	X(upstreams, backoff, backoff_s, NUMBER, none, "30", 1, 300, LIVE,                       \
		"Seconds for which a server that left queries unanswered is tried last where "   \
		"`check` is `off`, and one that fails what others answer comes after them.")

// X(choices, word, value)
#define CONFIG_CHOICES_UPSTREAMS(X)                               \
	X(upstream_mode, "forward", UPSTREAM_FORWARD)             \
	X(upstream_mode, "forward-first", UPSTREAM_FORWARD_FIRST) \
	X(upstream_mode, "recursive", UPSTREAM_RECURSIVE)         \
	X(recursion_ip, "auto", RECURSION_IP_AUTO)                \
	X(recursion_ip, "both", RECURSION_IP_BOTH)                \
	X(recursion_ip, "ipv4", RECURSION_IP_V4)                  \
	X(recursion_ip, "ipv6", RECURSION_IP_V6)                  \
	X(upstream_check, "off", UPSTREAM_CHECK_OFF)              \
	X(upstream_check, "down", UPSTREAM_CHECK_DOWN)            \
	X(upstream_check, "all", UPSTREAM_CHECK_ALL)              \
	X(check_type, "A", DNS_TYPE_A)                            \
	X(check_type, "AAAA", DNS_TYPE_AAAA)                      \
	X(check_type, "NS", DNS_TYPE_NS)                          \
	X(check_type, "SOA", DNS_TYPE_SOA)                        \
	X(check_type, "TXT", DNS_TYPE_TXT)                        \
	X(upstream_via, "auto", UPSTREAM_VIA_AUTO)                \
	X(upstream_via, "kernel", UPSTREAM_VIA_KERNEL)            \
	X(upstream_via, "port", UPSTREAM_VIA_PORT)                \
	X(upstream_policy, "failover", UPSTREAM_FAILOVER)         \
	X(upstream_policy, "latency", UPSTREAM_LATENCY)           \
	X(upstream_policy, "least-outstanding", UPSTREAM_LEAST)   \
	X(upstream_policy, "round-robin", UPSTREAM_ROUND_ROBIN)

#define CONFIG_KEYS_IPV6(X)                                                                   \
	X(ipv6, dns64, dns64_text, TEXT, none, "", 0, 63, LIVE,                               \
		"Prefix of a NAT64, `64:ff9b::/96` or one of your own: a name without AAAA "  \
		"records gets one for each of its A records (DNS64, RFC 6147). Empty: none.") \
	X(ipv6, filter_aaaa, filter_aaaa, BOOL, none, "false", 0, 0, LIVE,                    \
		"`true`: no name has AAAA records, so that clients use IPv4.")

#define CONFIG_KEYS_DNSSEC(X)                                                                    \
	X(dnssec, validate, validate, BOOL, none, "false", 0, 0, LIVE,                           \
		"Whether weir validates what upstreams answer. A bogus answer is SERVFAIL with " \
		"the reason, and a secure one has AD for clients that ask with AD or DO. See "   \
		"[dnssec.md](../how-to/dnssec.md).")                                             \
	X(dnssec, anchors, anchors, FILE, none, "/usr/share/dns/root.key", 1, 200, LIVE,         \
		"Absolute path of the file of trust anchors: DNSKEY or DS records, or a file "   \
		"that `unbound-anchor` keeps by RFC 5011, of which the valid keys count. The "   \
		"default is of the package dns-root-data.")                                      \
	X(dnssec, clock_grace, clock_grace_s, NUMBER, none, "600", 0, 3600, RESTART,             \
		"Seconds after a start with a clock that is behind for which weir does not "     \
		"check dates of signatures and of upstream servers' certificates, once for "     \
		"each boot. `0`: it always does. See "                                           \
		"[dnssec.md](../how-to/dnssec.md#a-clock-that-is-not-right-yet).")
