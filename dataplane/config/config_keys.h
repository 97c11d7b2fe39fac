// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Every key of the configuration file that holds one value: its name, kind, default and range.
//
// One list makes the raw struct that libcyaml fills (config_schema.h), the conversion and range
// check (config_keys.c), what needs a restart (config_diff.c) and docs/reference/config.md
// (tools/docs/config_md.py reads this file and config_keys_log.h). Keys that hold lists are in
// config_lists.c.
//
// X(section, key, field of that section's struct, kind, choices, default, min, max, when, text)
//   kind: TEXT (min..max octets), NUMBER (min..max), BOOL, CHOICE (one of `choices`)
//   when: LIVE (config reload), RESTART
#define CONFIG_KEYS_RUNTIME(X)                                                                     \
	X(runtime, directory, directory, TEXT, none, "/run/weir", 1, 80, RESTART,                  \
		"Sockets (whose paths have 108 octets at most), locks and small shared regions. "  \
		"Absolute.")                                                                       \
	X(runtime, state_directory, state_directory, TEXT, none, "/var/lib/weir", 1, 200, RESTART, \
		"What outlives a boot: the last good rule image. Absolute.")                       \
	X(runtime, hugepages, hugepages, TEXT, none, "auto", 1, 200, RESTART,                      \
		"Where large regions go: `auto` (a hugetlbfs mount if there is one), `off`, or a " \
		"directory on a hugetlbfs.")                                                       \
	X(runtime, log_level, log_level, CHOICE, log_level, "info", 0, 0, RESTART,                 \
		"Least important line that is logged.")                                            \
	X(runtime, group, group, TEXT, none, "", 0, 32, RESTART,                                   \
		"Unix group that may read statistics and use the control socket. Empty: nobody "   \
		"else.")

#define CONFIG_KEYS_DATAPLANE(X)                                                                \
	X(dataplane, main_lcore, main_lcore, NUMBER, none, "0", 0, 1023, RESTART,               \
		"Core of the housekeeping thread.")                                             \
	X(dataplane, memory_mb, memory_mb, NUMBER, none, "256", 64, 1048576, RESTART,           \
		"MiB for DPDK: packet pools and drivers.")                                      \
	X(dataplane, eal_hugepages, eal_hugepages, BOOL, none, "false", 0, 0, RESTART,          \
		"Whether DPDK takes its memory from huge pages.")                               \
	X(dataplane, poll, poll, CHOICE, poll, "adaptive", 0, 0, RESTART,                       \
		"`busy` never sleeps; `adaptive` sleeps when idle, until a port wakes it, "     \
		"or else for 1 ms at most; `monitor` waits in the CPU (docs/how-to/power.md).") \
	X(dataplane, rx_csum, rx_csum, CHOICE, rx_csum, "auto", 0, 0, RESTART,                  \
		"`trusted`: received UDP checksums are whole and checked. `compute`: they may " \
		"be partial (a kernel on the other end of a veth leaves them to a NIC), and "   \
		"replies' are reckoned from nothing. `auto`: `compute` on AF_XDP and "          \
		"af_packet ports.")                                                             \
	X(dataplane, rss, rss, CHOICE, rss, "plain", 0, 0, RESTART,                             \
		"Key of the hash by which a port spreads clients over workers: `plain` is "     \
		"drawn at each start, `symmetric` is the well-known one that maps both "        \
		"directions of a flow alike.")                                                  \
	X(dataplane, flow_rules, flow_rules, CHOICE, flow_rules, "off", 0, 0, RESTART,          \
		"`auto`: a port that can (rte_flow) brings what is not DNS to a receive "       \
		"queue of its own, so that a flood of it leaves the workers' queues alone.")    \
	X(dataplane, rx_descriptors, rx_descriptors, NUMBER, none, "1024", 64, 8192, RESTART,   \
		"Receive descriptors per queue.")                                               \
	X(dataplane, tx_descriptors, tx_descriptors, NUMBER, none, "1024", 64, 8192, RESTART,   \
		"Transmit descriptors per queue.")                                              \
	X(dataplane, mbufs, mbufs, NUMBER, none, "8191", 1023, 1048575, RESTART,                \
		"Packet buffers per worker: no fewer than its rings' descriptors, 640, and "    \
		"where a port has `exception` 448 that may wait for the kernel; an AF_XDP "     \
		"port and a rest queue take more, which is told at the start. A power of two "  \
		"less one uses memory best.")

