// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How the AAAA questions of a view are answered where its clients have no IPv4 (DNS64, RFC 6147),
// or no IPv6 (no AAAA at all). Pure functions on messages; any thread.
//
// With DNS64 a name without AAAA records gets one for each of its A records, whose IPv4 address
// lies in an IPv6 prefix (RFC 6052 2.2) that a NAT64 translates. Addresses of ::ffff:0:0/96 count
// as none (RFC 6147 5.1.4). The functions make the message that a server with DNS64 would have
// sent; it is then read as any other one (dns_answer.h), so nothing that was not checked gets
// further.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>

enum {
	AAAA_TTL_MAX_S = 600, // where no SOA says how long there is no AAAA (RFC 6147 5.1.7)
	AAAA_NONE_TTL_S = 300,
};

// Has this reply to an AAAA question of class IN no address that counts, although the name exists?
bool aaaa_is_empty(const uint8_t *msg, size_t len);

// A reply to the question for `asked` A, as one to AAAA: CNAMEs stay, each A becomes an AAAA with
// `ttl_max_s` at most, all else is left out, AD is cleared. A reply without A records, or of
// another rcode than NOERROR, is the same with AAAA as its type. Bytes written; 0: it does not
// parse, or has no room.
ATTR_MUST_CHECK size_t aaaa_made(const struct ip_address *prefix, const uint8_t *msg, size_t len,
	uint32_t ttl_max_s, uint8_t *out, size_t cap);

// The reply that the name has no AAAA, with a SOA for AAAA_NONE_TTL_S. Bytes; 0: no room.
ATTR_MUST_CHECK size_t aaaa_none(const struct dns_name *asked, uint8_t *out, size_t cap);

// A name of ip6.arpa that stands for an address in the prefix: the name of its IPv4 address in
// in-addr.arpa (RFC 6147 5.3.1). False: it does not.
bool aaaa_reverse(
	const struct ip_address *prefix, const struct dns_name *name, struct dns_name *out);
