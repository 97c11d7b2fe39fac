// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Record data from text (RFC 1035 5.1), for the operator's own records: `A`, `AAAA`, `CNAME`,
// `PTR`, `MX`, `SRV`, `TXT`, `CAA` (RFC 8659), `SVCB` and `HTTPS` (RFC 9460).
//
// One line, no comments, no parentheses. Names are absolute with or without the final dot, and keep
// their letter case. Escapes are \DDD and \X. A TXT text that does not begin with a quote is one
// string as it stands, blanks included; a string over 255 bytes is cut into pieces of 255, which
// readers of SPF and DKIM join again. SVCB parameters come in any order and leave in the order of
// their keys; the bytes of a key that has no name here are given as keyNNNNN=text. No allocation,
// no state. The cost grows with the length of the text, which the caller bounds.

#include "attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RDATA_PARSE_MAX = 4096,      // bytes of data
	RDATA_PARSE_PARAMS_MAX = 32, // parameters of an SVCB record
};

// A word such as "aaaa"; false: not one of RDATA_PARSE_TYPES, in any case of its letters.
#define RDATA_PARSE_TYPES "A, AAAA, CAA, CNAME, HTTPS, MX, PTR, SRV, SVCB, TXT"
ATTR_MUST_CHECK bool rdata_parse_type(const char *text, uint16_t *type);
const char *rdata_parse_type_text(uint16_t type); // "AAAA"; "" for a type that it does not know

// The wire form, names not compressed, into `out` (RDATA_PARSE_MAX bytes) and its length. -EINVAL
// with a reason that lives for ever in *why; `out` may then be written to.
ATTR_MUST_CHECK int rdata_parse(uint16_t type, const char *text, size_t text_len, uint8_t *out,
	uint16_t *out_len, const char **why) ATTR_NONNULL;
