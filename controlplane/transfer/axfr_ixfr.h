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
	uint16_t id;                                          // the query's
	int (*text)(void *arg, const char *line, size_t len); // not 0: ends the reading with that
	void *arg;
	bool begun;      // the first SOA was read
	uint32_t serial; // the first SOA's
	uint64_t records;
	struct rdata_record record;
	bool is_cut; // the line has no data, which is too long
	char line[AXFR_LINE_MAX];
	char why[AXFR_WHY_MAX]; // what went wrong
};

// A query without RD for the zone's records of `qtype` (AXFR or SOA). Its length.
uint16_t axfr_query_write(const struct axfr_reader *r, uint16_t qtype, uint8_t out[AXFR_QUERY_MAX]);

// 1: the zone is whole; 0: more must come; -EBADMSG: malformed, or another record than must come;
// -EPROTO: another reply, or one that says an error; what `text` returned.
ATTR_MUST_CHECK int axfr_read(struct axfr_reader *r, const uint8_t *msg, size_t len);

// The reply to a query for the SOA: r->serial from it. 0, -EBADMSG, -EPROTO.
ATTR_MUST_CHECK int axfr_read_serial(struct axfr_reader *r, const uint8_t *msg, size_t len);

// Messages of an incremental transfer (RFC 1995) into lines that leave a copy of the zone and lines
// that join it. The lines are those of whole zones, so a line that leaves is one of the copy.
//
// The reply begins with the SOA of the new serial. It may be one SOA of the copy's serial; or the
// whole zone, as by AXFR; or differences, one or more: the SOA that they begin from, what leaves,
// the SOA that they come to, what joins. The serials must form a chain from that of the copy to the
// new one, each newer than the one before (RFC 1982); the SOA of the new serial ends the reply, and
// nothing may follow it. Whether the copy has what leaves is for `change` to say. A record without
// its data (RDATA_TEXT_MAX) in a difference is an error, as its line is no other one's alone.
//
// A value of its caller's, some 11 KiB. No allocation. One pass over each message.
enum { IXFR_QUERY_MAX = AXFR_QUERY_MAX + 34 };

enum ixfr_reply {
	IXFR_MORE = 0,
	IXFR_UNCHANGED,  // the copy is the zone
	IXFR_WHOLE,      // `text` has got it
	IXFR_DIFFERENCE, // `change` has got it, `text` the new SOA
};

enum ixfr_part { IXFR_BEGINS, IXFR_SECOND, IXFR_ZONE, IXFR_LEAVES, IXFR_JOINS };

struct ixfr_reader {
	struct axfr_reader zone; // calls its `text` for whole zones, and once at the end
	uint32_t have;           // serial of the copy
	int (*change)(void *arg, bool joins, const char *line, size_t len); // zone.arg
	enum ixfr_part part;
	uint32_t at;    // serial that the differences have come to
	size_t soa_len; // length of the first SOA's line
	char soa[AXFR_LINE_MAX];
};

// The query for what changed since r->have. Its length.
uint16_t ixfr_query_write(const struct ixfr_reader *r, uint8_t out[IXFR_QUERY_MAX]);

// enum ixfr_reply. -ESTALE: the server's zone is older than the copy; -EBADMSG, -EPROTO as
// axfr_read, and for a broken chain; what `change` returned, with r->zone.why; what `text`
// returned.
ATTR_MUST_CHECK int ixfr_read(struct ixfr_reader *r, const uint8_t *msg, size_t len);
