// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// DNS cookies (RFC 7873) of the server, interoperable ones (RFC 9018): version 1, SipHash-2-4.
//
// A server cookie is 16 bytes: version, three zeros, the time in seconds, and a hash over the
// client's cookie, these and the client's address, keyed by a secret. weir stores nothing for a
// client: a client that sends a right cookie back has received it at its address within the last
// hour. All boxes with the same secrets accept each other's cookies. *fresh: signed by the first
// secret, and young. Pure: no state, no allocation, no clock. The hash is of 20 bytes (IPv4) or 32
// (IPv6); a cookie costs one, and one more when it is renewed.

#include "attr.h"
#include "dns_query.h"

enum {
	DNS_COOKIE_SECRETS_MAX = 4,
	DNS_COOKIE_SECRET_LEN = 16,
	DNS_COOKIE_VERSION = 1,     // RFC 9018 4
	DNS_COOKIE_SIGNED_LEN = 16, // bytes of a whole cookie that its hash, behind them, is over
	// RFC 9018 4.3: the greatest age of a cookie, how far in the future it may be, and the age
	// from which on its client gets a new one.
	DNS_COOKIE_OLD_S = 3600,
	DNS_COOKIE_AHEAD_S = 300,
	DNS_COOKIE_RENEW_S = 1800,
};

enum dns_cookie_require {
	DNS_COOKIE_REQUIRE_NEVER, // a right cookie has its own limit, a wrong one changes nothing
	DNS_COOKIE_REQUIRE_OVER_LIMIT, // a client over a limit without a right cookie gets
				       // BADCOOKIE
};

// Lies in shared memory (struct dp_config).
struct dns_cookie_terms {
	uint8_t secret[DNS_COOKIE_SECRETS_MAX][DNS_COOKIE_SECRET_LEN]; // the first signs
	uint8_t count;   // number of secrets; 0: no cookies
	uint8_t is_on;   // the operator wants them
	uint8_t require; // enum dns_cookie_require
	uint8_t reserved[5];
};
static_assert(sizeof(struct dns_cookie_terms) == 72);

struct dns_cookie_client {
	const uint8_t *address; // 4 or 16 bytes, in network byte order
	unsigned ip_version;
	uint32_t now_s; // wall clock, modulo 2^32
};

enum dns_cookie_kind {
	DNS_COOKIE_NONE,  // the query had none, or cookies are off
	DNS_COOKIE_ALONE, // the client's part only
	DNS_COOKIE_BAD,   // another server's, another client's, too old, ...
	DNS_COOKIE_GOOD,
};

// Writes the whole cookie for this client, whose own part is in out[0..8) already.
void dns_cookie_make(const struct dns_cookie_terms *t, const struct dns_cookie_client *c,
	uint8_t out[DNS_COOKIE_LEN]) ATTR_NONNULL;

ATTR_MUST_CHECK enum dns_cookie_kind dns_cookie_check(const struct dns_cookie_terms *t,
	const struct dns_cookie_client *c, const uint8_t *cookie, unsigned len,
	bool *fresh) ATTR_NONNULL;

// For a query that dns_query_parse has read (`status`; never DNS_QUERY_SHORT): checks its cookie
// and puts the reply's cookie into q. Returns the final status of the query: FORMERR for a cookie
// of an impossible length (RFC 7873 5.2.2), and for a query without question when cookies are off.
ATTR_MUST_CHECK enum dns_query_status dns_cookie_settle(const struct dns_cookie_terms *t,
	const struct dns_cookie_client *c, enum dns_query_status status, struct dns_query *q,
	enum dns_cookie_kind *kind) ATTR_NONNULL;
