// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Resource records as text, for `weirctl cache get`. Presentation form of RFC 1035 and successors
// for the common types, RFC 3597 (`\# LEN HEX`) for all others and for data that does not parse.
// The text is printable ASCII. No allocation.

#include <stddef.h>
#include <stdint.h>
#include <weir/bytes.h>
#include <weir/dns_name.h>

enum { DNS_TYPE_TEXT_MAX = 12, RDATA_TEXT_MAX = 4096 };

// "AAAA", "TYPE65280".
char *dns_type_text(uint16_t type, char out[DNS_TYPE_TEXT_MAX]);
// From the same, in any case, or "65280". False: no type.
ATTR_MUST_CHECK bool dns_type_from_text(const char *text, uint16_t *out);
const char *dns_rcode_text(uint16_t rcode); // "NXDOMAIN", or "RCODE" for one without a name
// From the same in any case, or from a number of at most 4095. False: no response code.
ATTR_MUST_CHECK bool rdata_rcode_from_text(const char *text, uint16_t *out);

// One record of the message's answer section.
struct rdata_record {
	struct dns_name name;
	uint16_t type, rclass;
	uint32_t ttl_s;
	char data[RDATA_TEXT_MAX]; // cut short with "..." when longer
};

// The cursor spans the message from its header and stands at a record; afterwards behind it.
// False: cut short or malformed.
bool rdata_record_read(struct rd *msg, struct rdata_record *out);
// Moves a cursor at offset 0 over header and question. False as above; *ancount from the header.
bool rdata_answer_begin(struct rd *msg, uint16_t *ancount);
