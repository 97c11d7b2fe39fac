// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of upstream servers by number, so that a record of the query log (log_msg.h) names the
// server in two bytes. A name keeps its number for the life of the book, so rows from before a
// reload have the right name. The resolver loop adds names, any thread reads them without a lock:
// an entry is written once, before its number is used.
//
// Bounds: UPSTREAM_BOOK_MAX names; one more gets no number and is counted (`refused`), and its
// answers have no upstream in the log. The lookup by name is linear; a reload looks each server up
// once.

#include <stdint.h>
#include <weir/attr.h>

enum {
	UPSTREAM_BOOK_MAX = 1024,
	UPSTREAM_BOOK_NAME_MAX = 4 * 63 + 1, // escaped (text.h), each byte as \xNN
};

struct upstream_book;

ATTR_MUST_CHECK int upstream_book_open(struct upstream_book **out); // -ENOMEM
void upstream_book_close(struct upstream_book *b);                  // NULL is fine

// Resolver loops, at a reload: the number of the name; LOG_NO_UPSTREAM if the book is full or NULL.
uint16_t upstream_book_number(struct upstream_book *b, const char *name);
// Any thread: "" for an unused number or a NULL book.
const char *upstream_book_name(const struct upstream_book *b, unsigned number);

struct table_registry;
void upstream_book_tables(const struct upstream_book *b, struct table_registry *tables);
