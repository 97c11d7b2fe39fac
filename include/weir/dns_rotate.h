// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The order of addresses in a reply, moved on from one query to the next, so that clients that take
// the first one spread over all of them (RFC 1794).

#include "attr.h"

#include <stddef.h>
#include <stdint.h>

// Moves the A or AAAA records of each RRset of the answer section on by `turn` places; CNAMEs
// before and signatures behind them stay. `records`: offset of the first record, behind the
// question. It moves only records whose owner is a pointer, as in all replies of weir except for
// the root's: they have one even length, so the sum of all bytes stays the same, and a pointer to
// an owner among them still leads to the same name. Reads and writes within len bytes only,
// whatever the bytes are. Cost: a look at each record of the answer, and two moves of each address.
void dns_rotate(uint8_t *msg, size_t len, size_t records, uint32_t turn) ATTR_NONNULL;
