// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Every key of the configuration file that holds one value: its name, kind, default and range.
//
// One list generates the keys of the schema (config_schema.c), the conversion and range
// check (config_keys.c), the keys that need a restart (config_diff.c) and docs/reference/config.md
// (tools/docs/config_md.py reads this file, and the config_keys_*.h of sections). Keys
// that hold lists are in config_schema.c.
//
// X(section, key, field of that section's struct, kind, choices, default, min, max, when, text)
//   kind: TEXT (min..max bytes), NUMBER (min..max), BOOL, CHOICE (one of `choices`), FILE (a TEXT
//     that names a file of which a change makes a reload load the configuration again)
//   when: LIVE (config reload), RESTART
#define CONFIG_KEYS_RUNTIME(X)                                                                     \
	X(runtime, directory, directory, TEXT, none, "/run/weir", 1, 80, RESTART,                  \
		"Absolute path of the directory of sockets, locks and small shared regions. The "  \
		"path of a socket has at most 108 bytes.")                                         \
	X(runtime, state_directory, state_directory, TEXT, none, "/var/lib/weir", 1, 200, RESTART, \
		"Absolute path of the directory of files that outlive a reboot, such as rules.")   \
	X(runtime, hugepages, hugepages, TEXT, none, "auto", 1, 200, RESTART,                      \
		"Where weir puts large shared regions: `auto` (a hugetlbfs mount if there is "     \
		"one), `off` (no huge pages), or a directory on a hugetlbfs.")                     \
	X(runtime, log_level, log_level, CHOICE, log_level, "info", 0, 0, LIVE,                    \
		"Least severe level that weir logs.")                                              \
	X(runtime, log_format, log_format, CHOICE, log_format, "text", 0, 0, LIVE,                 \
		"Lines of the log of both processes: `text`, or `json`, an object a line "         \
		"([log.md](log.md)).")                                                             \
	X(runtime, group, group, TEXT, none, "", 0, 32, RESTART,                                   \
		"Unix group that may use the control socket, as an admin. Empty: no group.")       \
	X(runtime, stats_group, stats_group, TEXT, none, "", 0, 32, RESTART,                       \
		"Unix group that may read statistics. Empty: `runtime.group`; of two users none.") \
	X(runtime, seccomp, seccomp, CHOICE, seccomp, "kill", 0, 0, RESTART,                       \
		"What happens when a thread makes a system call that it should not need: `kill` "  \
		"(the process ends), `log` (the kernel logs the call), `off` (no filter). "        \
		"[security.md](../explanation/security.md) says which calls these are.")           \
	X(runtime, log_memory_s, log_memory_s, NUMBER, none, "0", 0, 86400, LIVE,                  \
		"Seconds between two lines of the log that say what uses the memory of both "      \
		"processes. 0: none.")

