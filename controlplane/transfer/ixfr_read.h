// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Messages of an incremental transfer (RFC 1995) into lines that leave a copy of the zone and lines
// that join it. The lines are those of axfr_read.h, so a line that leaves is one of the copy.
//
// The reply begins with the SOA of the new serial. It may be one SOA of the copy's serial; or the
// whole zone, as by AXFR; or differences, one or more: the SOA that they begin from, what leaves,
// the SOA that they come to, what joins. The serials must form a chain from that of the copy to the
// new one, each newer than the one before (RFC 1982); the SOA of the new serial ends the reply, and
// nothing may follow it. Whether the copy has what leaves is for `change` to say. A record without
// its data (RDATA_TEXT_MAX) in a difference is an error, as its line is no other one's alone.
//
// A value of its caller's, some 11 KiB. No allocation. One pass over each message.

#include "axfr_read.h"

enum { IXFR_QUERY_MAX = AXFR_QUERY_MAX + 34 };

enum ixfr_reply {
	IXFR_MORE = 0,
	IXFR_UNCHANGED,  // the copy is the zone
	IXFR_WHOLE,      // `text` has got it
	IXFR_DIFFERENCE, // `change` has got it, `text` the new SOA
};

enum ixfr_part { IXFR_BEGINS, IXFR_SECOND, IXFR_ZONE, IXFR_LEAVES, IXFR_JOINS };

struct ixfr_reader {
	struct axfr_reader zone; // its `text` is called for whole zones, and once at the end
	uint32_t have;           // serial of the copy
	int (*change)(void *arg, bool joins, const char *line, size_t len); // zone.arg
	enum ixfr_part part;
	uint32_t at;    // serial that the differences have come to
	size_t soa_len; // of the first SOA's line
	char soa[AXFR_LINE_MAX];
};

// The query for what changed since r->have. Its length.
uint16_t ixfr_query_write(const struct ixfr_reader *r, uint8_t out[IXFR_QUERY_MAX]);

// enum ixfr_reply. -ESTALE: the server's zone is older than the copy; -EBADMSG, -EPROTO as
// axfr_read, and for a broken chain; what `change` returned, with r->zone.why; what `text`
// returned.
ATTR_MUST_CHECK int ixfr_read(struct ixfr_reader *r, const uint8_t *msg, size_t len);
