// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The order of addresses in a reply, moved on from one query to the next, so that clients that take
// the first one spread over all of them (RFC 1794).

#include "attr.h"

#include <stddef.h>
#include <stdint.h>

// Moves the A or AAAA records of each RRset of the answer section on by `turn` places; what stands
// before and behind them (CNAMEs, signatures) stays. `records`: offset of the first one, behind the
// question. Only records whose owner is a pointer are moved, as those of all our replies but for
// the root's are: they are of one even length, so the sum of all octets stays as it was, and a
// pointer to an owner among them still leads to the same name. Reads and writes within len octets
// only, whatever these hold. Cost: a look at each record of the answer, and two moves of each
// address.
void dns_rotate(uint8_t *msg, size_t len, size_t records, uint32_t turn) ATTR_NONNULL;