#define CONFIG_KEYS_DATAPLANE(X)                                                                  \
	X(dataplane, main_lcore, main_lcore, NUMBER, none, "0", 0, 1023, RESTART,                 \
		"CPU core of the housekeeping thread.")                                           \
	X(dataplane, memory_mb, memory_mb, NUMBER, none, "256", 64, 1048576, RESTART,             \
		"MiB of memory for DPDK: packet pools and drivers.")                              \
	X(dataplane, eal_hugepages, eal_hugepages, BOOL, none, "false", 0, 0, RESTART,            \
		"Whether DPDK takes its memory from huge pages.")                                 \
	X(dataplane, poll, poll, CHOICE, poll, "adaptive", 0, 0, RESTART,                         \
		"What an idle worker does. `busy`: it polls and never sleeps. `adaptive`: it "    \
		"sleeps until a port wakes it, or in sleeps of at most 1 ms where a port "        \
		"cannot. `monitor`: it waits in the CPU for a write to a receive ring "           \
		"([power.md](../how-to/power.md)).")                                              \
	X(dataplane, rx_csum, rx_csum, CHOICE, rx_csum, "auto", 0, 0, RESTART,                    \
		"`trusted`: the UDP checksums of received frames are whole. `compute`: a "        \
		"checksum may also be exactly the sum of the pseudo header, as a kernel at the "  \
		"other end of a veth leaves it to a NIC. Frames with any other are dropped and "  \
		"counted (`drop_udp_csum`). `auto`: `compute` on AF_XDP and af_packet ports, "    \
		"`trusted` on all others.")                                                       \
	X(dataplane, rss, rss, CHOICE, rss, "plain", 0, 0, RESTART,                               \
		"Key of the hash by which a port spreads clients over workers. `plain`: a "       \
		"random key, drawn at each start. `symmetric`: the well-known key that gives "    \
		"both directions of a flow the same hash.")                                       \
	X(dataplane, flow_rules, flow_rules, CHOICE, flow_rules, "off", 0, 0, RESTART,            \
		"`auto`: a port that supports rte_flow steers all that is not DNS to a receive "  \
		"queue of its own, so that a flood of it does not fill the workers' queues. "     \
		"`off`: no flow rules.")                                                          \
	X(dataplane, rx_descriptors, rx_descriptors, NUMBER, none, "1024", 64, 8192, RESTART,     \
		"Receive descriptors per queue.")                                                 \
	X(dataplane, tx_descriptors, tx_descriptors, NUMBER, none, "1024", 64, 8192, RESTART,     \
		"Transmit descriptors per queue.")                                                \
	X(dataplane, mbufs, mbufs, NUMBER, none, "8191", 1023, 1048575, RESTART,                  \
		"Packet buffers (mbufs) per worker. The least is the descriptors of its rings, "  \
		"640 more, and 448 more where a port has `exception`. AF_XDP ports and the "      \
		"queue for traffic that is not DNS need more; the log says how many at start. A " \
		"power of two less one uses memory best.")

#define CONFIG_KEYS_CACHE(X)                                                                      \
	X(cache, ttl_preset, ttl_preset, CHOICE, ttl_preset, "weir", 0, 0, LIVE,                  \
		"Set of defaults for the TTL keys below: `weir` keeps the authority's TTL, "      \
		"`reference` raises or cuts it to between 5 minutes and 1 hour.")                 \
	X(cache, l0_mb, l0_mb, NUMBER, none, "64", 1, 1048576, RESTART,                           \
		"MiB of the answer cache (L0), which all workers share.")                         \
	X(cache, min_ttl, min_ttl_s, NUMBER, none, "0", 0, 86400, LIVE,                           \
		"Shortest time that an answer is kept, in seconds.")                              \
	X(cache, max_ttl, max_ttl_s, NUMBER, none, "86400", 1, 604800, LIVE,                      \
		"Longest time that an answer is kept, in seconds.")                               \
	X(cache, negative_ttl, negative_ttl_s, NUMBER, none, "3600", 1, 86400, LIVE,              \
		"Longest time that an NXDOMAIN or empty answer is kept, in seconds (RFC 2308).")  \
	X(cache, client_ttl_cap, client_ttl_cap_s, NUMBER, none, "0", 0, 604800, LIVE,            \
		"Largest TTL in a reply to a client, in seconds. 0: no cap.")                     \
	X(cache, stale, stale_immediate, CHOICE, stale, "on-failure", 0, 0, LIVE,                 \
		"When weir serves an expired answer: `on-failure`, when the upstreams fail; or "  \
		"`immediate`, at once, while it renews the answer.")                              \
	X(cache, stale_window, stale_window_s, NUMBER, none, "3600", 0, 604800, LIVE,             \
		"How long after its expiry an answer is kept as a stale one, in seconds.")        \
	X(cache, stale_bound, stale_bound, CHOICE, stale_bound, "window", 0, 0, LIVE,             \
		"Bound of that time: `window`, the whole `stale_window`; or `stored`, no longer " \
		"than the answer was fresh.")                                                     \
	X(cache, stale_ttl, stale_ttl_s, NUMBER, none, "30", 1, 3600, LIVE,                       \
		"TTL of a stale answer, in seconds (RFC 8767).")                                  \
	X(cache, failure_ttl, failure_ttl_s, NUMBER, none, "1", 1, 300, LIVE,                     \
		"Seconds before weir asks the upstreams again about a question that no server "   \
		"could answer (RFC 9520). Each further failure doubles the time, up to 8 s, or "  \
		"up to this value if it is longer.")                                              \
	X(cache, rrset_order, rotate, CHOICE, rrset_order, "keep", 0, 0, LIVE,                    \
		"Order of the A or AAAA records of a name: as the upstream sent them (`keep`), "  \
		"or each of them first as often (`rotate`).")

