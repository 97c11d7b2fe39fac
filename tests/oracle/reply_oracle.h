// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Is this a reply that may leave weir? For every body that makes one, for each frame that a packet
// test takes from a worker (tests/dp/harness.c), and for each reply of the frontend's tests. Reads
// messages with code of its own, byte by byte, and aborts with the property that is broken.
//
// Header: the query's id, opcode, RD and CD; QR and RA set, AA and the reserved bit clear. The
// question as it was asked, letter for letter, or none. Records that parse to the last byte, by
// pointers that lead backwards alone, names of at most 255 bytes, addresses of their size, no OPT
// but one in the additional section, and that if and only if the query has one (a query that does
// not parse may get either); no option cut short; equal TTLs within a set (RFC 2181 5.2), none with
// the top bit; none at all beside TC, unless it is an extended error that had no room (RFC 8914 3).
// No longer than the client can take.

#include <stddef.h>
#include <stdint.h>

enum { REPLY_ORACLE_TCP = 65535, REPLY_ORACLE_RECORDS_MAX = 64 };

struct reply_oracle {
	const uint8_t *query; // NULL: not known, so only the rules for every reply apply
	size_t query_len;
	size_t limit; // bytes; REPLY_ORACLE_TCP: the client's size does not count
	// The records come from a cache that holds what the test put there: not looked into.
	uint8_t any_rdata;
};

void reply_oracle_check(const struct reply_oracle *o, const uint8_t *reply, size_t len);