#define CONFIG_KEYS_CACHE(X)                                                                      \
	X(cache, ttl_preset, ttl_preset, CHOICE, ttl_preset, "weir", 0, 0, LIVE,                  \
		"Defaults of the TTL keys below: `weir` keeps what the authority says, "          \
		"`reference` clamps it to 5 min to 1 h.")                                         \
	X(cache, l0_mb, l0_mb, NUMBER, none, "64", 1, 1048576, RESTART,                           \
		"MiB of the answer cache that all workers share.")                                \
	X(cache, min_ttl, min_ttl_s, NUMBER, none, "0", 0, 86400, LIVE,                           \
		"Answers are kept at least so long, in seconds.")                                 \
	X(cache, max_ttl, max_ttl_s, NUMBER, none, "86400", 1, 604800, LIVE,                      \
		"Answers are kept at most so long, in seconds.")                                  \
	X(cache, negative_ttl, negative_ttl_s, NUMBER, none, "3600", 1, 86400, LIVE,              \
		"NXDOMAIN and empty answers are kept at most so long, in seconds (RFC 2308).")    \
	X(cache, client_ttl_cap, client_ttl_cap_s, NUMBER, none, "0", 0, 604800, LIVE,            \
		"Largest TTL that a client is given, in seconds. 0: off.")                        \
	X(cache, stale, stale_immediate, CHOICE, stale, "on-failure", 0, 0, LIVE,                 \
		"When an expired answer is served: `on-failure` of the upstreams, or "            \
		"`immediate`ly while it is refreshed.")                                           \
	X(cache, stale_window, stale_window_s, NUMBER, none, "3600", 0, 604800, LIVE,             \
		"Expired answers are kept so long for that, in seconds.")                         \
	X(cache, stale_bound, stale_bound, CHOICE, stale_bound, "window", 0, 0, LIVE,             \
		"How long that is at most: the whole `window`, or no longer than the answer was " \
		"`stored` for.")                                                                  \
	X(cache, stale_ttl, stale_ttl_s, NUMBER, none, "30", 1, 3600, LIVE,                       \
		"TTL of a stale answer, in seconds (RFC 8767).")                                  \
	X(cache, failure_ttl, failure_ttl_s, NUMBER, none, "1", 1, 300, LIVE,                     \
		"A question that no server could answer is not asked again for so long, in "      \
		"seconds (RFC 9520), and twice as long each further time, up to 8 s if that is "  \
		"longer.")                                                                        \
	X(cache, rrset_order, rotate, CHOICE, rrset_order, "keep", 0, 0, LIVE,                    \
		"Order of the A or AAAA records of a name: as the upstream gave them (`keep`), "  \
		"or moved on by one from query to query (`rotate`).")

#define CONFIG_KEYS_REFRESH(X)                                                                     \
	X(refresh, enabled, enabled, BOOL, none, "true", 0, 0, LIVE,                               \
		"Whether records that are asked for often are renewed before they expire.")        \
	X(refresh, mode, mode, CHOICE, refresh_mode, "balanced", 0, 0, LIVE,                       \
		"Defaults of the thresholds below; what is given stands. `custom`: as "            \
		"`balanced`.")                                                                     \
	X(refresh, hit_window, hit_window_s, NUMBER, none, "60", 15, 3600, LIVE,                   \
		"Time over which hits are averaged, in seconds: an older hit counts less and "     \
		"less.")                                                                           \
	X(refresh, hot_threshold_rate, hot_threshold_rate, NUMBER, none, "0", 0, 250, LIVE,        \
		"Hits a minute from which on a record is hot. 0: 20, or with "                     \
		"`cache.client_ttl_cap` as "                                                       \
		"many as three clients make that ask whenever their TTL is over, at least 2.")     \
	X(refresh, warm_threshold, warm_threshold, NUMBER, none, "2", 1, 250, LIVE,                \
		"Hits a minute from which on it is warm.")                                         \
	X(refresh, hot_ttl_percent, hot_ttl_percent, NUMBER, none, "30", 1, 90, LIVE,              \
		"A hot record is renewed when so much of its TTL is left.")                        \
	X(refresh, warm_ttl_percent, warm_ttl_percent, NUMBER, none, "25", 1, 90, LIVE,            \
		"A warm one likewise.")                                                            \
	X(refresh, min_ttl, min_ttl_s, NUMBER, none, "0", 0, 86400, LIVE,                          \
		"A cold record is renewed on a hit when so many seconds are left of it, at most "  \
		"half of "                                                                         \
		"its TTL. 0: never ahead of time.")                                                \
	X(refresh, past_auth_ttl, past_auth, BOOL, none, "true", 0, 0, LIVE,                       \
		"Whether hot and warm records that are kept for longer than their authority said " \
		"(`cache.min_ttl`) are renewed as soon as that time is over.")                     \
	X(refresh, max_inflight, max_inflight, NUMBER, none, "100", 1, 1024, LIVE,                 \
		"Refreshes under way at one time; at most a quarter of `limits.inflight`.")        \
	X(refresh, sweep_interval, sweep_interval_s, NUMBER, none, "15", 5, 120, LIVE,             \
		"The cache is searched for what expires soon every so many seconds.")              \
	X(refresh, sweep_window, sweep_window_s, NUMBER, none, "60", 5, 3600, LIVE,                \
		"The search leaves records with more than so many seconds left to the next hit.")  \
	X(refresh, max_batch, max_batch, NUMBER, none, "2000", 1, 10000, LIVE,                     \
		"Records that wait for their renewal; the most urgent are kept.")                  \
	X(refresh, servfail_backoff, servfail_backoff_s, NUMBER, none, "60", 1, 3600, LIVE,        \
		"A record whose refresh failed is not refreshed for so long, in seconds.")