#define CONFIG_KEYS_REFRESH(X)                                                                    \
	X(refresh, enabled, enabled, BOOL, none, "true", 0, 0, LIVE,                              \
		"Whether weir renews popular records before they expire.")                        \
	X(refresh, mode, mode, CHOICE, refresh_mode, "balanced", 0, 0, LIVE,                      \
		"Set of defaults for the thresholds below; a threshold that the file gives "      \
		"overrides it. `custom`: the same defaults as `balanced`.")                       \
	X(refresh, hit_window, hit_window_s, NUMBER, none, "60", 15, 3600, LIVE,                  \
		"Time over which hits are averaged, in seconds. The older a hit, the less it "    \
		"counts.")                                                                        \
	X(refresh, hot_threshold_rate, hot_threshold_rate, NUMBER, none, "0", 0, 250, LIVE,       \
		"Hits a minute from which on a record is hot. 0: 20; with "                       \
		"`cache.client_ttl_cap` the rate of three clients that ask again whenever their " \
		"TTL expires, at least 2.")                                                       \
	X(refresh, warm_threshold, warm_threshold, NUMBER, none, "2", 1, 250, LIVE,               \
		"Hits a minute from which on a record is warm.")                                  \
	X(refresh, hot_ttl_percent, hot_ttl_percent, NUMBER, none, "30", 1, 90, LIVE,             \
		"weir renews a hot record when this much of its TTL is left, in percent.")        \
	X(refresh, warm_ttl_percent, warm_ttl_percent, NUMBER, none, "25", 1, 90, LIVE,           \
		"weir renews a warm record when this much of its TTL is left, in percent.")       \
	X(refresh, min_ttl, min_ttl_s, NUMBER, none, "0", 0, 86400, LIVE,                         \
		"A hit renews a cold record that has at most this many seconds left, at most "    \
		"half of its TTL. 0: cold records are not renewed before they expire.")           \
	X(refresh, past_auth_ttl, past_auth, BOOL, none, "true", 0, 0, LIVE,                      \
		"Whether a hot or warm record that `cache.min_ttl` keeps longer than its "        \
		"authority said is renewed as soon as the authority's TTL is over.")              \
	X(refresh, max_inflight, max_inflight, NUMBER, none, "100", 1, 1024, LIVE,                \
		"Refreshes in flight at one time, at most a quarter of `limits.inflight`.")       \
	X(refresh, sweep_interval, sweep_interval_s, NUMBER, none, "15", 5, 120, LIVE,            \
		"Time between two sweeps of the cache for records that expire soon, in seconds.") \
	X(refresh, sweep_window, sweep_window_s, NUMBER, none, "60", 5, 3600, LIVE,               \
		"A sweep plans the renewal of records that have at most this many seconds left; " \
		"it leaves all others to the next hit.")                                          \
	X(refresh, max_batch, max_batch, NUMBER, none, "2000", 1, 10000, LIVE,                    \
		"Records that may wait for their renewal. When there are more, weir keeps the "   \
		"most urgent.")                                                                   \
	X(refresh, servfail_backoff, servfail_backoff_s, NUMBER, none, "60", 1, 3600, LIVE,       \
		"Seconds before weir tries again to renew a record whose refresh failed.")

