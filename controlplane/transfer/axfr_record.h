// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the readers of whole zones (axfr_read.c) and of differences (ixfr_read.c) share: a message's
// head, its records, and their lines. Errors are those of axfr_read, with r->why.

#include "axfr_read.h"

int axfr_refuse(struct axfr_reader *r, int err, const char *fmt, ...) ATTR_PRINTF(3, 4); // `err`

// The header, and the question, which may be missing (RFC 5936 2.2.1). The number of answers, or an
// error.
ATTR_MUST_CHECK int axfr_head_read(struct axfr_reader *r, struct rd *msg, uint16_t qtype);
// The record at the cursor, with its data. 1: it is the zone's SOA, whose serial is *serial; 0:
// another one, or an error.
ATTR_MUST_CHECK int axfr_record_read(struct axfr_reader *r, struct rd *msg, const uint8_t **rdata,
	size_t *len, uint32_t *serial);
// The line of that record, to r->line. Its length, with the line feed.
size_t axfr_line_write(struct axfr_reader *r, const uint8_t *rdata, size_t len);
// The SOA that ends the zone: 1, or an error.
ATTR_MUST_CHECK int axfr_soa_take(struct axfr_reader *r, uint32_t serial, bool is_last);