#define CONFIG_KEYS_BLOCKING(X)                                                            \
	X(blocking, enabled, enabled, BOOL, none, "true", 0, 0, LIVE,                      \
		"Whether the lists block anything.")                                       \
	X(blocking, closed, closed, BOOL, none, "false", 0, 0, LIVE,                       \
		"`true`: while the data plane has no rules, as after damage, clients get " \
		"SERVFAIL; "                                                               \
		"`false`: nothing is blocked then.")                                       \
	X(blocking, mode, mode, CHOICE, block_mode, "nxdomain", 0, 0, LIVE,                \
		"How a blocked name is answered: `nxdomain`, `null` (0.0.0.0 and ::), "    \
		"`nodata`, `refused` or `address` (`ipv4` and `ipv6`).")                   \
	X(blocking, ttl, ttl_s, NUMBER, none, "300", 1, 86400, LIVE,                       \
		"TTL of that answer, in seconds.")

// Below `blocking`, in a mapping of its own: its keys are called blocking.update.interval and so
// on.
#define CONFIG_KEYS_BLOCKING_UPDATE(X)                                                            \
	X(blocking_update, interval, interval_s, NUMBER, none, "86400", 0, 2592000, LIVE,         \
		"Lists with a `url` are asked for anew so often, in seconds: the day that list "  \
		"makers and other "                                                               \
		"programs count on; 21600 is every six hours. At least 60. 0: only by `weirctl "  \
		"blocklist reload`.")                                                             \
	X(blocking_update, jitter, jitter_s, NUMBER, none, "3600", 0, 86400, LIVE,                \
		"Up to so many seconds more, at random, so that not all boxes ask at once.")      \
	X(blocking_update, start, start, CHOICE, update_start, "fast", 0, 0, LIVE,                \
		"`fast`: serve at once, with the last good image if there is one, and load the "  \
		"lists meanwhile. "                                                               \
		"`blocking`: serve when the lists are loaded, or after `start_timeout`. `fail`: " \
		"end, if a list "                                                                 \
		"cannot be loaded and there is no last good image.")                              \
	X(blocking_update, start_timeout, start_timeout_s, NUMBER, none, "60", 1, 600, LIVE,      \
		"How long `blocking` and `fail` wait, in seconds.")                               \
	X(blocking_update, timeout, timeout_s, NUMBER, none, "60", 1, 3600, LIVE,                 \
		"Longest time that one download may take, in seconds.")                           \
	X(blocking_update, max_mb, max_mb, NUMBER, none, "64", 1, 1024, LIVE,                     \
		"Largest list, in MiB, as sent and as unpacked. A larger one is refused whole.")  \
	X(blocking_update, max_redirects, max_redirects, NUMBER, none, "5", 0, 20, LIVE,          \
		"Longest chain of redirects that is followed.")                                   \
	X(blocking_update, allow_private, allow_private, BOOL, none, "false", 0, 0, LIVE,         \
		"Whether lists may come from loopback, private, link-local and other addresses "  \
		"that are not public.")