#define CONFIG_KEYS_LIMITS(X)                                                                     \
	X(limits, inflight, inflight, NUMBER, none, "4096", 16, 65536, LIVE,                      \
		"Questions in flight at one time.")                                               \
	X(limits, waiters, waiters, NUMBER, none, "1024", 1, 65536, LIVE,                         \
		"Clients that may wait for one question.")                                        \
	X(limits, zone_inflight, zone_inflight, NUMBER, none, "256", 0, 65536, LIVE,              \
		"Questions of one registrable domain in flight at one time; the next one gets "   \
		"SERVFAIL. 0: as many as `inflight`.")                                            \
	X(limits, client_waiters, client_waiters, NUMBER, none, "64", 0, 65536, LIVE,             \
		"Answers that one IPv4 address or IPv6 /64 may wait for over UDP; the next "      \
		"query gets SERVFAIL. 0: no bound.")                                              \
	X(limits, answer_deadline_ms, answer_deadline_ms, NUMBER, none, "4500", 500, 5000, LIVE,  \
		"Milliseconds from a query to SERVFAIL ([cache.md](../explanation/cache.md)).")   \
	X(limits, udp_reply_size, udp_reply_size, NUMBER, none, "1232", 512, 4096, LIVE,          \
		"Largest UDP reply, in bytes. weir truncates a larger one, and the client asks "  \
		"again over TCP. Above 1452 the data plane raises the MTU of its ports at "       \
		"start, and truncates what a port still cannot carry. The network behind the "    \
		"port must carry it too: weir does not fragment replies.")                        \
	X(limits, kernel_frames, kernel_frames, NUMBER, none, "40000", 0, 6500000, LIVE,          \
		"Frames a second that each worker passes to the kernel by its exception port, "   \
		"rounded up to hundreds. Replies to the box's own connections and questions get " \
		"this rate. Each other kind gets a share of it: other TCP a third, SYN a "        \
		"quarter, UDP from port 53 an eighth, other UDP a fortieth, the rest a "          \
		"fortieth, ICMP an eightieth, ARP, neighbour discovery and VRRP an eightieth "    \
		"([floods.md](../explanation/floods.md)). weir drops the frames beyond. 0: all.")

#define CONFIG_KEYS_FALLBACK(X)                                                                   \
	X(fallback, udp, udp, CHOICE, fallback_udp, "auto", 0, 0, RESTART,                        \
		"Whether the control plane answers UDP on kernel sockets of the service "         \
		"addresses. `auto`: only where a port is AF_XDP, whose queries reach the kernel " \
		"while no data plane runs. `on`, `off`: always, never. Do not use `on` beside a " \
		"port that copies frames (af_packet, pcap), or clients get two replies.")

#define CONFIG_KEYS_ACCESS(X)                                                                     \
	X(access, denied, refuse, CHOICE, access_denied, "drop", 0, 0, LIVE,                      \
		"Reply to a client that may not ask: none (`drop`), or REFUSED (`refuse`), "      \
		"which a forged query directs to another address. Connections over TLS are "      \
		"closed before the handshake in either case.")                                    \
	X(access, rate, rate, NUMBER, none, "100", 0, 1000000, LIVE,                              \
		"Queries a second that one client may send: an IPv4 address, or an IPv6 /64. 0: " \
		"no limit.")                                                                      \
	X(access, network_rate, network_rate, NUMBER, none, "1000", 0, 10000000, LIVE,            \
		"Queries a second from one network: an IPv4 /24, or an IPv6 /56. 0: no limit.")   \
	X(access, burst, burst_s, NUMBER, none, "2", 1, 60, LIVE,                                 \
		"Size of a burst: the queries of this many seconds may come at once after a "     \
		"silence.")                                                                       \
	X(access, slip, slip, NUMBER, none, "2", 0, 100, LIVE,                                    \
		"Every how many-th query over the limit gets a reply without records and with "   \
		"TC, so that a real client asks again over TCP. 1: every one; 0: none. weir "     \
		"drops the others.")                                                              \
	X(access, reply_octets, reply_octets, NUMBER, none, "512", 0, 65535, LIVE,                \
		"Bytes of a UDP reply that count as one query; a started unit counts whole. So "  \
		"a client gets at most `rate` times this many bytes a second. 0: each reply "     \
		"counts as one query.")                                                           \
	X(access, any, any_minimal, CHOICE, access_any, "minimal", 0, 0, LIVE,                    \
		"Reply to a question for ANY: one HINFO record without content (`minimal`, RFC "  \
		"8482), or the upstreams' answer (`forward`).")

