// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The state of a zone file (RFC 1035 5, RPZ) from line to line: the origin, the owner that lines
// without one mean, and a record whose parentheses are still open. Bounded: such a record ends as
// refused after LIST_LINE_MAX bytes or LIST_RECORD_LINES_MAX lines, so that one parenthesis does
// not swallow the list.

#include "list_text.h"

#include <weir/dns_name.h>

enum { LIST_RECORD_LINES_MAX = 256 };

struct list_zone {
	bool on;         // the list is a zone file
	bool has_origin; // $ORIGIN or the SOA's owner gave one; until then names are below the root
	bool has_apex;   // a SOA was seen; until then the apex is the first origin
	bool has_owner;
	struct dns_name origin, apex, owner;
	uint32_t ttl_s;             // for records without one
	unsigned parentheses;       // open ones
	bool quoted;                // inside quotes, at the end of `record`
	uint32_t first_line, lines; // where the record is
	size_t record_len;
	char record[LIST_LINE_MAX + 4]; // one record, without comments and parentheses
};

void list_zone_begin(struct list_zone *z, bool on);

// Forgets a record that is not whole.
void list_zone_drop(struct list_zone *z);

// A name of a zone file: without a dot at its end it is below the origin; `@` is the origin. False:
// no name, or too long.
bool list_zone_name(const struct list_zone *z, struct list_text text, struct dns_name *out);

// The record's next word, or what stands between quotes with them; of len 0: no more.
struct list_text list_zone_token(struct list_text *rest);