#define CONFIG_KEYS_UPSTREAMS(X)                                                              \
	X(upstreams, first_timeout_ms, first_timeout_ms, NUMBER, none, "400", 20, 1500, LIVE, \
		"Longest wait for the first try, in milliseconds.")                           \
	X(upstreams, max_sends, max_sends, NUMBER, none, "6", 1, 16, LIVE,                    \
		"Queries sent for one question at most.")                                     \
	X(upstreams, backoff, backoff_s, NUMBER, none, "30", 1, 300, LIVE,                    \
		"A server that failed is asked last for so long, in seconds.")

#define CONFIG_KEYS_LIMITS(X)                                                                      \
	X(limits, inflight, inflight, NUMBER, none, "4096", 16, 65536, LIVE,                       \
		"Questions being resolved at one time.")                                           \
	X(limits, waiters, waiters, NUMBER, none, "1024", 1, 65536, LIVE,                          \
		"Clients that wait for one question.")                                             \
	X(limits, zone_inflight, zone_inflight, NUMBER, none, "256", 0, 65536, LIVE,               \
		"Questions of one registrable domain that are being resolved; one more gets "      \
		"SERVFAIL. "                                                                       \
		"0: as many as `inflight`.")                                                       \
	X(limits, client_waiters, client_waiters, NUMBER, none, "64", 0, 65536, LIVE,              \
		"Answers that one IPv4 address or IPv6 /64 waits for over UDP; one more gets "     \
		"SERVFAIL. "                                                                       \
		"More where one address asks for many people: another resolver, a NAT. 0: no "     \
		"bound.")                                                                          \
	X(limits, udp_reply_size, udp_reply_size, NUMBER, none, "1232", 512, 4096, LIVE,           \
		"Largest UDP reply in octets; a larger one is truncated, and the client asks "     \
		"again over TCP. Above 1452 the data plane raises the MTU of its ports when it "   \
		"starts; what a port cannot carry (it refused, or the setting was raised later) "  \
		"is "                                                                              \
		"truncated as well. The network behind it must carry it too: no reply is "         \
		"fragmented.")                                                                     \
	X(limits, kernel_frames, kernel_frames, NUMBER, none, "40000", 0, 6500000, LIVE,           \
		"Frames a second, rounded up to hundreds, that each worker passes to the kernel "  \
		"by its exception port: so many of its own connections and questions; a third of " \
		"it other TCP, a quarter SYN, an eighth UDP from port 53, a fortieth other UDP, "  \
		"a fortieth of the rest, an eightieth ICMP, an eightieth ARP and neighbour "       \
		"discovery ([floods.md](../explanation/floods.md)). "                              \
		"More are dropped. 0: any number.")

#define CONFIG_KEYS_TCP(X)                                                                         \
	X(tcp, enabled, enabled, BOOL, none, "true", 0, 0, LIVE,                                   \
		"Whether the service addresses are also served over TCP (port 53).")               \
	X(tcp, connections, connections, NUMBER, none, "12288", 16, 100000, LIVE,                  \
		"Connections at one time; one more closes the one that was idle longest. No more " \
		"than the "                                                                        \
		"limit of open files leaves room for.")                                            \
	X(tcp, per_client, per_client, NUMBER, none, "32", 1, 100000, LIVE,                        \
		"Of these from one IPv4 address or one IPv6 /64, in the same way.")                \
	X(tcp, pipelined, pipelined, NUMBER, none, "100", 1, 1000, LIVE,                           \
		"Questions of one connection that are being resolved; the next one is read when "  \
		"one "                                                                             \
		"of them is answered.")                                                            \
	X(tcp, queries, queries, NUMBER, none, "1024", 1, 16384, LIVE,                             \
		"Questions of all connections that are being resolved, likewise. Best at most a "  \
		"quarter "                                                                         \
		"of `limits.inflight`, so that UDP has the rest.")                                 \
	X(tcp, idle_timeout, idle_timeout_s, NUMBER, none, "10", 1, 600, LIVE,                     \
		"A connection without a question for so long is closed, in seconds; sooner, down " \
		"to a "                                                                            \
		"tenth of it, while the last quarter of `connections` fills. Clients that ask "    \
		"are told "                                                                        \
		"(RFC 7828).")                                                                     \
	X(tcp, query_timeout, query_timeout_s, NUMBER, none, "5", 1, 60, LIVE,                     \
		"A query must be there whole so soon after its first octet, in seconds.")          \
	X(tcp, connection_queries, connection_queries, NUMBER, none, "0", 0, 1000000000, LIVE,     \
		"Queries of one connection, which is closed once they are answered. 0: any "       \
		"number.")                                                                         \
	X(tcp, connection_age, connection_age_s, NUMBER, none, "0", 0, 604800, LIVE,               \
		"A connection so old is closed once what it has asked is answered, in seconds. "   \
		"0: never.")                                                                       \
	X(tcp, buffer_kb, buffer_kb, NUMBER, none, "4096", 256, 1048576, LIVE,                     \
		"KiB for queries and replies of which only a part has come or gone; when they "    \
		"are used up "                                                                     \
		"the connection that has stalled longest is closed.")