#define CONFIG_KEYS_COOKIES(X)                                                                  \
	X(cookies, enabled, enabled, BOOL, none, "true", 0, 0, LIVE,                            \
		"Whether a client that sends a DNS cookie (RFC 7873) gets one back. Queries "   \
		"over `access.rate` with a right cookie count against a limit of the client's " \
		"own, `access.network_rate`.")                                                  \
	X(cookies, require, require, CHOICE, cookies_require, "over-limit", 0, 0, LIVE,         \
		"Who gets BADCOOKIE. `over-limit`: every `access.slip`-th query over its rate " \
		"that has a cookie, but not a right one, gets it in place of TC. `never`: "     \
		"nobody.")                                                                      \
	X(cookies, secret_file, secret_file, FILE, none, "", 0, 200, LIVE,                      \
		"Absolute path of a file with the secrets, one a line, in place of `secrets`; " \
		"or [credential:NAME or env:NAME](config-files.md#secrets). "                   \
		"weir reads it with the configuration.")

#define CONFIG_KEYS_IDENTITY(X)                                                                   \
	X(identity, version, version, TEXT, none, "", 0, 63, LIVE,                                \
		"Text of `version.bind` and `version.server` (TXT of class CH). Empty: REFUSED.") \
	X(identity, name, name, TEXT, none, "", 0, 63, LIVE,                                      \
		"Text of `hostname.bind` and `id.server` (RFC 4892). Empty: REFUSED.")            \
	X(identity, nsid, nsid, TEXT, none, "", 0, 63, LIVE,                                      \
		"Text of the NSID option (RFC 5001) in the reply to a query that asks for it. "   \
		"Empty: no option.")

#define CONFIG_KEYS_METRICS(X)                                                                    \
	X(metrics, listen, listen, TEXT, none, "", 0, 63, RESTART,                                \
		"IP address, with or without port (default 9153), on which weir serves "          \
		"`/metrics`, `/health` and `/ready` over HTTP to the clients in `allow`. Empty: " \
		"only on the control socket.")                                                    \
	X(metrics, ready_needs_upstream, ready_needs_upstream, BOOL, none, "false", 0, 0, LIVE,   \
		"Whether `/ready` is 503 while no server of `upstreams` answers. `false`: it "    \
		"stays 200, because weir still answers names that are cached, blocked or local.")

