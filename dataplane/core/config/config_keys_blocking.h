// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Keys of `blocking` with one value: rows as in config_keys.h.

#define CONFIG_KEYS_BLOCKING(X)                                                                  \
	X(blocking, enabled, enabled, BOOL, none, "true", 0, 0, LIVE,                            \
		"Whether the lists block anything.")                                             \
	X(blocking, closed, closed, BOOL, none, "false", 0, 0, LIVE,                             \
		"What clients get while the data plane has no rules, for example after damage. " \
		"`true`: SERVFAIL. `false`: answers without any blocking.")                      \
	X(blocking, policy_zones, zones_any, CHOICE, policy_zones, "first", 0, 0, LIVE,          \
		"Which of several policy zones (RPZ) decides about a name. `first`: the one "    \
		"that stands first in `lists` of those that have a rule for it. `any`: what "    \
		"any zone lets pass (`rpz-passthru.`) no other blocks.")                         \
	X(blocking, mode, mode, CHOICE, block_mode, "nxdomain", 0, 0, LIVE,                      \
		"Answer for a blocked name: `nxdomain`, `null` (0.0.0.0 and ::), `nodata`, "     \
		"`refused` or `address` (the addresses `ipv4` and `ipv6`).")                     \
	X(blocking, ttl, ttl_s, NUMBER, none, "300", 1, 86400, LIVE,                             \
		"TTL of that answer, in seconds.")

// Below `blocking`, in a mapping of its own: blocking.update.interval and so on.
#define CONFIG_KEYS_BLOCKING_UPDATE(X)                                                           \
	X(blocking_update, interval, interval_s, NUMBER, none, "86400", 0, 2592000, LIVE,        \
		"Time between two fetches of a list with a `url`, in seconds. The default is "   \
		"one day, as list makers expect; 21600 is six hours. At least 60. 0: weir "      \
		"fetches lists only on `weirctl blocklist reload`.")                             \
	X(blocking_update, jitter, jitter_s, NUMBER, none, "3600", 0, 86400, LIVE,               \
		"Largest random delay added to `interval`, in seconds, so that not all boxes "   \
		"fetch at once.")                                                                \
	X(blocking_update, start, start, CHOICE, update_start, "fast", 0, 0, LIVE,               \
		"How weir starts. `fast`: it serves at once, with the last good image if there " \
		"is one, and loads the lists meanwhile. `blocking`: it serves when the lists "   \
		"are loaded, or after `start_timeout`. `fail`: it exits if a list cannot be "    \
		"loaded and there is no last good image.")                                       \
	X(blocking_update, start_timeout, start_timeout_s, NUMBER, none, "60", 1, 600, LIVE,     \
		"How long `blocking` and `fail` wait for the lists, in seconds.")                \
	X(blocking_update, timeout, timeout_s, NUMBER, none, "60", 1, 3600, LIVE,                \
		"Longest time of one download, in seconds.")                                     \
	X(blocking_update, max_mb, max_mb, NUMBER, none, "64", 1, 1024, LIVE,                    \
		"Largest list, in MiB, as sent and as unpacked. weir refuses the whole of a "    \
		"larger one.")                                                                   \
	X(blocking_update, max_redirects, max_redirects, NUMBER, none, "5", 0, 20, LIVE,         \
		"Longest chain of HTTP redirects that weir follows.")                            \
	X(blocking_update, allow_private, allow_private, BOOL, none, "false", 0, 0, LIVE,        \
		"Whether weir fetches lists from loopback, private, link-local and other "       \
		"addresses that are not public.")
