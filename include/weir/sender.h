// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The sender of a query: the ports from which no client asks, and the header in which a balancer
// names the client. Workers and frontends decide alike by these.
//
// Pure functions, which own and keep nothing. Any thread.

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// UDP ports from which no real client asks: 0, services that answer anything (RFC 862, 867, 865,
// 864), and DNS servers. A reply to one of them could loop for ever; queries from there have forged
// sources.
ATTR_INLINE bool source_port_fits(uint16_t port)
{
	enum { NONE = 0, ECHO = 7, DAYTIME = 13, QOTD = 17, CHARGEN = 19, DNS = 53 };
	switch (port) {
	case NONE:
	case ECHO:
	case DAYTIME:
	case QOTD:
	case CHARGEN:
	case DNS:
		return false;
	default:
		return true;
	}
}

// The header of PROXY protocol version 2, in which a balancer says whose connection or datagram it
// forwards (HAProxy's proxy-protocol.txt, section 2.2). A bounds-checked reader of bytes from the
// network: a comparison of 12 bytes and a copy of an address. Versions other than 2, the text form
// (version 1) among them, and addresses other than those of IP are refused.
//
// TLVs behind the addresses are skipped unread. A header of over PROXY_HEADER_MAX bytes is refused:
// the specification means it to fit into the smallest segment that a host must support.
enum { PROXY_HEADER_HEAD = 16, PROXY_HEADER_MAX = 536 };

enum proxy_header_kind {
	PROXY_HEADER_PART,   // good so far, but not whole
	PROXY_HEADER_BAD,    // no header, or one that is refused
	PROXY_HEADER_SENDER, // the sender is the client itself: a health check, or no IP address
	PROXY_HEADER_CLIENT,
};

struct proxy_header {
	uint16_t len;  // bytes of the header; of a part, as far as that is known: over 0
	uint16_t port; // host byte order
	uint8_t ip_version;
	uint8_t ip[16]; // network byte order; IPv4 in the first 4 bytes, the rest 0
};

// Reads the header at the begin of `len` bytes; `out` is not set where it is PROXY_HEADER_BAD. A
// part that cannot become a header is bad at its first wrong byte.
ATTR_MUST_CHECK enum proxy_header_kind proxy_header_read(
	const uint8_t *bytes, size_t len, struct proxy_header *out);