#define CONFIG_KEYS_FALLBACK(X)                                                                  \
	X(fallback, udp, udp, CHOICE, fallback_udp, "auto", 0, 0, RESTART,                       \
		"Whether the control plane answers UDP on sockets of the service addresses: "    \
		"`auto`, where a port is AF_XDP, whose queries reach the kernel while there is " \
		"no data plane; `on` and `off` in any case. Not `on` beside a port that takes "  \
		"copies of frames (af_packet, pcap), or clients get two replies.")

#define CONFIG_KEYS_ACCESS(X)                                                                      \
	X(access, denied, refuse, CHOICE, access_denied, "drop", 0, 0, LIVE,                       \
		"What who may not ask gets: nothing (`drop`), or REFUSED (`refuse`), which "       \
		"anyone "                                                                          \
		"can have sent to an address that is not theirs.")                                 \
	X(access, rate, rate, NUMBER, none, "100", 0, 1000000, LIVE,                               \
		"Queries a second that one client may send: an IPv4 address, or an IPv6 /64. 0: "  \
		"any number.")                                                                     \
	X(access, network_rate, network_rate, NUMBER, none, "1000", 0, 10000000, LIVE,             \
		"Queries a second from one network: an IPv4 /24, or an IPv6 /56. 0: any number.")  \
	X(access, burst, burst_s, NUMBER, none, "2", 1, 60, LIVE,                                  \
		"So many seconds' worth of queries may come at once after a silence.")             \
	X(access, slip, slip, NUMBER, none, "2", 0, 100, LIVE,                                     \
		"Each how many-th query over the limit is answered, without records and with TC, " \
		"so that a real client asks again over TCP. 1: each; 0: none. The others are "     \
		"dropped.")                                                                        \
	X(access, reply_octets, reply_octets, NUMBER, none, "512", 0, 65535, LIVE,                 \
		"A UDP reply counts as one query for each so many octets that it has begun, so a " \
		"client gets `rate` times as many octets a second at most. 0: each reply is one.") \
	X(access, any, any_minimal, CHOICE, access_any, "minimal", 0, 0, LIVE,                     \
		"What a question for ANY gets: one HINFO record that tells nothing (`minimal`, "   \
		"RFC 8482), or what the upstreams say (`forward`).")

#define CONFIG_KEYS_COOKIES(X)                                                                 \
	X(cookies, enabled, enabled, BOOL, none, "true", 0, 0, LIVE,                           \
		"Whether clients that send a DNS cookie (RFC 7873) get one back. A right one " \
		"moves queries over `access.rate` to a limit of the client's own, "            \
		"`access.network_rate`.")                                                      \
	X(cookies, require, require, CHOICE, cookies_require, "over-limit", 0, 0, LIVE,        \
		"Who gets BADCOOKIE: `over-limit`, each `access.slip`-th query of those over " \
		"their rate that have a cookie, but no right one, in place of TC; or "         \
		"`never`, nobody.")                                                            \
	X(cookies, secret_file, secret_file, TEXT, none, "", 0, 200, LIVE,                     \
		"File with the secrets in place of `secrets`, one a line; read with the "      \
		"configuration. Absolute.")

#define CONFIG_KEYS_IDENTITY(X)                                                                    \
	X(identity, version, version, TEXT, none, "", 0, 63, LIVE,                                 \
		"What `version.bind` and `version.server` (TXT of class CH) say. Empty: REFUSED.") \
	X(identity, name, name, TEXT, none, "", 0, 63, LIVE,                                       \
		"What `hostname.bind` and `id.server` say (RFC 4892). Empty: REFUSED.")            \
	X(identity, nsid, nsid, TEXT, none, "", 0, 63, LIVE,                                       \
		"The NSID option (RFC 5001) of the reply to a query that asks for it. Empty: "     \
		"none.")

