// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The keys of dnssec, in the form that config_keys.h explains.

#define CONFIG_KEYS_DNSSEC(X)                                                                    \
	X(dnssec, validate, validate, BOOL, none, "false", 0, 0, LIVE,                           \
		"Whether weir validates what upstreams answer. A bogus answer is SERVFAIL with " \
		"the reason, and a secure one has AD for clients that ask with AD or DO. See "   \
		"[dnssec.md](../how-to/dnssec.md).")                                             \
	X(dnssec, anchors, anchors, TEXT, none, "/usr/share/dns/root.key", 1, 200, LIVE,         \
		"Absolute path of the file of trust anchors: DNSKEY or DS records, or a file "   \
		"that `unbound-anchor` keeps by RFC 5011, of which the valid keys count. The "   \
		"default is of the package dns-root-data.")
