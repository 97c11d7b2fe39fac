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

// Such as "AAAA" or "TYPE65280".
char *dns_type_text(uint16_t type, char out[DNS_TYPE_TEXT_MAX]);
// Reads what dns_type_text writes, in any case, or a number such as "65280". False: it is no type.
ATTR_MUST_CHECK bool dns_type_from_text(const char *text, uint16_t *out);
const char *dns_rcode_text(uint16_t rcode); // "NXDOMAIN", or "RCODE" for one without a name
// Reads a name of dns_rcode_text, in any case, or a number up to 4095. False: it is no response
// code.
ATTR_MUST_CHECK bool rdata_rcode_from_text(const char *text, uint16_t *out);

// One record of the message's answer section.
struct rdata_record {
	struct dns_name name;
	uint16_t type, rclass;
	uint32_t ttl_s;
	char data[RDATA_TEXT_MAX]; // cut short with "..." when longer
};

// Reads the record at the cursor, which spans the message from its header, and moves the cursor
// behind the record. False: the record is cut short or malformed.
bool rdata_record_read(struct rd *msg, struct rdata_record *out);
// Moves a cursor at offset 0 over header and question; reads *ancount from the header. False: the
// message is cut short or malformed.
bool rdata_answer_begin(struct rd *msg, uint16_t *ancount);