#define CONFIG_KEYS_METRICS(X)                                                                     \
	X(metrics, listen, listen, TEXT, none, "", 0, 63, RESTART,                                 \
		"IP address, with or without port (9153), on which `/metrics`, `/health` and "     \
		"`/ready` are served over HTTP to whoever is in `allow`. Empty: on the control "   \
		"socket alone.")                                                                   \
	X(metrics, ready_needs_upstream, ready_needs_upstream, BOOL, none, "false", 0, 0, LIVE,    \
		"Whether `/ready` is 503 while no server of `upstreams` answers. Else it is 200, " \
		"as names that are cached, blocked or local are answered still.")

#define CONFIG_KEYS_REDIS(X)                                                                      \
	X(redis, mode, mode, CHOICE, redis_mode, "off", 0, 0, LIVE,                               \
		"What `addresses` names: `standalone` one server; `sentinel` the sentinels of "   \
		"`master_name`; `cluster` some of the nodes. `off`: no L1.")                      \
	X(redis, master_name, master_name, TEXT, none, "", 0, 100, LIVE,                          \
		"With `sentinel`: the name of the master that the sentinels watch.")              \
	X(redis, namespace, space, TEXT, none, "weir", 1, 32, LIVE,                               \
		"First word of every key and channel: only boxes of the same one share answers, " \
		"flushes and the cap. Letters, digits, `-`, `_` and `.`; no `-meta` at the end.") \
	X(redis, db, db, NUMBER, none, "0", 0, 65535, LIVE,                                       \
		"Number of the database. A cluster has only 0.")                                  \
	X(redis, username, username, TEXT, none, "", 0, 200, LIVE,                                \
		"User of the ACL (Redis 6 and later). Empty: `default`.")                         \
	X(redis, password, password, TEXT, none, "", 0, 512, LIVE,                                \
		"Sent with AUTH. Better kept in `password_file`.")                                \
	X(redis, password_file, password_file, TEXT, none, "", 0, 200, LIVE,                      \
		"File whose first line is the password; read with the configuration. Absolute.")  \
	X(redis, sentinel_password, sentinel_password, TEXT, none, "", 0, 512, LIVE,              \
		"Password of the sentinels themselves, where they ask for one.")                  \
	X(redis, connections, connections, NUMBER, none, "2", 1, 16, LIVE,                        \
		"Connections to each server at most; commands are pipelined.")                    \
	X(redis, timeout_ms, timeout_ms, NUMBER, none, "100", 5, 10000, LIVE,                     \
		"Longest wait for a reply, in milliseconds.")                                     \
	X(redis, lookup_timeout_ms, lookup_timeout_ms, NUMBER, none, "5", 1, 1000, LIVE,          \
		"A miss waits so long for Redis, in milliseconds; then the upstream is asked "    \
		"instead.")                                                                       \
	X(redis, buffer_kb, buffer_kb, NUMBER, none, "4096", 256, 1048576, LIVE,                  \
		"KiB of commands that wait to be sent at most; what is over is not stored.")      \
	X(redis, max_keys, max_keys, NUMBER, none, "1000000", 0, 1000000000, LIVE,                \
		"Answers kept in Redis at most, over all boxes; the coldest go first. An answer " \
		"takes about half a KiB there, so this default needs some 512 MiB. 0: no cap.")   \
	X(redis, sweep_min_hits, sweep_min_hits, NUMBER, none, "1", 1, 1000000, LIVE,             \
		"With `sweep_hit_window`: answers with fewer hits a minute are deleted.")         \
	X(redis, sweep_hit_window, sweep_hit_window_s, NUMBER, none, "0", 0, 604800, LIVE,        \
		"Answers older than this, in seconds, are deleted that were hit less than "       \
		"`sweep_min_hits` times a minute when they were stored. 0: off.")

#define CONFIG_KEYS_LOCAL(X)                                                                      \
	X(local, ttl, ttl_s, NUMBER, none, "300", 0, 604800, LIVE,                                \
		"TTL of records that give none, and of those from hosts files, in seconds.")      \
	X(local, special_names, special_names, BOOL, none, "true", 0, 0, LIVE,                    \
		"Whether special-use names (localhost, invalid, onion, home.arpa, reverse zones " \
		"of private addresses and so on) are answered here and never asked of servers.")  \
	X(local, test_names, test_names, BOOL, none, "false", 0, 0, LIVE,                         \
		"`true`: names below `test` are asked of the upstreams all the same.")            \
	X(local, doh_canary, doh_canary, BOOL, none, "true", 0, 0, LIVE,                          \
		"Whether `use-application-dns.net` does not exist, which asks browsers to use "   \
		"this resolver.")                                                                 \
	X(local, hosts_ptr, hosts_ptr, BOOL, none, "true", 0, 0, LIVE,                            \
		"Whether addresses in hosts files get PTR records.")