#define CONFIG_KEYS_REDIS(X)                                                                      \
	X(redis, mode, mode, CHOICE, redis_mode, "off", 0, 0, LIVE,                               \
		"What `addresses` names: `standalone` one server; `sentinel` the sentinels of "   \
		"`master_name`; `cluster` some of the nodes. `off`: no L1.")                      \
	X(redis, master_name, master_name, TEXT, none, "", 0, 100, LIVE,                          \
		"With `sentinel`: the name of the master that the sentinels watch.")              \
	X(redis, namespace, space, TEXT, none, "weir", 1, 32, LIVE,                               \
		"First word of every key and channel. Only boxes with the same word share "       \
		"answers, flushes and the cap. Letters, digits, `-`, `_` and `.`; no `-meta` at " \
		"the end.")                                                                       \
	X(redis, db, db, NUMBER, none, "0", 0, 65535, LIVE,                                       \
		"Number of the database. A cluster has only 0.")                                  \
	X(redis, username, username, TEXT, none, "", 0, 200, LIVE,                                \
		"User of the ACL (Redis 6 and later). Empty: `default`.")                         \
	X(redis, password, password, TEXT, none, "", 0, 512, LIVE,                                \
		"Password that weir sends with AUTH. `password_file` is the safer place.")        \
	X(redis, password_file, password_file, FILE, none, "", 0, 200, LIVE,                      \
		"Absolute path of a file whose first line is the password; or "                   \
		"[credential:NAME or env:NAME](config-files.md#secrets). weir reads it with "     \
		"the configuration.")                                                             \
	X(redis, sentinel_password, sentinel_password, TEXT, none, "", 0, 512, LIVE,              \
		"Password of the sentinels themselves, if they need one.")                        \
	X(redis, sentinel_password_file, sentinel_password_file, FILE, none, "", 0, 200, LIVE,    \
		"In place of `sentinel_password`: a file, as in `password_file`.")                \
	X(redis, connections, connections, NUMBER, none, "2", 1, 16, LIVE,                        \
		"Most connections to each server; commands are pipelined.")                       \
	X(redis, timeout_ms, timeout_ms, NUMBER, none, "100", 5, 10000, LIVE,                     \
		"Longest wait for a reply, in milliseconds.")                                     \
	X(redis, lookup_timeout_ms, lookup_timeout_ms, NUMBER, none, "5", 1, 1000, LIVE,          \
		"Longest time that a miss waits for Redis, in milliseconds; then weir asks the "  \
		"upstream.")                                                                      \
	X(redis, buffer_kb, buffer_kb, NUMBER, none, "4096", 256, 1048576, LIVE,                  \
		"Most KiB of commands that wait to be sent. weir does not store the answers "     \
		"beyond.")                                                                        \
	X(redis, max_keys, max_keys, NUMBER, none, "1000000", 0, 1000000000, LIVE,                \
		"Most answers in Redis, over all boxes; weir deletes the coldest first. An "      \
		"answer takes about half a KiB, so the default needs some 512 MiB. 0: no cap.")   \
	X(redis, sweep_min_hits, sweep_min_hits, NUMBER, none, "1", 1, 1000000, LIVE,             \
		"With `sweep_hit_window`: weir deletes answers with fewer hits a minute.")        \
	X(redis, sweep_hit_window, sweep_hit_window_s, NUMBER, none, "0", 0, 604800, LIVE,        \
		"Age in seconds from which on weir deletes an answer that had fewer than "        \
		"`sweep_min_hits` hits a minute when it was stored. 0: off.")

#define CONFIG_KEYS_LOCAL(X)                                                                      \
	X(local, ttl, ttl_s, NUMBER, none, "300", 0, 604800, LIVE,                                \
		"TTL of records that give none, and of records from hosts files, in seconds.")    \
	X(local, special_names, special_names, BOOL, none, "true", 0, 0, LIVE,                    \
		"Whether weir answers special-use names itself (localhost, invalid, onion, "      \
		"home.arpa, reverse zones of private addresses and so on) and never asks a "      \
		"server about them.")                                                             \
	X(local, test_names, test_names, BOOL, none, "false", 0, 0, LIVE,                         \
		"`true`: weir asks the upstreams about names below `test` in spite of "           \
		"`special_names`.")                                                               \
	X(local, doh_canary, doh_canary, BOOL, none, "true", 0, 0, LIVE,                          \
		"Whether weir says that `use-application-dns.net` does not exist, which makes "   \
		"browsers use this resolver.")                                                    \
	X(local, relay_canary, relay_canary, BOOL, none, "false", 0, 0, LIVE,                     \
		"Whether weir says that `mask.icloud.com` and `mask-h2.icloud.com` do not "       \
		"exist, which makes Apple devices use this resolver in place of iCloud "          \
		"Private Relay.")                                                                 \
	X(local, hosts_ptr, hosts_ptr, BOOL, none, "true", 0, 0, LIVE,                            \
		"Whether addresses in hosts files get PTR records.")                              \
	X(local, domain, domain, TEXT, none, "", 0, 189, LIVE,                                    \
		"Domain of the house, such as `lan`: weir answers the names of DHCP leases "      \
		"(`client_names`) below it, and other names of it do not exist, unless "          \
		"`zones` or `forward_zones` name it "                                             \
		"([local.md](../how-to/local.md#names-of-leases)). Empty: leases have no names.") \
	X(local, router_names, router_names, BOOL, none, "true", 0, 0, LIVE,                      \
		"Whether weir answers the names of clients that only the router knows, by PTR "   \
		"(`client_names.ptr_servers`), like those of leases below `domain`. A zone of "   \
		"`forward_zones` comes before them.")                                             \
	X(local, single_labels, single_labels, CHOICE, single_labels, "forward", 0, 0, LIVE,      \
		"The answer to a question for the addresses of a name without a dot that is "     \
		"no local data: `forward` asks the servers; `home` says that it does not "        \
		"exist; `complete` answers by the name with `domain` behind it.")                 \
	X(local, missing_types, missing_forward, CHOICE, missing_types, "nodata", 0, 0, LIVE,     \
		"What a name of `local.records`, `local_records` or a hosts file is for types "   \
		"of which it has no record. `nodata`: it has none. `forward`: weir resolves "     \
		"them ([local.md](../how-to/local.md#types-that-a-name-lacks)).")

