// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Past a name of a message that nobody reads here, compressed or not (RFC 1035 4.1.4): a pointer
// ends it and is not followed. Bounded by the reader, whose error is set where the name is cut off.

#include "bytes.h"

enum { DNS_SKIP_POINTER = 0xc0 };

static inline void dns_name_skip(struct rd *r)
{
	uint8_t octet;

	while ((octet = rd_u8(r)) != 0) {
		if (octet >= DNS_SKIP_POINTER) {
			rd_skip(r, 1);
			return;
		}
		rd_skip(r, octet);
	}
}
