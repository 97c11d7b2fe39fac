// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The header of PROXY protocol version 2, in which a balancer says whose connection it forwards.
//
// A bounds-checked reader of bytes from the network; a pure function, which owns and keeps nothing.
// Any thread. It costs a comparison of 12 bytes and a copy of an address. Versions other than 2,
// the text form (version 1) among them, and addresses other than those of IP are refused.
//
// TLVs behind the addresses are skipped unread. A header of over FRONTEND_PROXY_MAX bytes is
// refused: the specification means it to fit into the smallest segment that a host must support.

#include "resolver/resolver_client.h"

#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { FRONTEND_PROXY_HEAD = 16, FRONTEND_PROXY_MAX = 536 };

enum frontend_proxy_kind {
	FRONTEND_PROXY_PART,   // good so far, but not whole
	FRONTEND_PROXY_BAD,    // no header, or one that is refused
	FRONTEND_PROXY_SENDER, // the sender is the client itself: a health check, or no IP address
	FRONTEND_PROXY_CLIENT,
};

struct frontend_proxy {
	uint16_t len;                // of the header; of a part: as far as that is known, over 0
	union client_address client; // of FRONTEND_PROXY_CLIENT; an IPv4 address may be mapped
};

// Reads the header at the begin of `len` bytes; `out` is not set where it is FRONTEND_PROXY_BAD. A
// part that cannot become a header is bad at its first wrong byte.
ATTR_MUST_CHECK enum frontend_proxy_kind frontend_proxy_read(
	const uint8_t *bytes, size_t len, struct frontend_proxy *out);