#define CONFIG_KEYS(X)           \
	CONFIG_KEYS_RUNTIME(X)   \
	CONFIG_KEYS_DATAPLANE(X) \
	CONFIG_KEYS_CACHE(X)     \
	CONFIG_KEYS_REFRESH(X)   \
	CONFIG_KEYS_BLOCKING(X)  \
	CONFIG_KEYS_UPSTREAMS(X) \
	CONFIG_KEYS_LIMITS(X)    \
	CONFIG_KEYS_TCP(X)       \
	CONFIG_KEYS_FALLBACK(X)  \
	CONFIG_KEYS_ACCESS(X)    \
	CONFIG_KEYS_COOKIES(X)   \
	CONFIG_KEYS_IDENTITY(X)  \
	CONFIG_KEYS_METRICS(X)   \
	CONFIG_KEYS_REDIS(X)     \
	CONFIG_KEYS_LOCAL(X)     \
	CONFIG_KEYS_QUERY_LOG(X)

// X(choices, word, value)
#define CONFIG_CHOICES(X)                                               \
	X(request_format, "text", REQUESTS_TEXT)                        \
	X(request_format, "json", REQUESTS_JSON)                        \
	X(webhook_form, "generic", WEBHOOK_GENERIC)                     \
	X(webhook_form, "discord", WEBHOOK_DISCORD)                     \
	X(log_level, "error", LOG_LEVEL_ERROR)                          \
	X(log_level, "warning", LOG_LEVEL_WARNING)                      \
	X(log_level, "info", LOG_LEVEL_INFO)                            \
	X(log_level, "debug", LOG_LEVEL_DEBUG)                          \
	X(poll, "adaptive", POLL_ADAPTIVE)                              \
	X(poll, "busy", POLL_BUSY)                                      \
	X(poll, "monitor", POLL_MONITOR)                                \
	X(rx_csum, "auto", RX_CSUM_AUTO)                                \
	X(rx_csum, "trusted", RX_CSUM_TRUSTED)                          \
	X(rx_csum, "compute", RX_CSUM_COMPUTE)                          \
	X(flow_rules, "off", FLOW_RULES_OFF)                            \
	X(flow_rules, "auto", FLOW_RULES_AUTO)                          \
	X(rss, "plain", RSS_PLAIN)                                      \
	X(rss, "symmetric", RSS_SYMMETRIC)                              \
	X(fallback_udp, "auto", FALLBACK_AUTO)                          \
	X(fallback_udp, "on", FALLBACK_ON)                              \
	X(fallback_udp, "off", FALLBACK_OFF)                            \
	X(stale, "on-failure", 0)                                       \
	X(stale, "immediate", 1)                                        \
	X(ttl_preset, "weir", TTL_PRESET_WEIR)                          \
	X(ttl_preset, "reference", TTL_PRESET_REFERENCE)                \
	X(stale_bound, "window", STALE_BOUND_WINDOW)                    \
	X(rrset_order, "keep", 0)                                       \
	X(rrset_order, "rotate", 1)                                     \
	X(access_denied, "drop", 0)                                     \
	X(access_denied, "refuse", 1)                                   \
	X(access_any, "forward", 0)                                     \
	X(access_any, "minimal", 1)                                     \
	X(cookies_require, "never", DNS_COOKIE_REQUIRE_NEVER)           \
	X(cookies_require, "over-limit", DNS_COOKIE_REQUIRE_OVER_LIMIT) \
	X(stale_bound, "stored", STALE_BOUND_STORED)                    \
	X(block_mode, "nxdomain", DNS_BLOCK_NXDOMAIN)                   \
	X(block_mode, "null", DNS_BLOCK_NULL)                           \
	X(block_mode, "nodata", DNS_BLOCK_NODATA)                       \
	X(block_mode, "refused", DNS_BLOCK_REFUSED)                     \
	X(block_mode, "address", DNS_BLOCK_CUSTOM)                      \
	X(update_start, "fast", UPDATE_START_FAST)                      \
	X(update_start, "blocking", UPDATE_START_BLOCKING)              \
	X(update_start, "fail", UPDATE_START_FAIL)                      \
	X(list_format, "auto", LIST_FORMAT_AUTO)                        \
	X(list_format, "hosts", LIST_FORMAT_HOSTS)                      \
	X(list_format, "domains", LIST_FORMAT_DOMAINS)                  \
	X(list_format, "adblock", LIST_FORMAT_ADBLOCK)                  \
	X(list_format, "dnsmasq", LIST_FORMAT_DNSMASQ)                  \
	X(list_format, "rpz", LIST_FORMAT_RPZ)                          \
	X(list_format, "addresses", LIST_FORMAT_ADDRESSES)              \
	X(refresh_mode, "aggressive", REFRESH_AGGRESSIVE)               \
	X(refresh_mode, "balanced", REFRESH_BALANCED)                   \
	X(refresh_mode, "conservative", REFRESH_CONSERVATIVE)           \
	X(refresh_mode, "custom", REFRESH_CUSTOM)                       \
	X(redis_mode, "off", REDIS_MODE_OFF)                            \
	X(redis_mode, "standalone", REDIS_MODE_STANDALONE)              \
	X(redis_mode, "sentinel", REDIS_MODE_SENTINEL)                  \
	X(redis_mode, "cluster", REDIS_MODE_CLUSTER)                    \
	X(log_anonymize, "none", LOG_CLIENTS_WHOLE)                     \
	X(log_partition, "day", LOG_PARTITION_DAY)                      \
	X(log_partition, "hour", LOG_PARTITION_HOUR)                    \
	X(log_anonymize, "hash", LOG_CLIENTS_HASHED)                    \
	X(log_anonymize, "truncate", LOG_CLIENTS_TRUNCATED)