#define CONFIG_KEYS(X)              \
	CONFIG_KEYS_RUNTIME(X)      \
	CONFIG_KEYS_DATAPLANE(X)    \
	CONFIG_KEYS_CACHE(X)        \
	CONFIG_KEYS_REFRESH(X)      \
	CONFIG_KEYS_BLOCKING(X)     \
	CONFIG_KEYS_UPSTREAMS(X)    \
	CONFIG_KEYS_LIMITS(X)       \
	CONFIG_KEYS_TCP(X)          \
	CONFIG_KEYS_TLS(X)          \
	CONFIG_KEYS_DOT(X)          \
	CONFIG_KEYS_DOH(X)          \
	CONFIG_KEYS_CONTROLPLANE(X) \
	CONFIG_KEYS_FALLBACK(X)     \
	CONFIG_KEYS_ACCESS(X)       \
	CONFIG_KEYS_COOKIES(X)      \
	CONFIG_KEYS_DNSSEC(X)       \
	CONFIG_KEYS_IDENTITY(X)     \
	CONFIG_KEYS_IPV6(X)         \
	CONFIG_KEYS_METRICS(X)      \
	CONFIG_KEYS_CONTROL(X)      \
	CONFIG_KEYS_REDIS(X)        \
	CONFIG_KEYS_LOCAL(X)        \
	CONFIG_KEYS_QUERY_LOG(X)    \
	CONFIG_KEYS_CLIENT_NAMES(X) \
	CONFIG_KEYS_EVENTS(X)       \
	CONFIG_KEYS_UPDATES(X)      \
	CONFIG_KEYS_SYNC(X)

