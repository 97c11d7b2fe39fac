// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Messages of a zone transfer (RFC 5936) into lines of a master file, one line a record.
//
// The server's bytes are not trusted: each message must be a reply to this query without an error,
// the first record the zone's SOA, and the last one the same SOA again; nothing may follow it.
// Records in between may be of any type. Data of a type that base/rdata_text.h writes is written
// so, other data in the form of RFC 3597, and so is data whose text would not read as it was
// written. Owners are absolute, all but letters, digits and -_* escaped: no record can begin
// another line, a comment or a directive. A record whose text is over RDATA_TEXT_MAX has no data.
//
// A value of its caller's, some 6 KiB. No allocation. One pass over each message; a name follows
// 126 pointers at most.

#include "base/rdata_text.h"

enum {
	AXFR_WHY_MAX = 128,
	AXFR_LINE_MAX = DNS_NAME_TEXT_MAX + RDATA_TEXT_MAX + 64,
	AXFR_QUERY_MAX = DNS_HEADER_LEN + DNS_NAME_MAX + 4,
};

struct axfr_reader {
	struct dns_name zone;
	uint16_t id;                                          // of the query
	int (*text)(void *arg, const char *line, size_t len); // not 0: ends the reading with that
	void *arg;
	bool begun;      // the first SOA was read
	uint32_t serial; // of it
	uint64_t records;
	struct rdata_record record;
	bool is_cut; // the line has no data, which is too long
	char line[AXFR_LINE_MAX];
	char why[AXFR_WHY_MAX]; // of an error
};

// A query without RD for the zone's records of `qtype` (AXFR or SOA). Its length.
uint16_t axfr_query_write(const struct axfr_reader *r, uint16_t qtype, uint8_t out[AXFR_QUERY_MAX]);

// 1: the zone is whole; 0: more must come; -EBADMSG: malformed, or another record than must come;
// -EPROTO: another reply, or one that says an error; what `text` returned.
ATTR_MUST_CHECK int axfr_read(struct axfr_reader *r, const uint8_t *msg, size_t len);

// The reply to a query for the SOA: r->serial from it. 0, -EBADMSG, -EPROTO.
ATTR_MUST_CHECK int axfr_read_serial(struct axfr_reader *r, const uint8_t *msg, size_t len);