// Defaults that a preset changes; a key that is given is not touched. A preset's own key stands
// before the keys that it changes. X(preset's key, word, key, default)
#define CONFIG_PRESETS(X)                                               \
	X(refresh.mode, "aggressive", refresh.warm_threshold, "1")      \
	X(refresh.mode, "aggressive", refresh.hot_ttl_percent, "50")    \
	X(refresh.mode, "aggressive", refresh.warm_ttl_percent, "35")   \
	X(refresh.mode, "conservative", refresh.warm_threshold, "3")    \
	X(refresh.mode, "conservative", refresh.hot_ttl_percent, "20")  \
	X(refresh.mode, "conservative", refresh.warm_ttl_percent, "15") \
	X(refresh.mode, "conservative", refresh.past_auth_ttl, "false") \
	X(cache.ttl_preset, "reference", cache.min_ttl, "300")          \
	X(cache.ttl_preset, "reference", cache.max_ttl, "3600")         \
	X(cache.ttl_preset, "reference", cache.negative_ttl, "300")     \
	X(cache.ttl_preset, "reference", cache.client_ttl_cap, "300")   \
	X(cache.ttl_preset, "reference", cache.stale_bound, "stored")

#include "config_doc.h"
#include "config_keys_log.h"
#include "config_schema.h"

#include <stdbool.h>
#include <weir/config.h>

enum config_kind { CONFIG_TEXT, CONFIG_NUMBER, CONFIG_BOOL, CONFIG_CHOICE };

struct config_key {
	const char *path; // "cache.min_ttl"
	enum config_kind kind;
	bool live;
	const char *choices, *fallback;
	int64_t min, max;
	size_t raw_section;              // of the section's pointer in struct config_raw
	size_t raw_offset;               // of the text in the section
	size_t field_offset, field_size; // of the value in struct config
};

extern const struct config_key config_keys[];
extern const unsigned config_key_count;

// Converts every key of `raw`, or its default, into `out`. -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_keys_apply(
	const struct config_doc *doc, const struct config_raw *raw, struct config *out);
// Frees the texts that config_keys_apply made.
void config_keys_free(struct config *c);
bool config_key_differs(
	const struct config_key *key, const struct config *a, const struct config *b);

// One value that is in no table. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_number_parse(const struct config_doc *doc, const char *path,
	const char *text, int64_t min, int64_t max, int64_t *out);
ATTR_MUST_CHECK int config_bool_parse(
	const struct config_doc *doc, const char *path, const char *text, bool *out);
// `choices`: first column of CONFIG_CHOICES.
ATTR_MUST_CHECK int config_choice_parse(const struct config_doc *doc, const char *path,
	const char *choices, const char *text, int64_t *out);