// X(choices, word, value)
#define CONFIG_CHOICES(X)                                               \
	CONFIG_CHOICES_CONTROLPLANE(X)                                  \
	CONFIG_CHOICES_EVENTS(X)                                        \
	CONFIG_CHOICES_UPSTREAMS(X)                                     \
	CONFIG_CHOICES_TLS(X)                                           \
	X(single_labels, "forward", SINGLE_LABELS_FORWARD)              \
	X(single_labels, "home", SINGLE_LABELS_HOME)                    \
	X(single_labels, "complete", SINGLE_LABELS_COMPLETE)            \
	X(request_format, "text", REQUESTS_TEXT)                        \
	X(request_format, "json", REQUESTS_JSON)                        \
	X(webhook_form, "generic", WEBHOOK_GENERIC)                     \
	X(webhook_form, "discord", WEBHOOK_DISCORD)                     \
	X(log_format, "text", LOG_FORMAT_TEXT)                          \
	X(log_format, "json", LOG_FORMAT_JSON)                          \
	X(log_level, "error", LOG_LEVEL_ERROR)                          \
	X(log_level, "warning", LOG_LEVEL_WARNING)                      \
	X(log_level, "info", LOG_LEVEL_INFO)                            \
	X(log_level, "debug", LOG_LEVEL_DEBUG)                          \
	X(seccomp, "kill", SANDBOX_KILL)                                \
	X(seccomp, "log", SANDBOX_LOG)                                  \
	X(seccomp, "off", SANDBOX_OFF)                                  \
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
	X(missing_types, "nodata", 0)                                   \
	X(missing_types, "forward", 1)                                  \
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
	X(policy_zones, "first", 0)                                     \
	X(policy_zones, "any", 1)                                       \
	X(update_start, "fast", UPDATE_START_FAST)                      \
	X(update_start, "blocking", UPDATE_START_BLOCKING)              \
	X(update_start, "fail", UPDATE_START_FAIL)                      \
	X(list_format, "auto", LIST_FORMAT_AUTO)                        \
	X(list_format, "hosts", LIST_FORMAT_HOSTS)                      \
	X(list_format, "domains", LIST_FORMAT_DOMAINS)                  \
	X(list_format, "adblock", LIST_FORMAT_ADBLOCK)                  \
	X(list_format, "dnsmasq", LIST_FORMAT_DNSMASQ)                  \
	X(list_format, "unbound", LIST_FORMAT_UNBOUND)                  \
	X(list_format, "rpz", LIST_FORMAT_RPZ)                          \
	X(list_format, "addresses", LIST_FORMAT_ADDRESSES)              \
	X(tsig_algorithm, "hmac-sha256", CONFIG_TSIG_SHA256)            \
	X(tsig_algorithm, "hmac-sha512", CONFIG_TSIG_SHA512)            \
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

// Defaults that a preset changes; it does not change a key that the file gives. A preset's own key
// is before the keys that it changes. X(preset's key, word, key, default)
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
#include "config_keys_blocking.h"
#include "config_keys_controlplane.h"
#include "config_keys_log.h"
#include "config_keys_tcp.h"
#include "config_keys_upstreams.h"
#include "config_schema.h"

#include <stdbool.h>
#include <weir/config.h>
#include <weir/os/sandbox.h>

enum config_kind { CONFIG_TEXT, CONFIG_FILE, CONFIG_NUMBER, CONFIG_BOOL, CONFIG_CHOICE };

struct config_key {
	const char *path; // "cache.min_ttl"
	enum config_kind kind;
	bool live;
	const char *choices, *fallback;
	const char *field; // name of the member of struct config; its end decides a number's units
	int64_t min, max;
	size_t field_offset, field_size; // where struct config has the value
};

extern const struct config_key config_keys[];
extern const unsigned config_key_count;

const struct config_key *config_key_find(const char *path); // NULL: the table has no such key

bool config_key_differs(
	const struct config_key *key, const struct config *a, const struct config *b);

// Reads a number that no table has. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_number_parse(const struct config_doc *doc, const char *path,
	const char *text, int64_t min, int64_t max, int64_t *out);
// Reads 0 to `max` seconds, written as "3600" or "1h". False: it is no such time.
bool config_seconds_read(const char *text, int64_t max, int64_t *out);
// Reads the value of key `of` in `node`, an item of a list or a mapping named `owner`
// ("groups[3]"). Without the key *out stays.
ATTR_MUST_CHECK int config_bool_of(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const char *of, bool *out);
ATTR_MUST_CHECK int config_number_of(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const char *of, int64_t min, int64_t max, int64_t *out);
ATTR_MUST_CHECK int config_choice_of(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const char *of, const char *choices, int64_t *out);
// `choices`: first column of CONFIG_CHOICES. False: there is no such word.
bool config_choice_find(const char *choices, const char *word, int64_t *out);
const char *config_choice_word(const char *choices, int64_t value); // "": no word has it
