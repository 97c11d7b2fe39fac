// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Skips through a message to its OPT. The reader bounds it, and has its error set where the message
// is cut off.

#include "bytes.h"
#include "dns_proto.h"

enum { DNS_SKIP_POINTER = 0xc0 };

// Past a name, compressed or not (RFC 1035 4.1.4): a pointer ends it and is not followed.
static inline void dns_name_skip(struct rd *r)
{
	uint8_t byte;

	while ((byte = rd_u8(r)) != 0) {
		if (byte >= DNS_SKIP_POINTER) {
			rd_skip(r, 1);
			return;
		}
		rd_skip(r, byte);
	}
}

// The options of the first OPT (RFC 6891 6.1.2) among the next `records` records: *len bytes of the
// message; NULL: no OPT.
static inline const uint8_t *dns_options_find(struct rd *r, unsigned records, size_t *len)
{
	for (; records && rd_ok(r); records--) {
		dns_name_skip(r);
		uint16_t type = rd_u16(r);
		rd_skip(r, 6);
		uint16_t rdlen = rd_u16(r);
		const uint8_t *rdata = rd_bytes(r, rdlen);
		if (rdata && type == DNS_TYPE_OPT) {
			*len = rdlen;
			return rdata;
		}
	}
	return NULL;
}
