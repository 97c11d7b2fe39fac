// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of upstream servers by number, so that a record of the query log (log_msg.h) can say in two
// octets who answered. A name keeps its number for the life of the book, so rows made before a
// reload are named as they were. Added to by the resolver loop, read by any thread without a lock:
// an entry is written once, before its number is given out.
//
// Bounds: UPSTREAM_BOOK_MAX names; one more has no number and is counted (`refused`), its answers
// have no upstream in the log. Looking a name up to number it is linear, once for each server of a
// reload.

#include <stdint.h>
#include <weir/attr.h>

enum {
	UPSTREAM_BOOK_MAX = 1024,
	UPSTREAM_BOOK_NAME_MAX = 4 * 63 + 1, // escaped (text.h), each octet as \xNN
};

struct upstream_book;

ATTR_MUST_CHECK int upstream_book_open(struct upstream_book **out); // -ENOMEM
void upstream_book_close(struct upstream_book *b);                  // NULL is fine

// Resolver loop: that of the name, LOG_NO_UPSTREAM when the book is full. NULL book: likewise.
uint16_t upstream_book_number(struct upstream_book *b, const char *name);
// Any thread: "" for a number that was not given out. NULL book: likewise.
const char *upstream_book_name(const struct upstream_book *b, unsigned number);

struct table_registry;
void upstream_book_tables(const struct upstream_book *b, struct table_registry *tables);
