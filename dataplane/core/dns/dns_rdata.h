// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Copies RDATA out of a foreign message, so that no pointer into that message survives.
//
// Names inside the RDATA of RFC 1035's types are decompressed and compressed again. In some newer
// types senders compress names although they must not; those are decompressed and written whole
// (RFC 3597 4). Types that are not in the table are copied untouched (RFC 3597 3).

#include "dns_compress.h"

#include <weir/attr.h>

// RDATA with its length field, from the cursor over the whole message to c->w. 0, or -EBADMSG if
// the RDATA does not have the type's form; no room shows in wr_ok(&c->w).
ATTR_MUST_CHECK int dns_rdata_copy(const struct rd *msg, uint16_t type, uint16_t class,
	uint16_t rdata_len, struct dns_compress *c);
